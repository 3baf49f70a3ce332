"""Each refusal of AWS is one clear message with its remedy, and the next try works.

Moto, its IAM enforced, refuses what a policy does not allow; botocore's Stubber gives the refusals of credentials,
which neither moto nor the gateway has.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from nearcast import aws, cli
from nearcast.aws import client
from nearcast.aws_errors import EXPLANATIONS, explain, explain_exception, explain_reason
from nearcast.deploy import deploy
from nearcast.deploy.connection import Connection
from nearcast.deploy.failures import refused_change_set
from nearcast.deploy.target import settings_for
from nearcast.errors import DeployError
from nearcast.settings import Settings, load_settings
from tests.deploy.conftest import ON_AWS, stacks
from tests.local.gateway.conftest import Gateway


def deploy_command(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Run `nearcast deploy --target aws` and return the error that it prints; {} when it succeeds."""
    monkeypatch.setenv("NEARCAST_HOME", str(home))
    monkeypatch.setattr("sys.argv", ["nearcast", "deploy", "--target", "aws", "--yes", "--json"])
    # Log lines would go to this test's standard error for ever after.
    monkeypatch.setattr("nearcast.log.configure", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    document: dict[str, str] = json.loads(capsys.readouterr().out)
    assert (ended.value.code == 1) == ("error" in document)
    return document if "error" in document else {}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """`nearcast deploy --target aws` from a new home."""
    return lambda: deploy_command(tmp_path, capsys, monkeypatch)


def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the clients, and the credentials that boto3 has found."""
    aws._client.cache_clear()
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.mark.usefixtures("two_layers")
def test_no_credentials(
    run: Any, gateway: Gateway, aws_variables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.delenv("AWS_ACCESS_KEY_ID")
        without.delenv("AWS_SECRET_ACCESS_KEY")
        said = run()
    assert "no AWS credentials" in said["error"]
    assert "AWS_PROFILE" in said["next"]
    as_another_process(monkeypatch)
    assert run() == {}


def test_a_profile_that_is_not_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    said = run()
    assert "absent" in said["error"]
    assert "AWS_PROFILE" in said["next"]


def test_no_region(run: Any, aws_variables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    said = run()
    assert "no AWS region" in said["error"]
    assert "AWS_REGION" in said["next"]


@pytest.mark.parametrize(
    ("code", "happened", "todo"),
    [
        ("ExpiredToken", "expired", "aws sso login"),
        ("RequestExpired", "expired", "aws sso login"),
        ("InvalidClientTokenId", "does not know these credentials", "AWS_REGION"),
        ("UnrecognizedClientException", "does not know these credentials", "not enabled"),
        ("AuthFailure", "does not know these credentials", "not enabled"),
        ("SignatureDoesNotMatch", "signature", "clock"),
        ("ThrottlingException", "at this rate", "Wait"),
    ],
)
def test_credentials_that_aws_refuses(
    code: str, happened: str, todo: str, run: Any, on_aws: Settings
) -> None:
    with Stubber(client("sts", on_aws)) as stub:
        stub.add_client_error("get_caller_identity", code, "AWS says so")
        said = run()
    assert happened in said["error"]
    assert "AWS says so" in said["error"]
    assert todo in said["next"]
    assert stacks(on_aws) == {}


@pytest.mark.usefixtures("two_layers")
def test_a_misspelt_region(run: Any, aws_variables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as misspelt:
        misspelt.setenv("AWS_REGION", "us-esat-1")
        said = run()
    assert "us-esat-1" in said["error"]
    assert "us-east-1" in said["next"]
    assert run() == {}


def test_a_server_that_cannot_be_reached() -> None:
    """Of AWS's it is the region's name or the network; the gateway is to be started."""
    found = explain_exception(EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com/"))
    assert found is not None
    assert "AWS_REGION" in found[1]
    assert explain_exception(EndpointConnectionError(endpoint_url="http://127.0.0.1:1/")) is None


@pytest.mark.usefixtures("two_layers")
def test_another_region_than_the_homes(on_aws: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(on_aws)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(
        DeployError, match="us-east-1, and AWS_REGION or the profile says eu-west-1"
    ) as caught:
        settings_for(load_settings(on_aws.home), "aws")
    assert "Set AWS_REGION=us-east-1" in caught.value.todo
    # Where nothing names a region, the home's counts.
    monkeypatch.delenv("AWS_REGION")
    assert settings_for(load_settings(on_aws.home), "aws").aws_region == "us-east-1"


@pytest.mark.usefixtures("two_layers")
def test_the_credentials_of_another_account_than_the_homes(
    on_aws: Settings, account: str, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(on_aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999998")
    as_another_process(monkeypatch)
    said = run()
    assert f"account {account}" in said["error"]
    assert "999999999998" in said["error"]
    assert "AWS_PROFILE" in said["next"]


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Moto in place of AWS, with IAM enforced once a user and a policy are made; its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "setup")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "setup")
    yield address
    server.stop()


def enforce(address: str, after: str) -> None:
    """Let moto take so many more requests without looking at policies."""
    request = urllib.request.Request(
        f"{address}/moto-api/reset-auth", data=after.encode(), headers={"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(request).close()


def test_a_right_that_is_missing(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto judges by the policies, and says so in AWS's words."""
    settings = settings_for(load_settings(tmp_path), "aws")
    iam = client("iam", settings)
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]

    def allow(action: str) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="deployer", PolicyName="deploy", PolicyDocument=document)

    allow("iam:ListUsers")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    as_another_process(monkeypatch)
    enforce(moto, "0")
    try:
        client("iam", settings).list_users()
        with pytest.raises(ClientError) as caught:
            client("iam", settings).list_roles()
    finally:
        enforce(moto, "inf")
    found = explain_exception(caught.value)
    assert found is not None
    assert "A right is missing" in found[0]
    assert re.search(r"policy of arn:aws:iam::\d+:user/deployer must allow iam:ListRoles", found[1])


