"""The command line: every command has help with an example, and asking for it imports nothing heavy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nearcast.cli import COMMANDS, cli

HEAVY = ("torch", "pandas", "boto3", "mlflow", "pyspark", "psycopg", "duckdb", "ray", "airflow", "supervisor")


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below ``command`` that does something, with its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    top = cli.get_command(click.Context(cli), name)
    assert top is not None
    for words, _ in commands(top, (name,)):
        shown = CliRunner().invoke(cli, [*words, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.output, f"nearcast {' '.join(words)} --help has no example"
        assert f"nearcast {' '.join(words)}" in shown.output.split("Example", 1)[1]


@pytest.mark.parametrize(
    "name", ["up", "down", "status", "demo", "load", "publish", "train", "forecast", "backtest"]
)
def test_every_command_that_reports_takes_json(name: str) -> None:
    assert "--json" in CliRunner().invoke(cli, [name, "--help"]).output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\n"
        "from nearcast.cli import cli\n"
        "try:\n    cli(['--help'])\n"
        "except SystemExit:\n    print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not set(HEAVY) & set(loaded)


def test_wrong_usage_exits_with_2_and_an_expected_failure_with_1() -> None:
    run = [sys.executable, "-c", "from nearcast.cli import main; main()"]
    assert subprocess.run([*run, "status", "--nonsense"], capture_output=True).returncode == 2
    failed = subprocess.run(
        [*run, "up", "--json"], capture_output=True, text=True, env={"NEARCAST_HOME": "/proc/x"}
    )
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["next"]
    assert "Traceback" not in failed.stderr


def test_status_before_the_first_start_is_an_empty_list(tmp_path: Path) -> None:
    run = [sys.executable, "-c", "from nearcast.cli import main; main()", "status", "--json"]
    done = subprocess.run(
        run, capture_output=True, text=True, env={"NEARCAST_HOME": str(tmp_path)}, check=True
    )
    assert json.loads(done.stdout) == {"services": []}


def test_a_gateway_that_is_away_is_an_error_in_one_document_and_no_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
    environment = {
        **os.environ,
        "NEARCAST_HOME": str(tmp_path),
        "NEARCAST_AWS_ENDPOINT_URL": endpoint,
        "NEARCAST_AWS_ACCESS_KEY_ID": "000000000000",
        "NEARCAST_AWS_SECRET_ACCESS_KEY": "local",
        "NEARCAST_WORKGROUP": "any",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-c", "from nearcast.cli import main; main()"]
    done = subprocess.run(
        [*command, "lake", "query", "SELECT 1", "--json"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "nearcast up" in json.loads(done.stdout)["next"]
    assert "Traceback" not in done.stderr
