"""Whether a policy's statements permit a request: what IAM would say, for what the project's policies use of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nearcast.settings import Settings
from tests.infrastructure.recorder import Request
from tests.infrastructure.rights import actions_of, arn_patterns
from tests.infrastructure.templates import ACCOUNT, REGION, Statement, listed


def denied(request: Request, statements: Iterable[Statement], settings: Settings) -> list[str]:
    """Return the actions, with the resources, of a request that no statement allows."""
    statements = list(statements)
    return [
        f"{action} on {resource}"
        for action in actions_of(request.service, request.operation)
        for resource in (resources_of(request, settings) if arn_patterns(action) else ["*"])
        if not any(_allows(one, action, resource, request.parameters) for one in statements)
    ]


def resources_of(request: Request, settings: Settings) -> list[str]:
    """Return the ARNs of what a request is about; IAM wants each of them allowed."""
    given = request.parameters
    at = f"{REGION}:{ACCOUNT}"
    if request.service == "s3":
        bucket = re.sub(r"\d{12}$", ACCOUNT, given["Bucket"])
        keys = (
            [given["Key"]]
            if "Key" in given
            else [one["Key"] for one in given.get("Delete", {}).get("Objects", [])]
        )
        return [f"arn:aws:s3:::{bucket}/{key}" for key in keys] or [f"arn:aws:s3:::{bucket}"]
    if request.service == "dynamodb":
        tables = given.get("RequestItems") or [given["TableName"]]
        return [f"arn:aws:dynamodb:{at}:table/{table}" for table in tables]
    if request.service == "sqs":
        name = given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
        return [f"arn:aws:sqs:{at}:{name}"]
    if request.service == "glue":
        return [f"arn:aws:glue:{at}:{one}" for one in _of_glue(request.operation, given)]
    if request.service == "athena":
        return [f"arn:aws:athena:{at}:workgroup/{given.get('WorkGroup', settings.workgroup)}"]
    return {
        "cloudwatch": ["*"],
        "kinesis": [f"arn:aws:kinesis:{at}:stream/{given.get('StreamName')}"],
        "lambda": [f"arn:aws:lambda:{at}:function:{given.get('FunctionName')}"],
    }[request.service]


def _of_glue(operation: str, given: dict[str, Any]) -> list[str]:
    if "JobName" in given:
        return [f"job/{given['JobName']}"]
    if "Crawler" in operation:
        return [f"crawler/{name}" for name in given.get("CrawlerNameList", [given.get("Name")])]
    database = given["DatabaseName"]
    table = given.get("TableName") or given.get("Name") or given.get("TableInput", {}).get("Name", "any")
    return ["catalog", f"database/{database}", f"table/{database}/{table}"]


def _allows(statement: Statement, action: str, resource: str, given: dict[str, Any]) -> bool:
    if statement.effect != "Allow" or action not in statement.actions:
        return False
    if not any(_matches(pattern, resource) for pattern in statement.resources):
        return False
    for operator, keys in statement.condition.items():
        assert operator == "StringEquals" and keys.keys() <= {"s3:prefix"}, statement.place
        if given.get("Prefix") not in listed(keys["s3:prefix"]):
            return False
    return True


def _matches(pattern: str, resource: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), resource) is not None
