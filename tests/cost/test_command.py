"""``nearcast cost``: what it prints adds up, and a rate that is none is a usage error."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from nearcast.cli import cli
from nearcast.cost.tables import price_table


def ask(*words: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(cli, ["cost", "--rows-per-second", *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("rate", ["0", "1", "500", "50000"])
def test_its_json_adds_up(rate: str) -> None:
    document = json.loads(ask(rate, "--json", "--authors", "1"))
    assert document["usd_per_month"] == pytest.approx(
        sum(part["usd_per_month"] for part in document["parts"]), abs=0.01
    )
    for part in document["parts"]:
        assert part["usd_per_month"] == pytest.approx(sum(line["usd"] for line in part["lines"]), abs=0.001)
    assert document["region"] == "us-east-1"
    assert document["prices_compiled"] == price_table().compiled.isoformat()
    assert document["workload"]["rows_per_second"] == float(rate)


def test_people_read_parts_settings_total_day_and_region() -> None:
    said = ask("500", "--hours-per-day", "6.5", "--days-per-month", "21")
    assert f"us-east-1, prices of {price_table().compiled}" in said
    for word in ("DynamoDB", "TableCapacity=ON_DEMAND", "Glue crawler", "total", "Not in it"):
        assert word in said


def test_limits_that_are_hit_are_said_with_what_to_change() -> None:
    said = " ".join(ask("50000").split())
    assert "DynamoDB stops here: The table needs 71,429 write units a second; its quota is 40,000." in said
    assert "Change: Ask for a higher table quota" in said
    assert "stops here" not in ask("500")


@pytest.mark.parametrize(
    "words",
    [
        ["-1"],
        ["nan"],
        ["inf"],
        ["many"],
        ["1", "--hours-per-day", "25"],
        ["1", "--hours-per-day", "0"],
        ["1", "--days-per-month", "nan"],
        ["1", "--symbols", "0"],
        ["1", "--job-minutes", "0"],
        ["1", "--authors", "-1"],
    ],
)
def test_what_is_no_rate_is_a_usage_error(words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["cost", "--rows-per-second", *words])
    assert done.exit_code == 2 and "Invalid value" in done.output


def test_it_needs_neither_aws_nor_the_network() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from nearcast.cli import cli\n"
        "cli(['cost', '--rows-per-second', '1', '--json'], standalone_mode=False)\n"
        "assert not {'boto3', 'botocore', 'psycopg', 'pandas'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
