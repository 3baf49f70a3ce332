"""QuickSight by CloudFormation: the real template through a change set, checked as the API would check it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from nearcast.deploy.change_sets import execute, make
from nearcast.deploy.connection import Connection
from nearcast.deploy.parameters import values
from nearcast.deploy.stacks import describe, last_event
from nearcast.deploy.templates import Template, load, parse, template_text
from nearcast.deploy.waiting import finish
from nearcast.local.gateway.not_run import CHECKED, PROPERTIES, reason
from nearcast.settings import Settings
from tests.infrastructure.templates import all_exports
from tests.local.gateway.analytics_template import definition_hash
from tests.local.gateway.conftest import REGION, Gateway

ENVIRONMENT, ACCOUNT = "quick", "000000000000"
PRINCIPAL = f"arn:aws:quicksight:{REGION}:{ACCOUNT}:user/default/author"
STACK = f"nearcast-{ENVIRONMENT}-analytics"
MADE = {
    "DataSource": ("datasource", "nearcast-quick-lake"),
    "PricesDataSet": ("dataset", "nearcast-quick-price-history"),
    "MonthsDataSet": ("dataset", "nearcast-quick-monthly-candles"),
    "ForecastsDataSet": ("dataset", "nearcast-quick-forecast-outcomes"),
    "Template": ("template", f"nearcast-quick-{definition_hash()}"),
    "Analysis": ("analysis", "nearcast-quick"),
    "Dashboard": ("dashboard", "nearcast-quick"),
}
"""The kind and the name of each QuickSight resource, by its logical id."""


@pytest.fixture(scope="module")
def connection(gateway: Gateway) -> Connection:
    """The gateway's account, with a stack that exports what the stacks below analytics do."""
    settings = Settings(
        aws_endpoint_url=gateway.endpoint, aws_access_key_id=ACCOUNT, aws_secret_access_key=SecretStr("local")
    )
    connection = Connection(settings, ACCOUNT, print)
    exports = all_exports(ENVIRONMENT, ACCOUNT)
    outputs = {
        f"Value{place}": {"Value": template.value(value), "Export": {"Name": name}}
        for place, name in enumerate(load("analytics", ENVIRONMENT, ACCOUNT, REGION).imports)
        for template, value in [exports[name]]
    }
    below = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    assert created(connection, "below-analytics", json.dumps(below)) == "CREATE_COMPLETE"
    return connection


@pytest.fixture(scope="module")
def deployed(connection: Connection) -> Iterator[Connection]:
    """The account, with the analytics stack deployed by a change set."""
    change(connection, with_arns())
    yield connection
    stack = describe(connection.cloudformation, STACK)
    assert stack is not None
    since = last_event(connection.cloudformation, stack["StackId"])
    connection.cloudformation.delete_stack(StackName=STACK)
    assert finish(connection, stack["StackId"], since, len(MADE)) == "DELETE_COMPLETE"


def with_arns() -> str:
    """Return the template with an output for what GetAtt gives of each QuickSight resource."""
    outputs = "".join(f"  {name}Arn: {{ Value: !GetAtt {name}.Arn }}\n" for name in MADE)
    return template_text("analytics") + outputs


