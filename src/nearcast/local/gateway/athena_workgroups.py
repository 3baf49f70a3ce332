"""Workgroups: kept by ministack, shown with the fields that AWS always gives, and asked where results go.

Source: docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nearcast.local.gateway.hooks import AwsError

PRIMARY = "primary"
FLAGS = ("EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled")
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


@dataclass(frozen=True)
class Workgroup:
    """A workgroup's name and configuration."""

    name: str
    configuration: dict[str, Any]

    @property
    def cutoff(self) -> int:
        """Return the most bytes that a query may scan; 0 for no limit."""
        return int(self.configuration.get("BytesScannedCutoffPerQuery") or 0)

    def output_folder(self, given: str | None) -> str:
        """Return where results go: the workgroup's place when it enforces it or none is given, else ``given``.

        Raises AwsError when neither names a place.
        """
        own = (self.configuration.get("ResultConfiguration") or {}).get("OutputLocation")
        enforced = self.configuration["EnforceWorkGroupConfiguration"]
        location = own if own and (enforced or not given) else given
        if not location:
            raise AwsError(
                "InvalidRequestException",
                "No output location provided. An output location is required either through the Workgroup"
                " result configuration setting or as an API input.",
            )
        return str(location).rstrip("/")


def find(name: str) -> Workgroup:
    """Return a workgroup. Raises AwsError when there is none."""
    return Workgroup(name, _described(name)["Configuration"])


def get_work_group(request: dict[str, Any]) -> dict[str, Any]:
    """GetWorkGroup: ministack leaves out the flags that were not set, and clients rely on them."""
    return {"WorkGroup": _described(request["WorkGroup"])}


def _described(name: str) -> dict[str, Any]:
    from ministack.services import athena

    athena._ensure_default_workgroup()
    held = athena._workgroups.get(name)
    if held is None:
        raise AwsError("InvalidRequestException", f"WorkGroup {name} is not found.")
    # CloudFormation names the configuration as its own property is named, and hands flags over as text.
    configuration = held.get("Configuration") or held.get("WorkGroupConfiguration") or {}
    defaults = {flag: name != PRIMARY and flag == FLAGS[0] for flag in FLAGS}
    flags = {flag: str(configuration.get(flag, value)).lower() == "true" for flag, value in defaults.items()}
    shown = {"ResultConfiguration": {}, **configuration, **flags}
    shown["EngineVersion"] = {**ENGINE, **(configuration.get("EngineVersion") or {})}
    return {**held, "State": held.get("State", "ENABLED"), "Configuration": shown}
