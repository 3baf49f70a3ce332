"""What a delivery stream may be deployed to do; anything that is not done here is refused, never ignored.

Limits: docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html and the pages
beside it; docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nearcast.local.gateway.firehose_settings import EXPRESSION, is_true, parameters
from nearcast.local.gateway.hooks import AwsError

Config = Mapping[str, Any]
LAMBDA_PARAMETERS = {
    "LambdaArn": None,
    "RoleArn": None,
    "NumberOfRetries": (0, 300),
    "BufferSizeInMBs": (0.2, 3),
    "BufferIntervalInSeconds": (0, 900),
}
TIME_LETTERS = "yMdHmsD"


class InvalidArgumentError(AwsError):
    """A delivery stream was asked for that Firehose refuses, or that is not delivered here."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidArgumentException", message)


def check_source(request: Config) -> None:
    """Check CreateDeliveryStream's request when its source is a Kinesis stream. Raises InvalidArgumentError."""
    if request.get("DeliveryStreamType") != "KinesisStreamAsSource":
        return
    destinations = [name for name in request if name.endswith("DestinationConfiguration")]
    if not destinations:
        raise InvalidArgumentError("A destination is required.")
    for name in destinations:
        if name not in ("ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"):
            raise InvalidArgumentError(f"{name} is not supported here: only Amazon S3 is delivered to.")
        check_destination(request[name])


def check_destination(config: Config) -> None:
    """Check the configuration of an S3 destination. Raises InvalidArgumentError."""
    _check_unsupported(config)
    partitioning = _partitioned(config)
    _check_hints(config.get("BufferingHints") or {}, partitioning)
    processing = config.get("ProcessingConfiguration") or {}
    processors = processing.get("Processors") or [] if is_true(processing.get("Enabled")) else []
    _check_processors(processors)
    with_lambda = any(processor["Type"] == "Lambda" for processor in processors)
    _check_prefixes(
        config.get("Prefix") or "", config.get("ErrorOutputPrefix") or "", partitioning, with_lambda
    )