def created(connection: Connection, name: str, body: str, **parameters: str) -> str:
    """Create a stack without a change set; return its status in the end."""
    made = connection.cloudformation.create_stack(
        StackName=name,
        TemplateBody=body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    return finish(connection, made["StackId"], None, 0)


def change(connection: Connection, body: str, **parameters: str) -> dict[str, str]:
    """Deploy the stack by a change set; return what it said it would do, by logical id."""
    document = parse(body)
    template = Template("analytics", body, document["Parameters"], document["Resources"], frozenset())
    stack = describe(connection.cloudformation, STACK)
    given = {"Environment": ENVIRONMENT, "QuickSightPrincipalArn": PRINCIPAL, **parameters}
    made = make(connection, STACK, template, values(template, given, stack), stack, None)
    assert made is not None
    execute(connection, made)
    return {one.resource: one.action for one in made.changes}


def described(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return the stack's resources by logical id."""
    found = connection.cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {one["LogicalResourceId"]: one for one in found}


def test_every_quicksight_resource_is_made_under_its_name_and_said_to_be_checked_only(
    deployed: Connection,
) -> None:
    resources = described(deployed)
    assert set(resources) == {*MADE, "QueryRole"}
    assert {name: one["PhysicalResourceId"] for name, one in resources.items() if name in MADE} == {
        name: f"{ACCOUNT}|{named}" for name, (_, named) in MADE.items()
    }
    assert {name for name, one in resources.items() if one.get("ResourceStatusReason") == CHECKED} == set(
        MADE
    )
    events = deployed.cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    assert {
        one["LogicalResourceId"]
        for one in events
        if one["ResourceStatus"] == "CREATE_COMPLETE" and one.get("ResourceStatusReason") == CHECKED
    } == set(MADE)


def test_their_arns_are_quicksights(deployed: Connection) -> None:
    outputs = deployed.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    values = {one["OutputKey"]: one["OutputValue"] for one in outputs}
    assert values.pop("QuicksightDashboard").endswith("/dashboards/nearcast-quick")
    assert values == {
        f"{name}Arn": f"arn:aws:quicksight:us-east-1:{ACCOUNT}:{kind}/{named}"
        for name, (kind, named) in MADE.items()
    }


def test_another_symbol_changes_analysis_and_dashboard_in_place(deployed: Connection) -> None:
    before = described(deployed)
    changes = change(deployed, with_arns(), Symbol="META")
    assert changes == {"Analysis": "Modify", "Dashboard": "Modify"}
    after = described(deployed)
    assert {name: one["PhysicalResourceId"] for name, one in after.items()} == {
        name: one["PhysicalResourceId"] for name, one in before.items()
    }
    assert after["Dashboard"]["ResourceStatusReason"] == CHECKED


def test_a_template_of_another_name_takes_the_old_ones_place(deployed: Connection) -> None:
    renamed = with_arns().replace(definition_hash(), "another")
    assert {"Template", "Analysis", "Dashboard"} <= set(change(deployed, renamed))
    assert described(deployed)["Template"]["PhysicalResourceId"] == f"{ACCOUNT}|nearcast-quick-another"


WRONG: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "an unknown property": ("DataSource", lambda it: it.update(Colour="red"), "Colour"),
    "an unknown member": (
        "PricesDataSet",
        lambda it: it["PhysicalTableMap"]["price-history"]["CustomSql"].update(Query="SELECT 1"),
        "Query",
    ),
    "a missing member": (
        "PricesDataSet",
        lambda it: it["PhysicalTableMap"]["price-history"]["CustomSql"].pop("SqlQuery"),
        "SqlQuery",
    ),
    "a value that there is not": ("MonthsDataSet", lambda it: it.update(ImportMode="CACHED"), "CACHED"),
    "a value that there is not, deep inside": (
        "Template",
        lambda it: it["Definition"]["Sheets"][0]["Visuals"][1]["LineChartVisual"][
            "ChartConfiguration"
        ].update(Type="CURVE"),
        "CURVE",
    ),
    "a name with a blank": ("Dashboard", lambda it: it.update(DashboardId="two words"), "two words"),
    "a name that is too long": ("Analysis", lambda it: it.update(AnalysisId="a" * 513), "513"),
    "a list for a text": ("DataSource", lambda it: it.update(Name=["lake"]), "Name"),
    "a table with a blank in its name": (
        "MonthsDataSet",
        lambda it: it["PhysicalTableMap"].update({"a b": it["PhysicalTableMap"].pop("monthly-candles")}),
        "a b",
    ),
    "too long a principal": (
        "Analysis",
        lambda it: it["Permissions"][0].update(Principal="arn:" + "a" * 300),
        "304",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_api_would_refuse_fails_its_resource_with_the_reason(
    connection: Connection, name: str
) -> None:
    logical_id, spoil, said = WRONG[name]
    body = parse(template_text("analytics"))
    spoil(body["Resources"][logical_id]["Properties"])
    stack = f"wrong-{list(WRONG).index(name)}"
    given = {"Environment": ENVIRONMENT, "QuickSightPrincipalArn": PRINCIPAL}
    assert created(connection, stack, json.dumps(body), **given) == "ROLLBACK_COMPLETE"
    failed = [
        (one["LogicalResourceId"], one["ResourceStatusReason"])
        for one in connection.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        if one["ResourceStatus"] == "CREATE_FAILED" and one["LogicalResourceId"] != stack
    ]
    assert [one for one, _ in failed] == [logical_id] and said in failed[0][1]
    connection.cloudformation.delete_stack(StackName=stack)


DROPPED = """
Resources:
  Key: { Type: AWS::KMS::Key, Properties: { KeyPolicy: { Version: "2012-10-17", Statement: [] } } }
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: not-run
      LifecycleConfiguration: { Rules: [{ Id: a, Status: Enabled, ExpirationInDays: 7 }] }
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: !GetAtt Key.Arn }
      LoggingConfiguration: { DestinationBucketName: not-run, LogFilePrefix: logs/ }
      Tags: [{ Key: a, Value: b }]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: not-run
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: k, AttributeType: S }]
      KeySchema: [{ AttributeName: k, KeyType: HASH }]
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
      SSESpecification: { SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt Key.Arn }
      ContributorInsightsSpecification: { Enabled: true }
      TimeToLiveSpecification: { Enabled: true, AttributeName: t }
      OnDemandThroughput: { MaxReadRequestUnits: 10, MaxWriteRequestUnits: 10 }
  Stream:
    Type: AWS::Kinesis::Stream
    Properties: { Name: not-run, ShardCount: 1, StreamEncryption: { EncryptionType: KMS, KeyId: !Ref Key } }
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: runs } }
"""


def test_what_is_dropped_is_said_and_said_only_of_what_is_dropped(
    gateway: Gateway, connection: Connection
) -> None:
    """The resources are asked: what a newer ministack keeps has to leave the table."""
    client = connection.cloudformation
    assert created(connection, "not-run", DROPPED) == "CREATE_COMPLETE"
    found = client.describe_stack_resources(StackName="not-run")["StackResources"]
    said = {one["ResourceType"]: one.get("ResourceStatusReason", "") for one in found}
    for kind, names in PROPERTIES.items():
        assert said[kind] == f"{', '.join(names)}: accepted, not run"
    assert said["AWS::SQS::Queue"] == said["AWS::KMS::Key"] == ""
    s3, dynamodb = gateway.client("s3"), gateway.client("dynamodb")
    for asked, missing in (
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_tagging", "NoSuchTagSet"),
    ):
        with pytest.raises(s3.exceptions.ClientError, match=missing):
            getattr(s3, asked)(Bucket="not-run")
    [rule] = s3.get_bucket_encryption(Bucket="not-run")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket="not-run")
    table = dynamodb.describe_table(TableName="not-run")["Table"]
    assert not {"SSEDescription", "OnDemandThroughput"} & set(table)
    backups = dynamodb.describe_continuous_backups(TableName="not-run")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    insights = dynamodb.describe_contributor_insights(TableName="not-run")
    assert insights["ContributorInsightsStatus"] == "DISABLED"
    expiry = dynamodb.describe_time_to_live(TableName="not-run")["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "DISABLED"
    stream = gateway.client("kinesis").describe_stream_summary(StreamName="not-run")
    assert stream["StreamDescriptionSummary"]["EncryptionType"] == "NONE"
    client.delete_stack(StackName="not-run")


def test_a_property_that_is_not_given_is_not_said_to_be_dropped() -> None:
    assert reason("AWS::S3::Bucket", {"BucketName": "b"}) == ""
    assert reason("AWS::S3::Bucket", {"Tags": [1]}) == "Tags: accepted, not run"
