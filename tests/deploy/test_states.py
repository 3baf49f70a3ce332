"""What earlier runs leave behind, and that a deployment goes on from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from nearcast.aws import client
from nearcast.deploy import deploy, destroy
from nearcast.deploy.connection import Connection, Progress
from nearcast.deploy.states import READY, WAYS_ON, make_ready
from nearcast.deploy.waiting import finish
from nearcast.errors import DeployError
from nearcast.settings import Settings
from tests.deploy.conftest import TWO_LAYERS, stacks, wait_for

pytestmark = pytest.mark.usefixtures("two_layers")
NAME = "nearcast-dev-stream"
STACK_ID = f"arn:aws:cloudformation:us-east-1:1:stack/{NAME}/1"
NOTHING = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
BOTH = dict.fromkeys(TWO_LAYERS, "CREATE_COMPLETE")


def body(**resources: Any) -> str:
    """Return a template's text."""
    return json.dumps({"Resources": resources})


def test_every_state_of_a_stack_has_its_way_on() -> None:
    states = client("cloudformation", Settings(target="aws")).meta.service_model.shape_for("StackStatus").enum
    ended = {state for state in states if not state.endswith("_IN_PROGRESS")}
    # An IMPORT change set is never made; a deleted stack is none.
    assert ended - {"DELETE_COMPLETE", "IMPORT_ROLLBACK_FAILED"} == {*READY} | {*WAYS_ON}


def test_a_change_set_that_was_never_carried_out(local: Settings) -> None:
    client("cloudformation", local).create_change_set(
        StackName=NAME, ChangeSetName="old", ChangeSetType="CREATE", TemplateBody=body(A=NOTHING)
    )
    assert stacks(local) == {"stream": "REVIEW_IN_PROGRESS"}
    deploy(local)
    assert stacks(local) == BOTH


@pytest.mark.parametrize(("rollback", "status"), [(True, "ROLLBACK_COMPLETE"), (False, "CREATE_FAILED")])
def test_a_creation_that_had_failed(rollback: bool, status: str, local: Settings) -> None:
    client("cloudformation", local).create_stack(
        StackName=NAME, TemplateBody=body(A=NOTHING, Wrong=waiting(1)), DisableRollback=not rollback
    )
    wait_for(local, NAME, status)
    deploy(local)
    assert stacks(local) == BOTH


def waiting(seconds: int) -> dict[str, Any]:
    """Return a resource that is in creation for some seconds, and fails then."""
    properties = {"Handle": {"Ref": "A"}, "Timeout": str(seconds), "Count": 1}
    return {"Type": "AWS::CloudFormation::WaitCondition", "Properties": properties}


def test_a_deletion_that_had_failed_names_what_hinders_it_and_the_next_try_works(local: Settings) -> None:
    cloudformation, ec2 = client("cloudformation", local), client("ec2", local)
    network = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
    cloudformation.create_stack(StackName=NAME, TemplateBody=body(Hinders=network))
    wait_for(local, NAME, "CREATE_COMPLETE")
    [resource] = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
    made = ec2.create_subnet(VpcId=resource["PhysicalResourceId"], CidrBlock="10.0.0.0/24")
    cloudformation.delete_stack(StackName=NAME)
    wait_for(local, NAME, "DELETE_FAILED")
    for again in (deploy, lambda settings: destroy(settings, approve=lambda found: True)):
        with pytest.raises(
            DeployError, match=rf"{NAME} ended DELETE_FAILED: Hinders .*dependencies"
        ) as caught:
            again(local)
        assert f"--stack-name {NAME} --retain-resources" in caught.value.todo
    ec2.delete_subnet(SubnetId=made["Subnet"]["SubnetId"])
    deploy(local)
    assert stacks(local) == BOTH