def _check_unsupported(config: Config) -> None:
    plain = {"CompressionFormat": "UNCOMPRESSED", "S3BackupMode": "Disabled", "CustomTimeZone": "UTC"}
    for name, only in plain.items():
        if config.get(name, only) != only:
            raise InvalidArgumentError(f"{name} {config[name]} is not supported here: only {only}.")
    if config.get("FileExtension"):
        raise InvalidArgumentError("FileExtension is not supported here.")
    if (config.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig"):
        raise InvalidArgumentError("EncryptionConfiguration with KMS is not supported here.")
    if is_true((config.get("DataFormatConversionConfiguration") or {}).get("Enabled")):
        raise InvalidArgumentError("DataFormatConversionConfiguration is not supported here.")


def _check_hints(hints: Config, partitioning: bool) -> None:
    size = _in_range("BufferingHints.SizeInMBs", hints.get("SizeInMBs", 5), 1, 128)
    seconds = _in_range("BufferingHints.IntervalInSeconds", hints.get("IntervalInSeconds", 300), 0, 900)
    if partitioning and size < 64:
        raise InvalidArgumentError(
            "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."
        )
    if partitioning and seconds == 0:
        raise InvalidArgumentError("Zero buffering is not available when Dynamic Partitioning is enabled.")


def _in_range(name: str, value: Any, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{name} must be a number, not {value!r}.") from None
    if not low <= number <= high:
        raise InvalidArgumentError(f"{name} must be between {low} and {high}, not {value}.")
    return number


def _check_processors(processors: Sequence[Config]) -> None:
    types = [processor.get("Type") for processor in processors]
    for name in set(types):
        if name not in ("Lambda", "AppendDelimiterToRecord"):
            raise InvalidArgumentError(f"The processor {name} is not supported here.")
        if types.count(name) > 1:
            raise InvalidArgumentError(f"Only one {name} processor is allowed.")
    for processor in processors:
        allowed = LAMBDA_PARAMETERS if processor["Type"] == "Lambda" else {"Delimiter": None}
        given = parameters(processor)
        for name, value in given.items():
            if name not in allowed:
                raise InvalidArgumentError(f"The {processor['Type']} processor has no parameter {name}.")
            if limits := allowed[name]:
                _in_range(name, value, *limits)
        if processor["Type"] == "Lambda" and not given.get("LambdaArn"):
            raise InvalidArgumentError("The Lambda processor needs a LambdaArn.")


def _check_prefixes(prefix: str, error_prefix: str, partitioning: bool, with_lambda: bool) -> None:
    found = _expressions("Prefix", prefix, {"timestamp", "firehose", "partitionKeyFromLambda"})
    failures = _expressions("ErrorOutputPrefix", error_prefix, {"timestamp", "firehose"})
    has_keys = any(namespace == "partitionKeyFromLambda" for namespace, _ in found)
    if ("firehose", "error-output-type") in found:
        raise InvalidArgumentError("Prefix cannot contain !{firehose:error-output-type}.")
    if found and not error_prefix:
        raise InvalidArgumentError(
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions."
        )
    if failures and ("firehose", "error-output-type") not in failures:
        raise InvalidArgumentError("ErrorOutputPrefix must contain !{firehose:error-output-type}.")
    if has_keys != partitioning:
        wanted = "needs" if partitioning else "must be enabled for"
        raise InvalidArgumentError(
            f"Dynamic Partitioning {wanted} a Prefix with !{{partitionKeyFromLambda:...}}."
        )
    if has_keys and not with_lambda:
        raise InvalidArgumentError("!{partitionKeyFromLambda:...} needs a Lambda processor.")


def _expressions(name: str, template: str, namespaces: set[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = EXPRESSION.findall(template)
    if template.count("!{") != len(found):
        raise InvalidArgumentError(f"{name} has an expression that cannot be read: {template}")
    for namespace, expression in found:
        if namespace not in namespaces:
            raise InvalidArgumentError(f"!{{{namespace}:{expression}}} is not supported in {name} here.")
        if namespace == "firehose" and expression not in ("random-string", "error-output-type"):
            raise InvalidArgumentError(f"!{{firehose:{expression}}} is unknown.")
        if namespace == "timestamp" and (letters := _strange_letters(expression)):
            raise InvalidArgumentError(f"!{{timestamp:{expression}}}: {letters} is not supported here.")
        if namespace == "partitionKeyFromLambda" and not expression:
            raise InvalidArgumentError("!{partitionKeyFromLambda:} names no key.")
    return found


def _strange_letters(pattern: str) -> str:
    """Return the letters of a Java date pattern, outside quotes, that are not filled in here."""
    bare = re.sub("'[^']*'", "", pattern)
    return "".join(letter for letter in bare if letter.isalpha() and letter not in TIME_LETTERS)


def install() -> None:
    """Check every delivery stream that is created or changed, through the API or through CloudFormation."""
    from ministack.services import firehose
    from ministack.services.cloudformation import provisioners

    firehose._create_delivery_stream = _refusing(check_source, firehose._create_delivery_stream)
    firehose._update_destination = _refusing(_check_update, firehose._update_destination)
    firehose._HANDLERS["CreateDeliveryStream"] = firehose._create_delivery_stream
    firehose._HANDLERS["UpdateDestination"] = firehose._update_destination
    handlers = provisioners._RESOURCE_HANDLERS["AWS::KinesisFirehose::DeliveryStream"]
    update = handlers["update"]

    def checked_update(physical_id: str, old: Config, new: Config, stack: str) -> Any:
        # ministack changes the destination without asking its own UpdateDestination.
        check_source(new)
        return update(physical_id, old, new, stack)

    handlers["update"] = checked_update


def _refusing(check: Callable[[Config], None], action: Callable[[Config], Any]) -> Callable[[Config], Any]:
    """Return the action with a check before it; what fails the check is answered as AWS would."""
    from ministack.services import firehose

    def checked(request: Config) -> Any:
        try:
            check(request)
        except InvalidArgumentError as error:
            return firehose._invalid(str(error))
        return action(request)

    return checked


def _check_update(request: Config) -> None:
    """Check UpdateDestination's request, which is merged into what there is. Raises InvalidArgumentError."""
    from ministack.services import firehose

    stream = firehose._streams.get(request.get("DeliveryStreamName"))
    if stream is None or stream["type"] != "KinesisStreamAsSource":
        return
    kind, changes = firehose._resolve_dest_update_config(request)
    if kind is None:
        return
    if kind not in ("ExtendedS3", "S3"):
        raise InvalidArgumentError(f"{kind} is not supported here: only Amazon S3 is delivered to.")
    before = stream["destinations"][0]["config"]
    check_destination({**before, **changes})
    if _partitioned({**before, **changes}) and not _partitioned(before):
        raise InvalidArgumentError(
            "Dynamic Partitioning can only be enabled when a delivery stream is created."
        )


def _partitioned(config: Config) -> bool:
    return is_true((config.get("DynamicPartitioningConfiguration") or {}).get("Enabled"))
