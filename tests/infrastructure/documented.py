"""What AWS (and Hadoop, for S3A) documents of rights and the source cannot say: tables, each entry with its page."""

from __future__ import annotations

from dataclasses import dataclass

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
