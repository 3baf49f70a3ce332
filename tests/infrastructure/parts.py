"""The parts that call AWS, where their code begins, and which calls of AWS they make."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.infrastructure.calls import ABORTED, TRANSFERS, Call, Found, find_calls
from tests.infrastructure.models import service_named
from tests.infrastructure.program import SCRIPT, product


@dataclass(frozen=True)
class Library:
    """Functions of a library that call AWS for a part, beside the program's own code.

    Their operations are the methods of the service's client that they name, and those of the provider's own waiters.
    """

    module: str
    functions: tuple[str, ...]
    service: str
    why: str
    waiters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Where a part's code begins, and the functions of libraries that it runs."""

    entry_points: tuple[str, ...]
    libraries: tuple[Library, ...] = ()


AIRFLOW = "airflow.providers.amazon.aws"
OPERATORS = {
    "GlueCrawlerRunOperator": Library(
        f"{AIRFLOW}.hooks.glue_crawler",
        ("GlueCrawlerHook.start_crawler", "GlueCrawlerHook.wait_for_crawler_completion"),
        "glue",
        "starts the crawler, waits, and logs its metrics",
        ("crawler_ready",),
    ),
    "AthenaOperator": Library(
        f"{AIRFLOW}.hooks.athena",
        ("AthenaHook.run_query", "AthenaHook.get_query_info", "AthenaHook.stop_query"),
        "athena",
        "runs a query; a task that is killed stops it",
        ("query_complete",),
    ),
    "GlueJobOperator": Library(
        f"{AIRFLOW}.hooks.glue",
        ("GlueJobHook.has_job", "GlueJobHook.initialize_job", "GlueJobHook.get_job_state"),
        "glue",
        "sees that the job is there, starts it and waits; it makes no job, as the stack has made it",
    ),
}
"""Airflow's operators that the DAGs use, and what they call."""
MLFLOW = Library(
    "mlflow.store.artifact.s3_artifact_repo",
    ("S3ArtifactRepository",),
    "s3",
    "MLflow's server keeps the files of runs on S3",
)

PARTS = {
    "Publisher": Part(("nearcast.commands.source:publish", "dags.publish_prices:*")),
    "LakeOperator": Part(
        ("nearcast.commands.lake:*", "dags.refresh_lake:*"), libraries=tuple(OPERATORS.values())
    ),
    "Forecaster": Part(
        (
            "nearcast.commands.backtest:backtest",
            "nearcast.commands.forecast:forecast",
            "nearcast.commands.models:*",
            "nearcast.commands.score:score",
            "nearcast.commands.train:train",
            "nearcast.commands.train:tune",
            "dags.forecast:*",
            "dags.train_model:*",
            "dags.tune_model:*",
        )
    ),
    "Dashboard": Part(("nearcast.dashboard.app:*",)),
    "ArtifactStore": Part((), libraries=(MLFLOW,)),
}
"""Parts that run outside AWS's own services; infrastructure/access.yaml has a policy for each."""
SERVICE_PARTS = {
    "TransformerRole": Part(("nearcast.stream.transformer:*",)),
    "HudiJobRole": Part((f"nearcast.lake.hudi_job:{SCRIPT}",)),
}
"""Parts that a service of AWS runs; the template of their stack has a role for each."""
DEPLOYER = "deployer"
DEPLOYER_COMMANDS = ("deploy", "destroy")
LOCAL_COMMANDS = {
    "demo": "starts the local services and shows the whole path on them",
    "up": "starts the local services",
    "down": "stops them",
    "status": "asks them how they are",
    "bench": "measures the local services",
    "cost": "tables of prices alone",
    "load": "PostgreSQL alone",
    "delete": "PostgreSQL alone",
}
"""Commands that are no part's on AWS, and why."""


def deployer() -> Part:
    """Return the part of the command line that deploys; its rights are those of whoever runs it."""
    from nearcast.cli import COMMANDS

    return Part(tuple(place for name, place in COMMANDS.items() if name in DEPLOYER_COMMANDS))


@cache
def found() -> Found:
    """Return every boto3 call of the product."""
    return find_calls(product())


def own_calls(part: Part) -> list[Call]:
    """Return the boto3 calls that a part's own code may make."""
    reached = product().reached(part.entry_points)
    return [call for call in found().calls if call.symbol in reached]


def operations(part: Part) -> dict[tuple[str, str], list[str]]:
    """Return the (service, operation) pairs that a part calls, each with the places of its calls."""
    places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for call in own_calls(part):
        places[call.service, call.operation].append(call.place)
    for library in part.libraries:
        for operation in library_operations(library):
            places[library.service, operation].append(f"{library.module} ({library.why})")
    return dict(places)


@cache
def library_operations(library: Library) -> set[str]:
    """Return the operations that the functions of a library call."""
    spec = importlib.util.find_spec(library.module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    service = service_named(library.service)
    assert service is not None
    operations: set[str] = set()
    for function in library.functions:
        named = [node for node in ast.walk(_definition(tree, function)) if isinstance(node, ast.Attribute)]
        texts = [n.value for n in ast.walk(_definition(tree, function)) if isinstance(n, ast.Constant)]
        methods = {node.attr for node in named}
        if "get_paginator" in methods or "generate_presigned_url" in methods:
            methods |= {text for text in texts if isinstance(text, str)}
        operations |= {service.methods[method] for method in methods if method in service.methods}
        if library.service == "s3":
            moved = methods & TRANSFERS.keys()
            operations |= {operation for method in moved for operation in TRANSFERS[method]}
            operations |= {ABORTED} if any("upload" in method for method in moved) else set()
    return operations | {_waited(library, name) for name in library.waiters}


def _definition(tree: ast.Module, dotted: str) -> ast.AST:
    node: ast.AST = tree
    for name in dotted.split("."):
        node = next(one for one in getattr(node, "body", []) if getattr(one, "name", None) == name)
    return node


def _waited(library: Library, waiter: str) -> str:
    """Return the operation of one of the provider's own waiters, which lie beside its hooks."""
    spec = importlib.util.find_spec(AIRFLOW)
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "waiters" / f"{library.service}.json"
    return str(json.loads(path.read_text())["waiters"][waiter]["operation"])
