"""Destruction: what goes, what stays, and that a deployment finds the data again."""

from __future__ import annotations

import json

import pytest

from nearcast.aws import client
from nearcast.deploy import ChangeSet, deploy, destroy, templates
from nearcast.deploy.deployment import LAYERS
from nearcast.deploy.destruction import HOW_TO_REMOVE, WHAT_IT_COSTS
from nearcast.errors import DeployError
from nearcast.settings import Settings, load_settings
from tests.deploy.conftest import ON_AWS, stacks, wait_for

ITEM = {"stock_symbol": {"S": "ACME"}, "date": {"S": "2020-01-02"}}


@pytest.fixture(params=["local", "on_aws"])
def deployed(request: pytest.FixtureRequest) -> Settings:
    """Settings of a home whose stacks are deployed, with a row and an object."""
    settings: Settings = request.getfixturevalue(request.param)
    deploy(settings)
    settings = load_settings(settings.home)
    client("dynamodb", settings).put_item(TableName=settings.need("prices_table"), Item=ITEM)
    client("s3", settings).put_object(Bucket=settings.need("hudi_bucket"), Key="prices/one", Body=b"1")
    return settings


def test_data_outlives_the_stacks_and_is_found_again(deployed: Settings) -> None:
    doomed = destroy(deployed, approve=lambda found: True)
    deployed_layers = LAYERS if deployed.target == "local" else ON_AWS
    assert [one.name for one in doomed] == [f"nearcast-dev-{layer}" for layer in deployed_layers[:0:-1]]
    kept = {one.type: one for stack in doomed for one in stack.kept}
    assert kept["AWS::DynamoDB::Table"].holds == "about 1 items"
    [hudi] = [one for stack in doomed for one in stack.kept if one.name == deployed.hudi_bucket]
    assert hudi.holds == "1 objects"
    assert stacks(deployed) == {"bootstrap": "CREATE_COMPLETE"}
    assert destroy(deployed, approve=lambda found: False) == []

    seen: list[ChangeSet] = []

    def approve(changes: ChangeSet) -> bool:
        seen.append(changes)
        return True

    deploy(load_settings(deployed.home), approve=approve)
    adopted = {one.type for changes in seen for one in changes.changes if one.action == "Import"}
    assert adopted == {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}
    again = load_settings(deployed.home)
    assert client("dynamodb", again).scan(TableName=again.need("prices_table"))["Items"] == [ITEM]
    objects = client("s3", again).list_objects_v2(Bucket=again.need("hudi_bucket"))["Contents"]
    assert [one["Key"] for one in objects] == ["prices/one"]


@pytest.mark.parametrize("interrupted", [False, True], ids=["at once", "in two goes"])
@pytest.mark.parametrize("by", ["nearcast", "the console"])
def test_changes_flow_again_after_a_destruction(by: str, interrupted: bool, deployed: Settings) -> None:
    """The table taken over sent its changes to a stream that is gone: it is told of the new one."""
    if by == "nearcast":
        destroy(deployed, approve=lambda found: True)
    else:
        cloudformation = client("cloudformation", load_settings(deployed.home))
        for layer in reversed(LAYERS[1:]):
            cloudformation.delete_stack(StackName=f"nearcast-dev-{layer}")
            wait_for(deployed, f"nearcast-dev-{layer}", None)
    called: list[str] = []
    before = client("dynamodb", load_settings(deployed.home))
    before.meta.events.register("before-call.dynamodb", lambda model, **_: called.append(model.name))
    if interrupted:
        with pytest.raises(DeployError, match="not approved"):
            deploy(load_settings(deployed.home), approve=lambda one: not one.stack.endswith("lake"))
    deploy(load_settings(deployed.home))
    off = [] if by == "nearcast" else ["DisableKinesisStreamingDestination"]
    changing = [name for name in called if not name.startswith("Describe")]
    assert changing == [*off, "EnableKinesisStreamingDestination"]
    again = load_settings(deployed.home)
    client("dynamodb", again).put_item(TableName=again.need("prices_table"), Item=ITEM)
    kinesis, stream = client("kinesis", again), again.need("stream_name")
    [shard] = kinesis.list_shards(StreamName=stream)["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]


@pytest.mark.usefixtures("two_layers")
def test_changes_that_somebody_switched_off_flow_again(local: Settings) -> None:
    deploy(local)
    settings = load_settings(local.home)
    dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
    described = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    [destination] = described["KinesisDataStreamDestinations"]
    dynamodb.disable_kinesis_streaming_destination(TableName=table, StreamArn=destination["StreamArn"])
    deploy(settings)
    described = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    states = [one["DestinationStatus"] for one in described["KinesisDataStreamDestinations"]]
    assert states[-1] == "ACTIVE"


def test_what_is_not_approved_stays(local: Settings) -> None:
    deploy(local)
    before = stacks(local)
    with pytest.raises(DeployError, match="not approved"):
        destroy(local, approve=lambda found: False)
    assert stacks(local) == before


def test_a_stack_that_another_one_needs_says_so_and_the_next_try_works(local: Settings) -> None:
    deploy(local)
    queue = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": {"Fn::ImportValue": "nearcast-dev-raw-bucket"}},
    }
    cloudformation = client("cloudformation", local)
    cloudformation.create_stack(StackName="foreign", TemplateBody=json.dumps({"Resources": {"Q": queue}}))
    wait_for(local, "foreign", "CREATE_COMPLETE")
    with pytest.raises(DeployError, match=r"nearcast-dev-raw-bucket.*foreign") as caught:
        destroy(local, approve=lambda found: True)
    assert "delete what uses" in caught.value.todo
    cloudformation.delete_stack(StackName="foreign")
    wait_for(local, "foreign", None)
    assert [one.name for one in destroy(local, approve=lambda found: True)] == ["nearcast-dev-stream"]


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_how_to_remove_what_stays_is_known_for_every_type(layer: str) -> None:
    stays = templates.retained(templates.load(layer, "dev", "1", "us-east-1").resources)
    assert {one["Type"] for one in stays.values()} <= {*HOW_TO_REMOVE} & {*WHAT_IT_COSTS}


def test_a_bucket_that_was_deleted_by_hand_does_not_hinder(local: Settings) -> None:
    deploy(local)
    client("s3", local).delete_bucket(Bucket=load_settings(local.home).need("hudi_bucket"))
    [lake] = [one for one in destroy(local, approve=lambda found: True) if one.name == "nearcast-dev-lake"]
    assert [one.holds for one in lake.kept] == ["not there any more"]
