"""From the calls of a part to the IAM actions that it needs, and from a template's policy to those that it has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.infrastructure.parts import SERVICE_PARTS, Part, operations
from tests.infrastructure.templates import Statement, Template

ACTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("lambda", "Invoke"): ("lambda:InvokeFunction",),
    ("s3", "ListObjectsV2"): ("s3:ListBucket",),
    ("s3", "HeadBucket"): ("s3:ListBucket",),
    ("s3", "HeadObject"): ("s3:GetObject",),
    ("s3", "ListBuckets"): ("s3:ListAllMyBuckets",),
    ("s3", "ListObjectVersions"): ("s3:ListBucketVersions",),
    ("s3", "DeleteObjects"): ("s3:DeleteObject",),
    ("s3", "CreateMultipartUpload"): ("s3:PutObject",),
    ("s3", "UploadPart"): ("s3:PutObject",),
    ("s3", "CompleteMultipartUpload"): ("s3:PutObject",),
    ("s3", "GetBucketLifecycleConfiguration"): ("s3:GetLifecycleConfiguration",),
    ("sqs", "SendMessageBatch"): ("sqs:SendMessage",),
    ("sqs", "DeleteMessageBatch"): ("sqs:DeleteMessage",),
    ("sqs", "ChangeMessageVisibilityBatch"): ("sqs:ChangeMessageVisibility",),
    ("sts", "GetCallerIdentity"): (),
}
"""Operations whose action has another name, or that need none; all others need the action of their own name.

Sources: docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html (S3),
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html (batches),
docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html ("No permissions are required").
"""


@dataclass(frozen=True)
class Needed:
    """Actions that are needed beside those of the calls, why, and where AWS (or the library) says so."""

    actions: tuple[str, ...]
    why: str
    source: str
    via: str = ""
    """The service by which alone an action on the key may be taken."""


DEPENDENT: dict[tuple[str, str], tuple[Needed, ...]] = {
    ("athena", "StartQueryExecution"): (
        Needed(
            ("glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"),
            "Athena reads the catalog with the caller's rights",
            "docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html",
        ),
        Needed(
            ("s3:GetObject", "s3:ListBucket"),
            "Athena reads the tables' objects with the caller's rights",
            "docs.aws.amazon.com/athena/latest/ug/s3-permissions.html",
        ),
        Needed(
            (
                "s3:AbortMultipartUpload",
                "s3:GetBucketLocation",
                "s3:ListBucketMultipartUploads",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ),
            "Athena writes the results with the caller's rights",
            "docs.aws.amazon.com/athena/latest/ug/managed-policies.html",
        ),
    ),
    ("athena", "GetQueryResults"): (
        Needed(
            ("s3:GetObject",),
            "results are read with the caller's rights",
            "docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html",
        ),
    ),
    ("s3", "GetObject"): (
        Needed(
            ("s3:ListBucket",),
            "without it an object that is not there is 403, and the code waits for NoSuchKey",
            "docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
        ),
    ),
}
"""What AWS needs beside the action of an operation itself.