@pytest.mark.usefixtures("two_layers")
def test_a_deployment_that_lacks_a_right_names_it_and_the_next_try_works(run: Any, on_aws: Settings) -> None:
    denied = DENIED.replace("kinesis:CreateStream", "cloudformation:DescribeStacks")
    with Stubber(client("cloudformation", on_aws)) as stub:
        stub.add_client_error("describe_stacks", "AccessDenied", denied)
        said = run()
    assert "must allow cloudformation:DescribeStacks" in said["next"]
    assert run() == {}


# As AWS words them: docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
DENIED = "User: arn:aws:iam::1:user/ann is not authorized to perform: kinesis:CreateStream on resource: arn:aws:k:s"


@pytest.mark.parametrize(
    ("because", "whose"),
    [
        ("because no identity-based policy allows the kinesis:CreateStream action", "An IAM policy of"),
        ("with an explicit deny in a service control policy", "The organisation's service control policy"),
        (
            "because no permissions boundary allows the kinesis:CreateStream action",
            "permissions boundary of arn:aws:iam",
        ),
        ("because no session policy allows the kinesis:CreateStream action", "The policy of this session"),
        (
            "because no resource-based policy allows the kinesis:CreateStream action",
            "The resource's own policy",
        ),
    ],
)
def test_a_missing_right_names_the_policy_the_action_and_the_resource(because: str, whose: str) -> None:
    """A stack's reason and a call's refusal alike."""
    reason = f'Resource handler returned message: "{DENIED} {because}" (HandlerErrorCode: AccessDenied)'
    for found in (
        explain_reason("AWS::Kinesis::Stream", reason),
        explain("AccessDenied", f"{DENIED} {because}"),
    ):
        assert found is not None
        assert whose in found[1]
        assert "must allow kinesis:CreateStream on arn:aws:k:s." in found[1]


@pytest.mark.parametrize(
    ("kind", "reason", "todo"),
    [
        ("AWS::S3::Bucket", "nearcast-dev-raw-1 already exists", "NEARCAST_ENVIRONMENT"),
        (
            "AWS::S3::Bucket",
            "taken (Service: S3, Status Code: 409) (HandlerErrorCode: AlreadyExists)",
            "ENVIRONMENT",
        ),
        ("AWS::SQS::Queue", "q already exists in stack s", "leftover"),
        ("AWS::Kinesis::Stream", "too many shards (HandlerErrorCode: ServiceLimitExceeded)", "quota"),
        ("AWS::Glue::Job", "slow down (HandlerErrorCode: Throttling)", "Wait"),
    ],
)
def test_reasons_of_resources_name_the_remedy(kind: str, reason: str, todo: str) -> None:
    found = explain_reason(kind, reason)
    assert found is not None
    assert todo in found[1]