def described(status: str) -> dict[str, Any]:
    """Return DescribeStacks' answer for a stack."""
    one = {"StackName": NAME, "StackId": STACK_ID, "StackStatus": status, "CreationTime": "2026-01-01"}
    return {"Stacks": [one]}


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_another_run_at_work_is_waited_for(status: str, local: Settings) -> None:
    """Through the Stubber: while a stack of the gateway is at work, its other answers wait."""
    notes: list[str] = []
    with Stubber(client("cloudformation", local)) as stub:
        for seen in (status, status, status, "CREATE_COMPLETE", "CREATE_COMPLETE"):
            stub.add_response("describe_stacks", described(seen))
        found = make_ready(Connection(local, "1", notes.append), NAME)
        stub.assert_no_pending_responses()
    assert found == {**described("CREATE_COMPLETE")["Stacks"][0]}
    assert notes == [f"{NAME} is {status}, by another run: waiting for it"]


def test_an_operation_that_has_not_begun_is_not_taken_for_ended(local: Settings) -> None:
    """AWS may answer with the old status for a while; through the Stubber, since the gateway does not."""
    event = {"StackId": STACK_ID, "StackName": NAME, "Timestamp": "2026-01-01"}
    old, new = {**event, "EventId": "old"}, {**event, "EventId": "new"}
    with Stubber(client("cloudformation", local)) as stub:
        for status, events in (("CREATE_COMPLETE", [old]), ("DELETE_IN_PROGRESS", [new, old])):
            stub.add_response("describe_stacks", described(status))
            stub.add_response("describe_stack_events", {"StackEvents": events})
        stub.add_response("describe_stacks", described("DELETE_COMPLETE"))
        stub.add_response("describe_stack_events", {"StackEvents": [new, old]})
        assert finish(Connection(local, "1", print), STACK_ID, "old", 1) == "DELETE_COMPLETE"
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "operation"),
    [("UPDATE_ROLLBACK_FAILED", "continue_update_rollback"), ("UPDATE_FAILED", "rollback_stack")],
)
@pytest.mark.parametrize("succeeds", [True, False])
def test_an_update_that_had_failed(status: str, operation: str, succeeds: bool, local: Settings) -> None:
    """Through botocore's Stubber: the gateway's stacks do not come into these states."""
    cloudformation = client("cloudformation", local)

    def events(*said: tuple[str, str, str]) -> dict[str, Any]:
        common = {
            "StackId": STACK_ID,
            "StackName": NAME,
            "Timestamp": "2026-01-01",
            "ResourceType": "AWS::X::Y",
        }
        listed = [
            {
                "EventId": str(n),
                "LogicalResourceId": who,
                "ResourceStatus": how,
                "ResourceStatusReason": why,
                **common,
            }
            for n, (who, how, why) in enumerate(said)
        ]
        return {"StackEvents": listed[::-1]}

    before = ("Old", "UPDATE_COMPLETE", "")
    failed = ("Stream", "UPDATE_FAILED", "no rights")
    end = "UPDATE_ROLLBACK_COMPLETE" if succeeds else status
    with Stubber(cloudformation) as stub:
        stub.add_response("describe_stacks", described(status))
        stub.add_response("describe_stack_events", events(before))
        stub.add_response(operation, {}, {"StackName": NAME})
        stub.add_response("describe_stacks", described(end))
        stub.add_response("describe_stack_events", events(before, failed))
        if succeeds:
            stub.add_response("describe_stacks", described(end))
        else:
            stub.add_response("describe_stack_events", events(before, failed))
        made = Connection(local, "1", lambda text: None)
        if succeeds:
            found = make_ready(made, NAME)
            assert found is not None
            assert found["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        else:
            with pytest.raises(DeployError, match=r"Stream \(AWS::X::Y\): no rights"):
                make_ready(made, NAME)
        stub.assert_no_pending_responses()


def test_an_interrupted_wait_says_how_to_go_on_and_the_next_run_does(on_aws: Settings) -> None:
    notes: list[str] = []

    def interrupted(progress: Progress) -> None:
        if progress.stack == NAME:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(on_aws, note=notes.append, report=interrupted)
    assert f"CloudFormation goes on with {NAME}" in notes[-1]
    deploy(on_aws)
    assert stacks(on_aws) == BOTH
