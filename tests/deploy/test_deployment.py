"""Deployment: approval, plans, parameters, what fails, and where it goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from nearcast.aws import client
from nearcast.cost.tables import limit
from nearcast.deploy import ChangeSet, ParameterError, deploy, destroy, plan, stacks, templates
from nearcast.deploy.change_sets import MAXIMUM_BODY, Change
from nearcast.deploy.connection import Progress
from nearcast.deploy.deployment import LAYERS
from nearcast.deploy.parameters import LOCAL_PARAMETERS, OPTIONAL
from nearcast.deploy.templates import template_text
from nearcast.errors import DeployError, NearcastError
from nearcast.settings import Settings, load_settings
from tests.deploy.conftest import ON_AWS
from tests.deploy.conftest import stacks as all_stacks
from tests.local.gateway.conftest import Gateway


def parameter(settings: Settings, layer: str, name: str) -> str:
    """Return the value that a stack has for a parameter."""
    stack = stacks.describe(client("cloudformation", settings), f"nearcast-dev-{layer}")
    assert stack is not None
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    return str(values[name])


def test_a_plan_changes_nothing(on_aws: Settings) -> None:
    planned, _ = plan(on_aws)
    assert [one.stack.split("-")[-1] for one in planned] == [*ON_AWS]
    assert {one.resource for one in planned[0].changes} == {
        *templates.parse(template_text("bootstrap"))["Resources"]
    }
    assert all("export" in one.why_not for one in planned[1:])
    assert {one.resource for one in planned[1].changes} == {
        *templates.parse(template_text("stream"))["Resources"]
    }
    assert all_stacks(on_aws) == {}
    assert client("s3", on_aws).list_buckets()["Buckets"] == []
    assert list(on_aws.home.iterdir()) == []


def test_a_plan_of_deployed_stacks_shows_what_would_change(on_aws: Settings) -> None:
    deploy(on_aws)
    before = all_stacks(on_aws)
    planned, _ = plan(load_settings(on_aws.home), {"VisibilitySeconds": "60"})
    assert [one.stack for one in planned if one.changes] == ["nearcast-dev-stream"]
    [change] = [one for one in planned[1].changes if one.resource == "RawQueue"]
    assert (change.action, change.replacement, change.warning) == ("Modify", "False", "")
    assert all_stacks(on_aws) == before
    assert parameter(on_aws, "stream", "VisibilitySeconds") == "300"
    for layer in ON_AWS:
        made = client("cloudformation", on_aws).list_change_sets(StackName=f"nearcast-dev-{layer}")[
            "Summaries"
        ]
        assert {one["ExecutionStatus"] for one in made} <= {"EXECUTE_COMPLETE"}


def test_a_stack_that_is_not_approved_is_as_it_was(on_aws: Settings) -> None:
    with pytest.raises(DeployError, match="nearcast-dev-stream were not approved"):
        deploy(on_aws, approve=lambda changes: changes.stack == "nearcast-dev-bootstrap")
    assert all_stacks(on_aws) == {"bootstrap": "CREATE_COMPLETE"}
    asked: list[str] = []

    def approve(changes: ChangeSet) -> bool:
        asked.append(changes.stack)
        return True

    deploy(on_aws, approve=approve)
    assert asked == [f"nearcast-dev-{layer}" for layer in ON_AWS[1:]]


def test_an_interrupted_question_leaves_nothing(on_aws: Settings) -> None:
    def interrupted(changes: ChangeSet) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(on_aws, approve=interrupted)
    assert all_stacks(on_aws) == {}


def test_progress_counts_the_resources_of_each_stack(on_aws: Settings) -> None:
    told: list[Progress] = []
    # With a value, the one resource that is made on a condition is made too.
    deploy(on_aws, {"AlarmEmail": "ann@example.com"}, report=told.append)
    ended = {one.stack.split("-")[-1]: (one.done, one.total) for one in told if one.ended}
    counts = {layer: len(templates.parse(template_text(layer))["Resources"]) for layer in ON_AWS}
    assert ended == {layer: (count, count) for layer, count in counts.items()}
    assert all(0 <= one.done <= one.total for one in told)


@pytest.mark.usefixtures("two_layers")
def test_parameters_that_are_not_set_keep_their_value(on_aws: Settings) -> None:
    deploy(on_aws, {"BufferSeconds": "300"})
    assert parameter(on_aws, "stream", "BufferSeconds") == "300"
    assert parameter(on_aws, "stream", "LambdaBufferSeconds") == "60"
    deploy(on_aws, {"LambdaBufferSeconds": "0"})
    assert parameter(on_aws, "stream", "BufferSeconds") == "300"
    assert parameter(on_aws, "stream", "LambdaBufferSeconds") == "0"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Bufferseconds": "1"}, r"no parameter Bufferseconds(.|\n)*BufferSeconds=NUMBER \(default 60\)"),
        ({"BufferSeconds": "901"}, r"more than 900(.|\n)*BufferSeconds=NUMBER"),
        ({"BufferSeconds": "0"}, "less than 1"),
        ({"BufferSeconds": "ten"}, "not a number"),
        ({"TableType": "COPY"}, r"not one of COPY_ON_WRITE, MERGE_ON_READ"),
        ({"TransformerKey": "other"}, "no parameter TransformerKey"),
    ],
)
def test_parameters_that_no_template_allows_are_refused_first(
    given: dict[str, str], said: str, on_aws: Settings
) -> None:
    with pytest.raises(ParameterError, match=said):
        deploy(on_aws, given)
    assert all_stacks(on_aws) == {}


def test_every_local_parameter_is_one_of_its_template() -> None:
    assert {*LOCAL_PARAMETERS} <= {*LAYERS}
    for layer, values in LOCAL_PARAMETERS.items():
        defined = templates.load(layer, "dev", "1", "us-east-1").parameters
        assert {*values} <= {*defined}, layer


@pytest.mark.usefixtures("two_layers")
def test_the_local_target_has_its_own_parameters(local: Settings) -> None:
    deploy(local)
    for name, value in LOCAL_PARAMETERS["stream"].items():
        assert parameter(local, "stream", name) == value


def test_a_layer_that_needs_a_value_is_left_out_until_it_has_one(
    on_aws: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = """
Parameters: {Principal: {Type: String, AllowedPattern: "arn:.*"}, Environment: {Type: String}}
Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Environment}-optional"}}}
"""
    monkeypatch.setattr("nearcast.deploy.deployment.LAYERS", (*LAYERS, "extra"))
    monkeypatch.setitem(OPTIONAL, "extra", "Principal")
    monkeypatch.setattr(
        templates, "template_text", lambda layer: wanted if layer == "extra" else template_text(layer)
    )
    done = deploy(on_aws)
    assert done.left_out["extra"] == "it needs --set Principal=…"
    assert len(done.stacks) == len(ON_AWS)
    assert "extra" not in deploy(on_aws, {"Principal": "arn:a"}).left_out
    # From now on the stack has it.
    done = deploy(on_aws)
    assert [(one.name, one.changed) for one in done.stacks][-1] == ("nearcast-dev-extra", False)


def test_a_template_that_is_too_large_for_a_request_goes_through_the_bucket(
    on_aws: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    padding = "".join(f"# {'x' * 98}\n" for _ in range(520))
    monkeypatch.setattr(
        templates, "template_text", lambda layer: template_text(layer) + padding * (layer == "lake")
    )
    deploy(on_aws)
    body = client("cloudformation", on_aws).get_template(StackName="nearcast-dev-lake")["TemplateBody"]
    assert len(body) > limit("cloudformation-body") == MAXIMUM_BODY
    assert not any(one.changed for one in deploy(on_aws).stacks)


@pytest.mark.usefixtures("two_layers")
def test_new_outputs_alone_are_a_change(local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates export more and more; a stack that only puts out more must be updated."""
    deploy(local)
    added = "  Added:\n    Value: !Ref ChangeStream\n    Export: { Name: added }\n"
    monkeypatch.setattr(
        templates, "template_text", lambda layer: template_text(layer) + added * (layer == "stream")
    )
    assert [one.name for one in deploy(local).stacks if one.changed] == ["nearcast-dev-stream"]
    assert load_settings(local.home).stream_name == deploy(local).outputs["added"]


@pytest.mark.usefixtures("two_layers")
def test_a_bucket_of_ones_own_without_a_stack_is_taken_over(local: Settings, account: str) -> None:
    client("s3", local).create_bucket(Bucket=f"nearcast-dev-raw-{account}")
    deploy(local)
    assert all_stacks(local)["stream"] == "CREATE_COMPLETE"


@pytest.mark.usefixtures("two_layers")
def test_a_bucket_of_another_account_names_the_remedy_and_the_next_try_works(
    local: Settings, gateway: Gateway, account: str
) -> None:
    other = client("s3", local.model_copy(update={"aws_access_key_id": "999999999999"}))
    other.create_bucket(Bucket=f"nearcast-dev-raw-{account}")
    with pytest.raises(DeployError, match="nearcast-dev-stream ended DELETE_COMPLETE: RawBucket") as caught:
        deploy(local)
    assert "NEARCAST_ENVIRONMENT" in caught.value.todo
    assert all_stacks(local) == {"bootstrap": "CREATE_COMPLETE"}
    deploy(local.model_copy(update={"environment": "second"}))
    other.delete_bucket(Bucket=f"nearcast-dev-raw-{account}")
    # The catalog's database has one name for all environments.
    destroy(local.model_copy(update={"environment": "second"}), approve=lambda found: True)
    deploy(local)


