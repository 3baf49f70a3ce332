"""compose.yaml: what its services must have, each held against a second source."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nearcast.local.airflow import COMPONENTS
from nearcast.local.container import GIVEN
from nearcast.local.ports import port_variable
from nearcast.local.services import WITH_PORT, local_services
from tests.compose.compose_file import (
    COMPOSE,
    EXAMPLE,
    ROOT,
    VARIABLE,
    Service,
    command,
    example_variables,
    is_one_shot,
    is_own,
    own_services,
    read,
    services,
    started_with,
)

SERVICES = sorted(services())
STANDING = [name for name in SERVICES if not is_one_shot(services()[name])]
PORTS = dict.fromkeys(WITH_PORT, 10000)
NOT_LOCAL = {"namespace", "pgadmin", "prepare", "deploy"}
"""What compose.yaml has beyond the services of `nearcast up`."""


def local() -> dict[str, int]:
    """Return the seconds that each service of `nearcast up` has to stop."""
    return {item.name: item.stop_seconds for item in local_services(Path("/home"), PORTS)}


def ports(service: Service) -> dict[int, tuple[str, int]]:
    """Return what a service publishes: port of the host → (address, port of the container)."""
    found = (entry.split(":") for entry in service.get("ports", []))
    return {int(host): (address, int(container)) for address, host, container in found}


def test_it_follows_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(COMPOSE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_services_of_nearcast_up() -> None:
    assert set(SERVICES) - NOT_LOCAL == set(local())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_pinned_image_and_a_user_that_is_not_root(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[a-z0-9./]+:\d+\.\d+(\.\d+)?(-bookworm)?", service["image"])
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0


@pytest.mark.parametrize("name", STANDING)
def test_a_service_that_stays_has_a_health_check_and_is_restarted(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    if name in local() and name != "postgres":
        assert service["healthcheck"]["test"][-2:] == ["check", name]
        assert service["command"] == ["run", name]
        assert service["stop_grace_period"] == f"{local()[name]}s"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_can_become_ready(name: str) -> None:
    found = services()
    for needed, how in found[name].get("depends_on", {}).items():
        once = is_one_shot(found[needed])
        assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
    assert name == "namespace" or started_with(name)[0] == "namespace"


def test_the_containers_share_the_network_of_one_that_publishes_ports_on_loopback_alone() -> None:
    found = services()
    assert {item.get("network_mode") for name, item in found.items() if name != "namespace"} == {
        "service:namespace"
    }
    assert [name for name, item in found.items() if "ports" in item] == ["namespace"]
    published = ports(found["namespace"])
    assert {address for address, _ in published.values()} == {"127.0.0.1"}
    # Addresses in the settings are those of the namespace; people use them on the host.
    assert all(host == container for host, (_, container) in published.items())
    assert {5001, 8001, 8055} <= set(published)


def test_every_part_knows_the_port_of_every_other() -> None:
    published = set(ports(services()["namespace"]))
    environment = services()["gateway"]["environment"]
    own = {name: int(environment[port_variable(name)]) for name in WITH_PORT}
    assert {*own.values(), 8055} == published
    assert own["postgres"] == 5001
    assert own["airflow"] == 8001
    assert services()["postgres"]["environment"]["PGPORT"] == "5001"
    assert services()["pgadmin"]["environment"]["PGADMIN_LISTEN_PORT"] == "8055"
    shared = {name: value for name, value in environment.items() if name.startswith("NEARCAST_")}
    for item in own_services().values():
        assert shared.items() <= item["environment"].items()


def test_its_variables_are_those_of_the_example_and_a_missing_one_is_an_error() -> None:
    text = COMPOSE.read_text()
    assert {match[1] for match in VARIABLE.finditer(text)} == set(example_variables())
    assert all(match[2].startswith(":?") for match in VARIABLE.finditer(text))
    assert text.count("$") == len(VARIABLE.findall(text))


def test_no_secret_is_in_a_file() -> None:
    secret = re.compile(r"PASSWORD$|SECRET|TOKEN|_KEY$")
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            assert not secret.search(name) or VARIABLE.fullmatch(value), name
    assert {value for name, value in example_variables().items() if secret.search(name)} == {""}
    ignored = subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=ROOT)
    assert ignored.returncode == 0
    assert ".env" not in (ROOT / ".dockerignore").read_text().replace("no .env", "").split()


def test_each_secret_goes_only_to_those_who_need_it() -> None:
    holders: dict[str, set[str]] = {}
    for name, service in services().items():
        for value in service.get("environment", {}).values():
            for match in VARIABLE.finditer(value):
                holders.setdefault(match[1], set()).add(name)
    assert {variable for variable, names in holders.items() if "prepare" in names} == set(GIVEN.values())
    own = {name for name, item in services().items() if is_own(item)}
    assert {name for names in holders.values() for name in names} & own == {"prepare"}


def test_the_way_to_make_env_that_is_documented_fills_every_variable(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "compose.md").read_text()
    script = re.search(r"^while .*> \.env$", page, re.MULTILINE | re.DOTALL)
    assert script
    (tmp_path / ".env.example").write_text(EXAMPLE.read_text())
    subprocess.run(["sh", "-c", script[0]], cwd=tmp_path, check=True)
    lines = [line for line in (tmp_path / ".env").read_text().splitlines() if not line.startswith("#")]
    values = dict(line.split("=", 1) for line in lines if line)
    assert set(values) == set(example_variables())
    passwords = [value for name, value in values.items() if name.endswith("PASSWORD")]
    assert len(set(passwords)) == len(passwords) == 4
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in passwords)


def test_named_volumes_and_configs_are_declared_used_and_there() -> None:
    document = read(COMPOSE.read_text())
    mounted = [entry.split(":") for item in services().values() for entry in item.get("volumes", [])]
    assert {source for source, *_ in mounted} == set(document["volumes"])
    used = {entry["source"] for item in services().values() for entry in item.get("configs", [])}
    assert used == set(document["configs"])
    files = [Path(config["file"]) for config in document["configs"].values() if "file" in config]
    assert files
    assert all((ROOT / path).is_file() for path in files)
    # Since PostgreSQL 18 the image keeps its data one folder higher.
    assert ["postgres", "/var/lib/postgresql"] in mounted


@pytest.mark.parametrize("name", sorted(own_services()))
def test_the_commands_of_a_service_parse(name: str) -> None:
    from click.testing import CliRunner

    from nearcast.cli import cli
    from nearcast.local.container import container

    programs = {("nearcast",): cli, ("python", "-m", "nearcast.local.container"): container}
    service = services()[name]
    for words in (
        command(service),
        service.get("healthcheck", {}).get("test", ["CMD", *command(service)])[1:],
    ):
        program, arguments = next(
            (program, words[len(start) :])
            for start, program in programs.items()
            if tuple(words[: len(start)]) == start
        )
        assert CliRunner().invoke(program, [*arguments, "--help"]).exit_code == 0
        assert CliRunner().invoke(program, [*arguments, "--no-such-option"]).exit_code == 2


def test_pgadmin_knows_the_server_as_the_writer_and_has_its_password() -> None:
    document = read(COMPOSE.read_text())
    registered = json.loads((ROOT / document["configs"]["pgadmin-servers"]["file"]).read_text())
    (server,) = registered["Servers"].values()
    host, port, database, user, password = document["configs"]["pgpass"]["content"].split(":", 4)
    assert (server["Host"], str(server["Port"]), server["Username"]) == (host, port, user)
    assert database == "*"
    assert password.startswith("${NEARCAST_WRITER_PASSWORD")
    # In server mode pgAdmin looks below the folder of its user, to which its image copies the file.
    assert server["PassFile"] == "/.pgpass"


def test_airflow_has_all_of_its_components() -> None:
    assert {name for name in SERVICES if name.startswith("airflow-")} == {
        f"airflow-{component}" for component in COMPONENTS
    }
