"""What NEARCAST_HOME holds for the services: the lock, passwords and settings; and homes that are refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from nearcast.errors import ServiceError
from nearcast.local.home import kept_ports, locked, prepare_home, write_services_file
from nearcast.local.secrets import Secrets, load_secrets
from nearcast.local.world import status, stop, wait_for
from nearcast.settings import load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return prepare_home(tmp_path / "home")


def test_only_one_start_or_stop_at_a_time(home: Path) -> None:
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        with locked(home, lambda note: waits.set()):
            order.append("second")

    with locked(home, lambda note: None):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert waits.wait(5), "the second says that it waits"
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]


def test_passwords_are_made_once_and_only_their_owner_reads_them(home: Path) -> None:
    made = load_secrets(home)
    assert load_secrets(home) == made
    assert len({made.postgres_superuser, made.postgres_writer, made.postgres_reader}) == 3
    assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600
    assert made.postgres_writer not in repr(made)


def test_a_home_from_before_airflow_gets_the_passwords_it_lacks_and_keeps_its_own(home: Path) -> None:
    made = load_secrets(home)
    older = {name: value for name, value in vars(made).items() if not name.startswith("airflow")}
    (home / "secrets.json").write_text(json.dumps(older))
    now = load_secrets(home)
    assert vars(now) | older == vars(now) and now.airflow_admin != made.airflow_admin
    assert load_secrets(home) == now


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"postgres_writer": "x"}', "null"])
def test_damaged_passwords_are_an_error_and_never_replaced(home: Path, damage: str) -> None:
    (home / "secrets.json").write_text(damage)
    with pytest.raises(ServiceError, match="damaged"):
        load_secrets(home)
    assert (home / "secrets.json").read_text() == damage


def test_every_command_reads_back_the_settings_of_the_services(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("NEARCAST_")]:
        monkeypatch.delenv(name)
    secrets, ports = Secrets(), {"postgres": 1, "gateway": 2, "mlflow": 3, "dashboard": 4, "airflow": 5}
    write_services_file(home, ports, secrets)
    settings = load_settings(home)
    assert (
        settings.need("postgres_dsn")
        == f"postgresql://nearcast_writer:{secrets.postgres_writer}@127.0.0.1:1/nearcast"
    )
    assert settings.need("aws_secret_access_key") == secrets.aws_secret_access_key
    assert settings.aws_endpoint_url == "http://127.0.0.1:2"
    assert (settings.mlflow_tracking_uri, settings.dashboard_url) == (
        "http://127.0.0.1:3",
        "http://127.0.0.1:4",
    )
    assert stat.S_IMODE((home / "services.env").stat().st_mode) == 0o600


def test_a_full_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1 << 20

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Full)
    with pytest.raises(ServiceError, match=r"Only 1 MiB are free"):
        prepare_home(tmp_path / "home")


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for impossible in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nearcast")):
        with pytest.raises(ServiceError, match="cannot be written"):
            prepare_home(impossible)


def test_nothing_is_known_and_nothing_stopped_before_the_first_start(tmp_path: Path) -> None:
    never = tmp_path / "never"
    assert status(never) == []
    assert stop(never) == []
    assert not never.exists()
    assert kept_ports(never) == {}
    with pytest.raises(ServiceError, match="No service was started"):
        wait_for(never, "mlflow")
