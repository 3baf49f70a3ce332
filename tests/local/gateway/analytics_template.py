"""analytics.yaml for tests: read as data, and resolved as CloudFormation resolves it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import loads

TEMPLATE = Path(__file__).parents[3] / "infrastructure" / "analytics.yaml"
ENVIRONMENT = "quick"
PRINCIPAL = "arn:aws:quicksight:us-east-1:000000000000:user/default/author"
IMPORTS = {
    "hudi-bucket": "nearcast-quick-hudi-000000000000",
    "workgroup": "nearcast-quick",
    "database": "nearcast",
    "key-arn": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
}
"""What the stacks below it export, by the last part of the name."""
VALUES = {
    "Environment": ENVIRONMENT,
    "QuickSightPrincipalArn": PRINCIPAL,
    "Symbol": "NFLX",
    "FirstDay": "2023-01-01",
    "AWS::AccountId": "000000000000",
    "AWS::Region": "us-east-1",
    "AWS::Partition": "aws",
    "DataSource.Arn": "arn:aws:quicksight:us-east-1:000000000000:datasource/nearcast-quick-lake",
    "QueryRole.Arn": "arn:aws:iam::000000000000:role/query",
    "Template.Arn": "arn:aws:quicksight:us-east-1:000000000000:template/nearcast-quick",
    "PricesDataSet.Arn": "arn:aws:quicksight:us-east-1:000000000000:dataset/prices",
    "MonthsDataSet.Arn": "arn:aws:quicksight:us-east-1:000000000000:dataset/months",
    "ForecastsDataSet.Arn": "arn:aws:quicksight:us-east-1:000000000000:dataset/forecasts",
}
"""Parameters, pseudo parameters and attributes."""


def resources() -> dict[str, Any]:
    """Return the resources of the template, intrinsic functions as they are."""
    found: dict[str, Any] = json.loads(json.dumps(loads(TEMPLATE.read_text())))["Resources"]
    return found


def properties(logical_id: str) -> dict[str, Any]:
    """Return a resource's properties with every intrinsic function resolved."""
    resolved: dict[str, Any] = _resolved(resources()[logical_id]["Properties"])
    return resolved


def definition_hash() -> str:
    """Return the hash that the name of the QuickSight template carries."""
    definition = resources()["Template"]["Properties"]["Definition"]
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]


def _resolved(value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Ref":
            return VALUES[argument]
        if function == "Fn::GetAtt":
            return VALUES[".".join(argument) if isinstance(argument, list) else argument]
        if function == "Fn::ImportValue":
            return IMPORTS[_resolved(argument).removeprefix(f"nearcast-{ENVIRONMENT}-")]
        if function == "Fn::Sub":
            text, named = argument if isinstance(argument, list) else (argument, {})
            known = {**VALUES, **{name: _resolved(item) for name, item in named.items()}}
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: known[found[1]], text)
    return {name: _resolved(item) for name, item in value.items()}