Nothing more is listed for StartJobRun and StartCrawler: job and crawler have roles of their own, which whoever made
them has passed to Glue (iam:PassRole).
"""

PART_NEEDS: dict[str, tuple[Needed, ...]] = {
    "LakeOperator": (
        Needed(
            ("glue:BatchCreatePartition",),
            "MSCK REPAIR TABLE, which the DAG refresh_lake has Athena run",
            "docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html",
        ),
    ),
    "TransformerRole": (
        Needed(
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            "Lambda writes the function's log; its group is the template's",
            "docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaBasicExecutionRole.html",
        ),
    ),
    "HudiJobRole": (
        Needed(
            ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
            "Glue writes the run's log",
            "docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSGlueServiceRole.html",
        ),
        Needed(
            ("s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
            "Glue fetches the script; Spark and Hudi read, write and clean the table's files",
            "hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/assumed_roles.html",
        ),
        Needed(
            ("s3:AbortMultipartUpload",),
            "a large file of the table is written in parts, and a write that fails drops its parts",
            "hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/assumed_roles.html",
        ),
    ),
    "CrawlerRole": (
        Needed(
            ("s3:GetObject", "s3:ListBucket"),
            "the crawler lists and reads the raw objects",
            "docs.aws.amazon.com/glue/latest/dg/crawler-prereqs.html",
        ),
        Needed(
            (
                "glue:BatchCreatePartition",
                "glue:BatchGetPartition",
                "glue:BatchUpdatePartition",
                "glue:CreateTable",
                "glue:GetClassifier",
                "glue:GetDatabase",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:GetTable",
                "glue:GetTables",
                "glue:UpdatePartition",
                "glue:UpdateTable",
            ),
            "a scoped down AWSGlueServiceRole (glue:*): its classifier, and the database's tables, none deleted",
            "docs.aws.amazon.com/glue/latest/dg/crawler-prereqs.html",
        ),
        Needed(
            ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
            "the crawler writes its log",
            "docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSGlueServiceRole.html",
        ),
    ),
    "QueryRole": (
        Needed(
            (
                "athena:BatchGetQueryExecution",
                "athena:GetDataCatalog",
                "athena:GetDatabase",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetQueryResultsStream",
                "athena:GetTableMetadata",
                "athena:GetWorkGroup",
                "athena:ListDatabases",
                "athena:ListTableMetadata",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "glue:BatchGetPartition",
                "glue:GetDatabase",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:GetTable",
                "glue:GetTables",
                "s3:AbortMultipartUpload",
                "s3:GetBucketLocation",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ),
            "a scoped down AWSQuicksightAthenaAccess: QuickSight reads the lake's tables by Athena",
            "docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSQuicksightAthenaAccess.html",
        ),
    ),
    "DeliveryRole": (
        Needed(
            (
                "s3:AbortMultipartUpload",
                "s3:GetBucketLocation",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:PutObject",
            ),
            "Firehose writes the objects",
            "docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
        ),
        Needed(
            (
                "kinesis:DescribeStream",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ),
            "Firehose reads the stream",
            "docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
        ),
        Needed(
            ("lambda:GetFunctionConfiguration", "lambda:InvokeFunction"),
            "Firehose has the Lambda transform the records",
            "docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
        ),
        Needed(
            ("logs:PutLogEvents",),
            "Firehose logs errors; group and stream are the template's",
            "docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3",
        ),
    ),
}
"""What a part, or a service that works with a role of ours, needs beside its calls."""

KMS: dict[str, tuple[tuple[str, ...], str]] = {
    "dynamodb:BatchWriteItem": (("kms:Decrypt",), "dynamodb"),
    "dynamodb:DeleteItem": (("kms:Decrypt",), "dynamodb"),
    "dynamodb:GetItem": (("kms:Decrypt",), "dynamodb"),
    "dynamodb:PutItem": (("kms:Decrypt",), "dynamodb"),
    "dynamodb:Query": (("kms:Decrypt",), "dynamodb"),
    "kinesis:GetRecords": (("kms:Decrypt",), "kinesis"),
    "kinesis:PutRecords": (("kms:GenerateDataKey",), "kinesis"),
    "s3:AbortMultipartUpload": (("kms:Decrypt", "kms:GenerateDataKey"), "s3"),
    "s3:GetObject": (("kms:Decrypt",), "s3"),
    "s3:PutObject": (("kms:GenerateDataKey",), "s3"),
    "sqs:ReceiveMessage": (("kms:Decrypt",), "sqs"),
    "sqs:SendMessage": (("kms:Decrypt", "kms:GenerateDataKey"), "sqs"),
}
"""Actions on what the key encrypts, with those on the key that the service takes in the caller's name, and itself.

