"""Every call of boto3 in the product fits botocore's own model of the service."""

from __future__ import annotations

import re

import pytest

from nearcast.cli import COMMANDS
from tests.infrastructure.calls import Call
from tests.infrastructure.checks import wrong_arguments
from tests.infrastructure.parts import (
    DEPLOYER_COMMANDS,
    LOCAL_COMMANDS,
    OPERATORS,
    PARTS,
    SERVICE_PARTS,
    deployer,
    found,
    own_calls,
)
from tests.infrastructure.program import ROOT, load_program, product


def test_every_client_is_followed_to_its_calls() -> None:
    assert found().problems == []


@pytest.mark.parametrize("call", found().calls, ids=str)
def test_a_call_fits_its_service_model(call: Call) -> None:
    assert wrong_arguments(product(), call) == []


def test_no_client_that_a_search_of_the_text_finds_is_left_out() -> None:
    """The second way: ``client(`` in the text of the files, but for the functions of that name."""
    searched = [
        f"{module.path}:{number}:{match.start()}"
        for module in product().modules.values()
        for number, line in enumerate((ROOT / module.path).read_text().splitlines(), 1)
        for match in re.finditer(r"(?:\b(?:aws|boto3)\.|\.)?\b(?:client|resource)\(", line.partition("#")[0])
        if not line[: match.start()].endswith("def ")
    ]
    assert sorted(searched) == sorted(found().makers)


def test_there_is_no_other_way_to_aws() -> None:
    """boto3 is imported where clients are made, its Session for the region's name alone, and nothing like it."""
    allowed = {
        "nearcast.aws": "boto3",
        "nearcast.lake.hudi_job": "boto3",
        "nearcast.deploy.target": "boto3.Session",
    }
    ways = ("boto3", "botocore.session", "aiobotocore", "s3fs", "awswrangler", "s3transfer")
    others = [
        f"{module.path}: {meaning}"
        for module in product().modules.values()
        for meaning in module.imports.values()
        if any(meaning == way or meaning.startswith(f"{way}.") for way in ways)
        and meaning != allowed.get(module.name)
    ]
    assert others == []


def test_every_command_is_a_part_s_or_the_deployer_s_or_local() -> None:
    entries = {entry for part in PARTS.values() for entry in part.entry_points}
    for name, place in COMMANDS.items():
        whole = f"{place.partition(':')[0]}:*"
        roles = [place in entries or whole in entries, name in DEPLOYER_COMMANDS, name in LOCAL_COMMANDS]
        assert sum(roles) == 1, f"`nearcast {name}` belongs in tests/infrastructure/parts.py, once"


def test_every_dag_is_a_part_s() -> None:
    entries = {entry for part in PARTS.values() for entry in part.entry_points}
    dags = {f"{name}:*" for name in product().modules if name.startswith("dags.")}
    assert dags == {entry for entry in entries if entry.startswith("dags.")}


def test_every_operator_of_airflow_s_amazon_provider_is_known() -> None:
    imported = {
        name
        for module in product().modules.values()
        for name, meaning in module.imports.items()
        if meaning.startswith("airflow.providers.amazon") and name.endswith("Operator")
    }
    assert imported == OPERATORS.keys()


def test_every_call_is_some_part_s() -> None:
    """What no part reaches is there for the commands on one machine: the demo counts the rows of each hop."""
    parts = (*PARTS.values(), *SERVICE_PARTS.values(), deployer())
    of_parts = {call.place for part in parts for call in own_calls(part)}
    program = load_program()
    modules = {COMMANDS[name].partition(":")[0] for name in LOCAL_COMMANDS}
    local = program.reached(f"{module}:*" for module in modules)
    left = [str(call) for call in found().calls if call.place not in of_parts and call.symbol not in local]
    assert left == []