def test_the_environment_must_fit_into_names(local: Settings) -> None:
    with pytest.raises(DeployError, match="'Dev' does not match"):
        deploy(local.model_copy(update={"environment": "Dev"}))


def test_what_is_only_checked_is_listed(local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway says so in a resource's reason."""
    found = stacks.resources
    reasons = {
        "Database": "checked against botocore's model, not run",
        "Workgroup": "engine version: accepted, not run",
        "HudiJob": "anything else",
    }

    def with_reasons(cloudformation: Any, name: str) -> list[dict[str, Any]]:
        return [
            {**one, "ResourceStatusReason": reasons.get(one["LogicalResourceId"], "")}
            for one in found(cloudformation, name)
        ]

    monkeypatch.setattr(stacks, "resources", with_reasons)
    assert {one.resource for one in deploy(local).only_checked} == {"Database", "Workgroup"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("Remove", "T", "AWS::DynamoDB::Table"), "DELETED"),
        (Change("Remove", "T", "AWS::DynamoDB::Table", kept=True), "its data stays"),
        (Change("Remove", "R", "AWS::IAM::Role"), ""),
        (
            Change("Modify", "B", "AWS::S3::Bucket", "True"),
            "REPLACED by an empty one; THE OLD ONE IS DELETED",
        ),
        (Change("Modify", "B", "AWS::S3::Bucket", "Conditional", True), "may be REPLACED"),
        (Change("Modify", "B", "AWS::S3::Bucket", "False"), ""),
        (Change("Add", "B", "AWS::S3::Bucket"), ""),
    ],
)
def test_a_change_that_touches_data_is_marked(change: Change, said: str) -> None:
    assert said in change.warning
    assert bool(said) == bool(change.warning)


@pytest.mark.parametrize("layer", LAYERS)
def test_names_of_what_outlives_its_stack_are_spelt_out(layer: str) -> None:
    """CloudFormation takes over no resource whose name a function makes; all else is as it was."""
    text, template = template_text(layer), templates.load(layer, "prod", "123", "eu-west-1")
    for name, resource in templates.retained(template.resources).items():
        for key, value in resource["Properties"].items():
            if key in ("BucketName", "TableName"):
                assert re.fullmatch(r"nearcast-prod-[a-z-]+(123)?", value), (name, key)
    original = templates.parse(text)
    for name, resource in templates.parse(template.body)["Resources"].items():
        for key, value in resource.get("Properties", {}).items():
            before = original["Resources"][name]["Properties"][key]
            if value != before:
                filled = (
                    before["Fn::Sub"].replace("${Environment}", "prod").replace("${AWS::AccountId}", "123")
                )
                assert value == filled
    assert yaml.compose(text, yaml.CSafeLoader).tag == yaml.compose(template.body, yaml.CSafeLoader).tag


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_what_outlives_its_stack_can_be_taken_over(layer: str) -> None:
    """By cfn-lint's copy of CloudFormation's schemas: the identifier is a property that a template may set."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    stays = templates.retained(templates.load(layer, "dev", "1", "us-east-1").resources)
    assert bool(stays) == (layer in ("stream", "lake"))
    for resource in stays.values():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        assert not {*schema["primaryIdentifier"]} & {*schema["readOnlyProperties"]}, resource["Type"]
        assert {one.split("/")[-1] for one in schema["primaryIdentifier"]} <= {*resource["Properties"]}


def test_the_home_of_one_target_is_refused_to_the_other(local: Settings, tmp_path: Path) -> None:
    from nearcast.deploy.target import settings_for

    with pytest.raises(DeployError, match="belongs to the local services") as caught:
        settings_for(local, "aws")
    assert "NEARCAST_HOME=.nearcast-aws" in caught.value.todo
    account = local.model_copy(update={"target": "aws", "aws_account_id": "1"})
    with pytest.raises(DeployError, match="AWS account 1"):
        settings_for(account, "local")


@pytest.mark.usefixtures("two_layers")
def test_a_home_on_aws_is_found_by_the_next_command(on_aws: Settings, account: str) -> None:
    deploy(on_aws)
    found = load_settings(on_aws.home)
    assert (found.target, found.aws_region, found.aws_account_id) == ("aws", "us-east-1", account)
    assert found.prices_table == "nearcast-dev-prices"
    assert found.aws_endpoint_url is None


@pytest.mark.usefixtures("two_layers")
def test_the_local_services_do_not_start_in_a_home_on_aws(on_aws: Settings) -> None:
    from nearcast.local.home import prepare_home

    deploy(on_aws)
    with pytest.raises(NearcastError, match="belongs to AWS account"):
        prepare_home(on_aws.home)