def test_a_change_set_that_fails_its_checks_names_the_resource(local: Settings) -> None:
    """Through the Stubber: the gateway checks at the execution. docs.aws.amazon.com, Validate stack deployments."""
    event = {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": "RawBucket",
        "ResourceType": "AWS::S3::Bucket",
        "ValidationStatus": "FAILED",
        "ValidationFailureMode": "FAIL",
        "ValidationStatusReason": "Resource of type 'AWS::S3::Bucket' with identifier 'b' already exists.",
    }
    reason = (
        "AWS::EarlyValidation failed. To troubleshoot, use the DescribeEvents API for detailed information."
    )
    with Stubber(client("cloudformation", local)) as stub:
        stub.add_response("describe_events", {"OperationEvents": [event]}, {"ChangeSetName": "arn"})
        error = refused_change_set(
            Connection(local, "1", print),
            "nearcast-dev-stream",
            {"ChangeSetId": "arn", "StatusReason": reason},
        )
    assert "RawBucket (AWS::S3::Bucket): Resource of type" in error.happened
    assert "NEARCAST_ENVIRONMENT" in error.todo


def test_a_reason_that_is_not_known_is_left_to_itself() -> None:
    assert explain_reason("AWS::Glue::Job", "the script is not there") is None


def test_no_code_stands_twice_in_the_table() -> None:
    codes = [code for one in EXPLANATIONS for code in one.codes]
    assert len(codes) == len({*codes})


def invoke(*arguments: str, home: Path, **options: Any) -> Result:
    """Run a command as a user without a terminal."""
    return CliRunner(env={"NEARCAST_HOME": str(home)}).invoke(cli.cli, arguments, **options)


def test_without_a_terminal_nobody_can_be_asked(on_aws: Settings) -> None:
    for command in ("deploy", "destroy"):
        result = invoke(command, "--target", "aws", home=on_aws.home)
        assert result.exit_code == 2
        assert "--yes" in result.output
    assert stacks(on_aws) == {}


def test_a_wrong_parameter_is_a_usage_error_that_lists_them(on_aws: Settings) -> None:
    result = invoke("deploy", "--target", "aws", "--yes", "--set", "Buffer=1", home=on_aws.home)
    assert result.exit_code == 2
    assert "BufferSeconds=NUMBER" in result.output
    assert invoke("deploy", "--set", "Buffer", home=on_aws.home).exit_code == 2


def test_the_commands_from_plan_to_destruction(on_aws: Settings) -> None:
    home = on_aws.home
    planned = json.loads(invoke("deploy", "--target", "aws", "--plan", "--json", home=home).stdout)
    assert [one["stack"] for one in planned["plan"] if not one["why_not"]] == ["nearcast-dev-bootstrap"]
    assert [*planned["left_out"]] == ["analytics"]
    deployed = json.loads(invoke("deploy", "--target", "aws", "--yes", "--json", home=home).stdout)
    assert [(one["name"], one["changed"]) for one in deployed["stacks"]] == [
        (f"nearcast-dev-{layer}", True) for layer in ON_AWS
    ]
    assert deployed["outputs"]["prices_table"] == "nearcast-dev-prices"
    shown = invoke("destroy", "--target", "aws", "--yes", home=home)
    assert "stays: AWS::DynamoDB::Table nearcast-dev-prices" in shown.stderr
    assert "aws dynamodb delete-table --table-name nearcast-dev-prices" in shown.stderr
    again = invoke("destroy", "--target", "aws", "--yes", home=home)
    assert (again.exit_code, "Nothing is left" in again.stderr) == (0, True)


@pytest.mark.usefixtures("two_layers")
def test_destruction_wants_the_name_of_the_environment(
    local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(local)
    monkeypatch.setattr("nearcast.commands.deploy._check_can_ask", lambda *_: None)
    before = stacks(local)
    assert invoke("destroy", home=local.home, input="prod\n").exit_code == 1
    assert stacks(local) == before
    assert invoke("destroy", home=local.home, input="dev\n").exit_code == 0
    assert stacks(local) == {"bootstrap": "CREATE_COMPLETE"}


def test_a_home_keeps_its_environment(on_aws: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(on_aws)
    monkeypatch.setenv("NEARCAST_ENVIRONMENT", "stage")
    with pytest.raises(DeployError, match="belongs to the environment dev, not to stage"):
        settings_for(load_settings(on_aws.home), "aws")
