"""AWS::QuickSight resources in CloudFormation: checked against the API's model, and not run.

A resource exists in its stack alone; there is no QuickSight to show it in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nearcast.local.gateway.service_model import check_request

PREFIX = "AWS::QuickSight::"


@dataclass(frozen=True)
class Kind:
    """How CloudFormation makes a type of resource.

    Parameters
    ----------
    operation
        The call that makes it; properties have the names of the call's parameters.
    resource
        The first part of the resource's name in its ARN.
    id_property
        The property that names it.
    apart
        Properties that the call does not have: other calls set them, or CloudFormation itself uses them.
    """

    operation: str
    resource: str
    id_property: str
    apart: frozenset[str] = frozenset()


KINDS = {
    "DataSource": Kind(
        "CreateDataSource",
        "datasource",
        "DataSourceId",
        frozenset({"AlternateDataSourceParameters", "ErrorInfo"}),
    ),
    "DataSet": Kind(
        "CreateDataSet",
        "dataset",
        "DataSetId",
        frozenset({"DataSetRefreshProperties", "IngestionWaitPolicy"}),
    ),
    "Template": Kind("CreateTemplate", "template", "TemplateId"),
    "Analysis": Kind("CreateAnalysis", "analysis", "AnalysisId", frozenset({"Errors", "Sheets", "Status"})),
    "Dashboard": Kind("CreateDashboard", "dashboard", "DashboardId"),
}
"""By the type's last name. Source: CloudFormation's template reference beside QuickSight's API reference."""


def handlers() -> dict[str, dict[str, Callable[..., Any]]]:
    """Return the provisioners by type of resource."""
    return {
        PREFIX + name: {"create": partial(_create, kind), "update": partial(_update, kind), "delete": _delete}
        for name, kind in KINDS.items()
    }


def _create(
    kind: Kind, logical_id: str, properties: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    """Return the physical id, as Ref gives it, and what GetAtt gives. Raises ValueError when the API would refuse."""
    from ministack.core.responses import get_region

    request = {name: value for name, value in properties.items() if name not in kind.apart}
    checked = check_request("quicksight", kind.operation, request)
    account, name = checked["AwsAccountId"], checked[kind.id_property]
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    attributes = {
        "Arn": f"arn:aws:quicksight:{get_region()}:{account}:{kind.resource}/{name}",
        "CreatedTime": now,
        "LastUpdatedTime": now,
    }
    return f"{account}|{name}", attributes


def _update(
    kind: Kind, physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    """Check the new properties; a changed name is another resource, which CloudFormation sees by its physical id."""
    return _create(kind, physical_id, new, stack)


def _delete(physical_id: str, properties: dict[str, Any]) -> None:
    """Nothing stands outside of the stack."""
