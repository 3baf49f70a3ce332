"""Resource types and properties that our templates use and ministack's CloudFormation does not know."""

from __future__ import annotations

import json
from typing import Any

from nearcast.local.gateway.hooks import AwsError


def install() -> None:
    """Add what ministack does not know: two types of Glue's, QuickSight's, and a table's Kinesis destination."""
    from ministack.services.cloudformation import provisioners

    from nearcast.local.gateway import not_run, quicksight

    handlers = provisioners._RESOURCE_HANDLERS
    handlers.update(quicksight.handlers())
    not_run.install()

    handlers["AWS::Glue::Classifier"] = {
        "create": _create_classifier,
        "update": _update_classifier,
        "update_with_logical_id": True,
        "delete": _delete_classifier,
    }
    handlers["AWS::Glue::SecurityConfiguration"] = {
        "create": _create_security_configuration,
        "delete": lambda physical_id, _: _glue_call("_delete_security_configuration", {"Name": physical_id}),
    }
    table = handlers["AWS::DynamoDB::Table"]
    handlers["AWS::DynamoDB::Table"] = {
        **table,
        "create": _with_kinesis_destination(table["create"], name_argument=None),
        "update": _with_kinesis_destination(table["update"], name_argument=2),
    }


def _with_kinesis_destination(provision: Any, name_argument: int | None) -> Any:
    """Wrap a provisioner so that KinesisStreamSpecification becomes a streaming destination."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        answer = provision(*arguments, **named)
        # create(logical_id, properties, stack), update(physical_id, old, new, stack)
        properties = arguments[1 if name_argument is None else name_argument]
        stream_arn = (properties.get("KinesisStreamSpecification") or {}).get("StreamArn")
        if stream_arn:
            _enable_destination(answer[0], stream_arn)
        return answer

    return wrapped


def _enable_destination(table: str, stream_arn: str) -> None:
    from ministack.services import dynamodb

    status, _, body = dynamodb._enable_kinesis_streaming_destination(
        {"TableName": table, "StreamArn": stream_arn}
    )
    if status >= 300 and b"already has an active" not in body:
        raise ValueError(f"AWS::DynamoDB::Table KinesisStreamSpecification rejected: {body!r}")


def _glue_call(action: str, document: dict[str, Any]) -> None:
    from ministack.services import glue

    status, _, body = getattr(glue, action)(document)
    if status >= 300:
        raise AwsError("InvalidRequest", f"Glue: {json.loads(body).get('message')}")


def _create_security_configuration(
    logical_id: str, properties: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    request = {**properties, "EncryptionConfiguration": dict(properties["EncryptionConfiguration"])}
    # The one property that has another name here than in the API.
    request["EncryptionConfiguration"]["S3Encryption"] = request["EncryptionConfiguration"].pop(
        "S3Encryptions"
    )
    _glue_call("_create_security_configuration", request)
    return request["Name"], {}


def _create_classifier(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    kinds = ("JsonClassifier", "CsvClassifier", "GrokClassifier", "XMLClassifier")
    request = {kind: dict(properties[kind]) for kind in kinds if kind in properties}
    for classifier in request.values():
        classifier.setdefault("Name", f"{stack}-{logical_id}")
        # The one property that has another name here than in the API.
        if "ContainsCustomDatatype" in classifier:
            classifier["CustomDatatypes"] = classifier.pop("ContainsCustomDatatype")
    _glue_call("_create_classifier", request)
    return next(iter(request.values()))["Name"], {}


def _update_classifier(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
) -> tuple[str, dict[str, Any]]:
    _delete_classifier(physical_id, old)
    return _create_classifier(logical_id or physical_id, new, stack)


def _delete_classifier(physical_id: str, properties: dict[str, Any]) -> None:
    _glue_call("_delete_classifier", {"Name": physical_id})
