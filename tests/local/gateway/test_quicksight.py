"""QuickSight by CloudFormation: the real template through a change set, checked as the API would check it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import loads

from nearcast.local.gateway.not_run import CHECKED, PROPERTIES, reason
from tests.local.gateway.analytics_template import ENVIRONMENT, IMPORTS, PRINCIPAL, TEMPLATE, definition_hash
from tests.local.gateway.conftest import Gateway

ACCOUNT = "000000000000"
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
def cloudformation(gateway: Gateway) -> Any:
    """A client of CloudFormation, with a stack that exports what the stacks below analytics do."""
    client = gateway.client("cloudformation")
    outputs = {
        f"Value{place}": {"Value": value, "Export": {"Name": f"nearcast-{ENVIRONMENT}-{name}"}}
        for place, (name, value) in enumerate(IMPORTS.items())
    }
    below = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    client.create_stack(StackName="below-analytics", TemplateBody=json.dumps(below))
    assert ended(client, "below-analytics") == "CREATE_COMPLETE"
    return client


@pytest.fixture(scope="module")
def deployed(cloudformation: Any) -> Iterator[Any]:
    """The client, with the analytics stack deployed by a change set."""
    change(cloudformation, with_arns(), "CREATE")
    assert ended(cloudformation, STACK) == "CREATE_COMPLETE"
    yield cloudformation
    cloudformation.delete_stack(StackName=STACK)
    assert ended(cloudformation, STACK) == "DELETE_COMPLETE"


def with_arns() -> str:
    """Return the template with an output for what GetAtt gives of each QuickSight resource."""
    outputs = "".join(f"  {name}Arn: {{ Value: !GetAtt {name}.Arn }}\n" for name in MADE)
    return TEMPLATE.read_text() + outputs


def ended(client: Any, stack: str) -> str:
    """Wait for the end of what is done to a stack; return its status."""
    while True:
        newest = next(one for one in client.list_stacks()["StackSummaries"] if one["StackName"] == stack)
        if not newest["StackStatus"].endswith("_IN_PROGRESS"):
            return str(newest["StackStatus"])
        time.sleep(0.05)


def change(client: Any, body: str, kind: str, **parameters: str) -> dict[str, str]:
    """Make a change set and execute it; return what it said it would do, by logical id."""
    given = {"Environment": ENVIRONMENT, "QuickSightPrincipalArn": PRINCIPAL, **parameters}
    made = client.create_change_set(
        StackName=STACK,
        ChangeSetName=f"change-{time.monotonic_ns()}",
        ChangeSetType=kind,
        TemplateBody=body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )["Id"]
    client.get_waiter("change_set_create_complete").wait(ChangeSetName=made, WaiterConfig={"Delay": 1})
    changes = client.describe_change_set(ChangeSetName=made)["Changes"]
    client.execute_change_set(ChangeSetName=made)
    time.sleep(0.2)
    return {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Action"] for one in changes}


def described(client: Any) -> dict[str, dict[str, Any]]:
    """Return the stack's resources by logical id."""
    found = client.describe_stack_resources(StackName=STACK)["StackResources"]
    return {one["LogicalResourceId"]: one for one in found}


def test_every_quicksight_resource_is_made_under_its_name_and_said_to_be_checked_only(deployed: Any) -> None:
    resources = described(deployed)
    assert set(resources) == {*MADE, "QueryRole"}
    assert {name: one["PhysicalResourceId"] for name, one in resources.items() if name in MADE} == {
        name: f"{ACCOUNT}|{named}" for name, (_, named) in MADE.items()
    }
    assert {name for name, one in resources.items() if one.get("ResourceStatusReason") == CHECKED} == set(
        MADE
    )
    events = deployed.describe_stack_events(StackName=STACK)["StackEvents"]
    assert {
        one["LogicalResourceId"]
        for one in events
        if one["ResourceStatus"] == "CREATE_COMPLETE" and one.get("ResourceStatusReason") == CHECKED
    } == set(MADE)


def test_their_arns_are_quicksights(deployed: Any) -> None:
    outputs = deployed.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    values = {one["OutputKey"]: one["OutputValue"] for one in outputs}
    assert values.pop("QuicksightDashboard").endswith("/dashboards/nearcast-quick")
    assert values == {
        f"{name}Arn": f"arn:aws:quicksight:us-east-1:{ACCOUNT}:{kind}/{named}"
        for name, (kind, named) in MADE.items()
    }


def test_another_symbol_changes_analysis_and_dashboard_in_place(deployed: Any) -> None:
    before = described(deployed)
    changes = change(deployed, with_arns(), "UPDATE", Symbol="META")
    assert changes == {"Analysis": "Modify", "Dashboard": "Modify"}
    assert ended(deployed, STACK) == "UPDATE_COMPLETE"
    after = described(deployed)
    assert {name: one["PhysicalResourceId"] for name, one in after.items()} == {
        name: one["PhysicalResourceId"] for name, one in before.items()
    }
    assert after["Dashboard"]["ResourceStatusReason"] == CHECKED


def test_a_template_of_another_name_takes_the_old_ones_place(deployed: Any) -> None:
    renamed = with_arns().replace(definition_hash(), "another")
    assert {"Template", "Analysis", "Dashboard"} <= set(change(deployed, renamed, "UPDATE"))
    assert ended(deployed, STACK) == "UPDATE_COMPLETE"
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
def test_what_the_api_would_refuse_fails_its_resource_with_the_reason(cloudformation: Any, name: str) -> None:
    logical_id, spoil, said = WRONG[name]
    body = json.loads(json.dumps(loads(TEMPLATE.read_text())))
    spoil(body["Resources"][logical_id]["Properties"])
    stack = f"wrong-{list(WRONG).index(name)}"
    parameters = {"Environment": ENVIRONMENT, "QuickSightPrincipalArn": PRINCIPAL}
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert ended(cloudformation, stack) == "ROLLBACK_COMPLETE"
    failed = [
        (one["LogicalResourceId"], one["ResourceStatusReason"])
        for one in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        if one["ResourceStatus"] == "CREATE_FAILED" and one["LogicalResourceId"] != stack
    ]
    assert [one for one, _ in failed] == [logical_id] and said in failed[0][1]
    cloudformation.delete_stack(StackName=stack)


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


def test_what_is_dropped_is_said_and_said_only_of_what_is_dropped(gateway: Gateway) -> None:
    """The resources are asked: what a newer ministack keeps has to leave the table."""
    client = gateway.client("cloudformation")
    client.create_stack(StackName="not-run", TemplateBody=DROPPED)
    assert ended(client, "not-run") == "CREATE_COMPLETE"
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
