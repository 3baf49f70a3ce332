"""Deploying the CloudFormation stacks: artifacts under their content hash, then stream, then lake."""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from nearcast.aws import client
from nearcast.errors import DeployError
from nearcast.settings import STACKS_FILE, Settings, load_settings, write_env_file

LAYERS = ("bootstrap", "stream", "lake")
LOCAL_PARAMETERS = {
    "bootstrap": {},
    "stream": {
        "BufferSeconds": "1",
        "LambdaBufferSeconds": "0",
        "VisibilitySeconds": "60",
        "Versioning": "Suspended",
        "AlarmActions": "DISABLED",
    },
    "lake": {"Versioning": "Suspended", "ScheduleState": "DISABLED"},
}
"""What differs on one machine: Firehose gathers for one second, the Lambda gets its records at once, and
what a killed job had taken returns after a minute. Airflow starts crawler and job, nobody is sent alarms, and
versions, which nothing would expire, are not kept."""
POLL_S = 0.1
Note = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A stack's name, its status, and whether this deployment changed it."""

    name: str
    status: str
    changed: bool


def deploy(settings: Settings, target: str = "local", note: Note = lambda text: None) -> list[Stack]:
    """Create or update the stacks and write their outputs to NEARCAST_HOME.

    Raises DeployError with the resource and the reason when a stack fails, and when the local target's
    endpoint is not a loopback address.
    """
    if target == "local":
        _check_loopback(settings.aws_endpoint_url)
    stacks = []
    artifacts: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for layer in LAYERS:
        name = f"nearcast-{settings.environment}-{layer}"
        note(f"stack {name}")
        parameters = {
            "Environment": settings.environment,
            "TableType": settings.table_type,
        }
        if target == "local":
            parameters |= LOCAL_PARAMETERS[layer]
        stacks.append(_apply(settings, name, template(layer), parameters | artifacts))
        outputs |= _outputs(settings, name)
        artifacts = artifacts or upload_artifacts(settings, outputs["artifacts_bucket"])
    write_env_file(settings.home / STACKS_FILE, outputs)
    _check_change_capture(load_settings(settings.home))
    return stacks


def template(layer: str) -> str:
    """Return the text of a layer's template."""
    return _project_file(f"infrastructure/{layer}.yaml").read_text()


def _project_file(relative: str) -> Path:
    path = Path(__file__).parents[2] / relative
    if not path.exists():
        raise DeployError(f"{relative} is not there.", todo="Run from a checkout of the project.")
    return path


def _check_loopback(endpoint: str | None) -> None:
    host = urlparse(endpoint or "").hostname
    try:
        loopback = host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise DeployError(
            f"The local target needs a loopback endpoint, not {endpoint}.",
            kept="Nothing was sent anywhere.",
            todo="Start the local services with `nearcast up`.",
        )


def package_transformer() -> bytes:
    """Return the Lambda's zip; the same source gives the same bytes."""
    source = (Path(__file__).parent / "stream" / "transformer.py").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("transformer.py", date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return packed.getvalue()


def upload_artifacts(settings: Settings, bucket: str) -> dict[str, str]:
    """Upload the Lambda and the job's script unless they are there; return their keys by template parameter.

    A key names its content.
    """
    s3 = client("s3", settings)
    job = (Path(__file__).parent / "lake" / "hudi_job.py").read_bytes()
    bodies = {
        "TransformerKey": ("transformer/{}.zip", package_transformer()),
        "HudiJobKey": ("hudi_job/{}.py", job),
    }
    keys = {}
    for parameter, (pattern, body) in bodies.items():
        keys[parameter] = pattern.format(hashlib.sha256(body).hexdigest()[:16])
        if not s3.list_objects_v2(Bucket=bucket, Prefix=keys[parameter]).get("KeyCount"):
            s3.put_object(Bucket=bucket, Key=keys[parameter], Body=body)
    return keys


def _apply(settings: Settings, name: str, body: str, parameters: dict[str, str]) -> Stack:
    """Create or update one stack and wait for its end."""
    from botocore.exceptions import ClientError

    cloudformation = client("cloudformation", settings)
    known = set(re.findall(r"^  (\w+):\n    Type: (?:String|Number)$", body, re.MULTILINE))
    request = {
        "StackName": name,
        "TemplateBody": body,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameters.items()
            if key in known
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    existing = _describe(cloudformation, name)
    if existing and _same(cloudformation, existing, request):
        return Stack(name, existing["StackStatus"], changed=False)
    try:
        (cloudformation.update_stack if existing else cloudformation.create_stack)(**request)
    except ClientError as error:
        if existing and "No updates are to be performed" in str(error):
            return Stack(name, existing["StackStatus"], changed=False)
        raise DeployError(f"Stack {name} was refused: {error}", kept="Everything is as it was.") from error
    return _wait(cloudformation, name)


def _same(cloudformation: Any, existing: dict[str, Any], request: dict[str, Any]) -> bool:
    """Tell whether the stack has this very template and these parameters already."""
    if not existing["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in existing["StackStatus"]:
        return False
    held = {item["ParameterKey"]: item["ParameterValue"] for item in existing["Parameters"]}
    wanted = {item["ParameterKey"]: item["ParameterValue"] for item in request["Parameters"]}
    body = cloudformation.get_template(StackName=request["StackName"])["TemplateBody"]
    return bool(body == request["TemplateBody"] and wanted.items() <= held.items())


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return stacks[0] if stacks and stacks[0]["StackStatus"] != "DELETE_COMPLETE" else None


def _wait(cloudformation: Any, name: str) -> Stack:
    while True:
        status = (_describe(cloudformation, name) or {"StackStatus": "DELETE_COMPLETE"})["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return Stack(name, status, changed=True)
        if not status.endswith("_IN_PROGRESS"):
            resource, reason = _first_failure(cloudformation, name)
            raise DeployError(
                f"Stack {name} ended {status}: {resource}: {reason}",
                kept="CloudFormation rolled back what it could.",
                todo="Mend the cause, then run `nearcast deploy` again.",
            )
        time.sleep(POLL_S)


def _first_failure(cloudformation: Any, name: str) -> tuple[str, str]:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED"):
            return event["LogicalResourceId"], event.get("ResourceStatusReason", "no reason given")
    return name, "no failed resource in the stack's events"


def _outputs(settings: Settings, name: str) -> dict[str, str]:
    """Return a stack's outputs under the names of the settings: RawBucket becomes raw_bucket."""
    stack = _describe(client("cloudformation", settings), name) or {}
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", item["OutputKey"]).lower(): item["OutputValue"]
        for item in stack.get("Outputs", [])
    }


def _check_change_capture(settings: Settings) -> None:
    """Make sure that the table's changes go to the stream: without it nothing would ever arrive."""
    table = settings.need("prices_table")
    answer = client("dynamodb", settings).describe_kinesis_streaming_destination(TableName=table)
    states = [item["DestinationStatus"] for item in answer["KinesisDataStreamDestinations"]]
    if not {"ACTIVE", "ENABLING"} & set(states):
        raise DeployError(
            f"The table {table} has no active Kinesis streaming destination ({states}).",
            todo="Enable it: aws dynamodb enable-kinesis-streaming-destination.",
        )
