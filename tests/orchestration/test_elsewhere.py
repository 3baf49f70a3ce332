"""The DAGs on any Airflow: they load without this project's services, and docs/airflow.md names all that they read."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearcast.settings import Settings

ROOT = Path(__file__).parents[2]
DAGS, SOURCE, PAGE = ROOT / "dags", ROOT / "src", (ROOT / "docs" / "airflow.md").read_text()
REQUIREMENTS = ROOT / "infrastructure" / "mwaa-requirements.txt"


def module_file(name: str) -> Path | None:
    """Return the file of a module of the package, if it is one."""
    path = SOURCE / Path(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports, in functions too, but for what only a type checker does."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        yield from imported(node)


@pytest.fixture(scope="module")
def reached() -> dict[Path, ast.Module]:
    """All of the project's files that the DAGs may run, parsed."""
    found: dict[Path, ast.Module] = {}
    waiting = sorted(DAGS.glob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = ast.parse(path.read_text())
            waiting += [file for name in imported(found[path]) if (file := module_file(name))]
    return found


def settings_read(tree: ast.Module) -> Iterator[str]:
    """Yield the settings that a file reads: ``settings.NAME``, ``need("NAME")``, ``{{ setting('NAME') }}``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [node.value, *re.findall(r"setting\('(\w+)'\)", node.value)]


def test_the_page_names_every_setting_that_the_dags_can_read(reached: dict[Path, ast.Module]) -> None:
    files = [tree for path, tree in reached.items() if path.name != "settings.py"]
    read = {name for tree in files for name in settings_read(tree)} & Settings.model_fields.keys()
    assert {"postgres_dsn", "prices_table", "hudi_job", "workgroup"} <= read
    table = PAGE.partition("| variable |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(NEARCAST_\w+)`", table)) == {f"NEARCAST_{name.upper()}" for name in read}


def test_the_dags_read_no_airflow_variable_and_one_connection(reached: dict[Path, ast.Module]) -> None:
    names = {name for tree in reached.values() for name in imported(tree) if name.startswith("airflow")}
    assert not [name for name in names if name.rpartition(".")[2] in ("Variable", "BaseHook", "Connection")]
    connections = {
        ast.unparse(keyword.value)
        for tree in reached.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg and keyword.arg.endswith("conn_id")
    }
    assert connections == {"AWS_CONNECTION"}  # operators without one take the provider's default, the same
    from nearcast.orchestration.connection import AWS_CONNECTION

    assert AWS_CONNECTION == "aws_default"


def test_the_dags_do_not_reach_what_stands_in_for_aws(reached: dict[Path, ast.Module]) -> None:
    local = {path for path in reached if path.is_relative_to(SOURCE / "nearcast" / "local")}
    assert not local
    assert len(reached) > 50


def test_the_dags_load_with_the_package_beside_them_and_nothing_set(tmp_path: Path) -> None:
    """As on Amazon MWAA: a DAGs' folder with the package in it, no home, no connection, no variable."""
    folder = tmp_path / "dags"
    folder.mkdir()
    for dag in DAGS.glob("*.py"):
        (folder / dag.name).write_text(dag.read_text())
    (folder / "nearcast").symlink_to(SOURCE / "nearcast")
    (folder / ".airflowignore").write_text("nearcast/\n")
    code = (
        "import json, sys; from airflow.dag_processing.dagbag import DagBag; "
        f"bag = DagBag({str(folder)!r}); import nearcast; "
        "print(json.dumps([sorted(bag.dags), bag.import_errors, nearcast.__file__]))"
    )
    variables = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    dags, errors, package = json.loads(done.stdout.splitlines()[-1])
    assert errors == {}
    assert dags == sorted(path.stem for path in DAGS.glob("*.py"))
    assert Path(package).is_relative_to(folder)


def test_without_a_connection_the_region_and_keys_are_those_of_the_worker(tmp_path: Path) -> None:
    code = (
        "from nearcast.orchestration.connection import airflow_settings as s; "
        "found = s(); print(found.aws_region, found.aws_endpoint_url, found.aws_access_key_id, found.aws_session_token)"
    )
    keys = {
        "AWS_ACCESS_KEY_ID": "worker",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    variables = {**keys, "AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "eu-west-1 None worker None"


def test_the_requirements_for_mwaa_are_of_this_project_in_the_locked_versions() -> None:
    lock = {
        item["name"]: item["version"] for item in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and line[0] not in "#-"]
    pinned = dict(line.split("==") for line in lines if "==" in line)
    provider = pinned.pop("apache-airflow-providers-amazon")
    assert provider in PAGE  # raised by the constraints, not by us
    assert {re.sub(r"\[.*\]", "", name): version for name, version in pinned.items()} == {
        re.sub(r"\[.*\]", "", name): lock[re.sub(r"\[.*\]", "", name)] for name in pinned
    }
    own = {
        re.split(r"[\[=><]", text)[0]
        for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    assert {re.split(r"[\[=]", line)[0] for line in lines} <= own