Who may abort a multipart upload makes one, and its parts are put together with Decrypt. Sources:
docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html ("The user is the principal in
your AWS account who is accessing the table"),
docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html,
docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html and
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html.
"""

Right = tuple[str, str]
"""An action, and for one on the key the service by which alone it may be taken (else empty)."""


def actions_of(service: str, operation: str) -> tuple[str, ...]:
    """Return the IAM actions that an operation needs."""
    return ACTIONS.get((service, operation), (f"{service}:{operation}",))


def needed(name: str, part: Part, template: Template | None = None) -> dict[Right, list[str]]:
    """Return the rights that a part needs, each with its reasons: places of calls, or what AWS documents."""
    reasons: defaultdict[Right, list[str]] = defaultdict(list)
    for (service, operation), places in operations(part).items():
        for action in actions_of(service, operation):
            reasons[action, ""] += places
        for one in DEPENDENT.get((service, operation), ()):
            for action in one.actions:
                reasons[action, ""].append(f"{service} {operation}: {one.why} ({one.source})")
    for one in (*PART_NEEDS.get(name, ()), *(_configured(name, template) if template else ())):
        for action in one.actions:
            reasons[action, one.via].append(f"{one.why} ({one.source})")
    for action, _ in list(reasons):
        keys, service = KMS.get(action, ((), ""))
        for key in keys:
            reasons[key, service].append(f"{action} on what the key encrypts")
    return dict(reasons)


def service_role(name: str) -> Part | None:
    """Return the part of a role in a template; None for a role that nothing is known of."""
    if name in PART_NEEDS or name in SERVICE_PARTS or name == "ScheduleRole":
        return SERVICE_PARTS.get(name, Part(()))
    return None


def _configured(role: str, template: Template) -> Iterable[Needed]:
    """Yield what a role needs because of how the template has set up what works with it."""
    users = [one for one in template.resources.values() if _role_of(one) == role]
    for resource in users:
        properties = resource["Properties"]
        if {"SecurityConfiguration", "CrawlerSecurityConfiguration"} & properties.keys():
            yield Needed(
                ("glue:GetSecurityConfiguration", "logs:AssociateKmsKey"),
                "its security configuration encrypts the log",
                "docs.aws.amazon.com/glue/latest/dg/set-up-encryption.html",
            )
        if "--enable-metrics" in properties.get("DefaultArguments", {}):
            yield Needed(
                ("cloudwatch:PutMetricData",),
                "--enable-metrics",
                "docs.aws.amazon.com/glue/latest/dg/monitoring-awsglue-with-cloudwatch-metrics.html",
            )
        if resource["Type"] == "AWS::Scheduler::Schedule":
            yield from _scheduled(template, properties)


def _role_of(resource: dict[str, Any]) -> str | None:
    properties = resource.get("Properties", {})
    for holder in (properties, properties.get("Target", {})):
        for key in ("Role", "RoleArn"):
            if isinstance(given := holder.get(key) if isinstance(holder, dict) else None, dict):
                name = given.get("Fn::GetAtt")
                return str(name[0] if isinstance(name, list) else str(name).partition(".")[0])
    return None


def _scheduled(template: Template, schedule: dict[str, Any]) -> Iterable[Needed]:
    """Yield what EventBridge Scheduler needs: the action that its target's ARN names (``…:glue:startJobRun``)."""
    target = schedule["Target"]
    service, method = str(template.value(target["Arn"])).split(":")[-2:]
    guide = "docs.aws.amazon.com/scheduler/latest/UserGuide"
    operation = method[0].upper() + method[1:]
    yield Needed(
        actions_of(service, operation), "the schedule's target", f"{guide}/managing-targets-universal.html"
    )
    if "DeadLetterConfig" in target:
        why = "starts that failed go to the schedule's dead-letter queue"
        yield Needed(("sqs:SendMessage",), why, f"{guide}/configuring-schedule-dlq.html")
    if "KmsKeyArn" in schedule:
        why = "the schedule is encrypted"
        yield Needed(("kms:Decrypt",), why, f"{guide}/encryption-rest.html", via="scheduler")


def given(statements: Iterable[Statement]) -> dict[Right, list[str]]:
    """Return the rights that statements give, each with their places."""
    rights: defaultdict[Right, list[str]] = defaultdict(list)
    for statement in statements:
        if statement.effect != "Allow":
            continue
        for action in statement.actions:
            if not action.startswith("kms:"):
                rights[action, ""].append(statement.place)
                continue
            via = statement.condition.get("StringEquals", {}).get("kms:ViaService", ["any service"])
            for service in [via] if isinstance(via, str) else via:
                rights[action, service.partition(".")[0]].append(statement.place)
    return dict(rights)


def compare(name: str, wanted: dict[Right, list[str]], had: dict[Right, list[str]]) -> list[str]:
    """Return a line for each right that is missing or unused."""

    def spelt(right: Right) -> str:
        return right[0] + (f" via {right[1]}" if right[1] else "")

    missing = [
        f"{name} lacks {spelt(right)}, needed by {'; '.join(dict.fromkeys(wanted[right]))}"
        for right in sorted(wanted.keys() - had.keys())
    ]
    unused = [
        f"{name} has {spelt(right)} in {', '.join(had[right])}, and nothing needs it"
        for right in sorted(had.keys() - wanted.keys())
    ]
    return missing + unused


@cache
def reference() -> dict[str, Any]:
    """Return AWS's service authorization reference, as cfn-lint ships it: actions and resource types by service."""
    import cfnlint

    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    return dict(json.loads(path.read_text()))


def known_action(action: str) -> dict[str, Any] | None:
    """Return what AWS's reference has of an action, None when there is no such action."""
    service, _, name = action.partition(":")
    found = reference().get(service, {}).get("Actions", {}).get(name.lower())
    return None if found is None else dict(found)


def arn_patterns(action: str) -> list[str]:
    """Return the patterns of the ARNs that an action can be granted on; none when it takes ``*`` alone."""
    service = action.partition(":")[0]
    types = reference()[service]["Resources"]
    names = (known_action(action) or {}).get("Resources", [])
    return [pattern for name in names for pattern in types.get(name, {}).get("ARNFormats", [])]
