"""Deployment through CloudFormation: repeatable, only to loopback, and clear when it fails."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from nearcast.aws import client
from nearcast.deploy import artifacts, deploy, templates
from nearcast.deploy.artifacts import package_transformer
from nearcast.deploy.templates import template_text
from nearcast.errors import DeployError, NearcastError
from nearcast.settings import Settings


def test_a_second_deployment_changes_nothing(deployed: Settings) -> None:
    stacks = deploy(deployed).stacks
    assert [stack.name for stack in stacks] == [
        "nearcast-dev-bootstrap",
        "nearcast-dev-stream",
        "nearcast-dev-lake",
        "nearcast-dev-access",
        "nearcast-dev-analytics",
    ]
    assert [stack.changed for stack in stacks] == [False] * 5


def test_the_deployed_resources_are_there_under_the_names_in_the_settings(deployed: Settings) -> None:
    dynamodb = client("dynamodb", deployed)
    answer = dynamodb.describe_kinesis_streaming_destination(TableName=deployed.need("prices_table"))
    [destination] = answer["KinesisDataStreamDestinations"]
    assert destination["DestinationStatus"] == "ACTIVE"
    assert destination["StreamArn"].endswith(f"/{deployed.need('stream_name')}")
    glue = client("glue", deployed)
    crawler = glue.get_crawler(Name=deployed.need("crawler"))["Crawler"]
    [classifier] = crawler["Classifiers"]
    assert glue.get_classifier(Name=classifier)["Classifier"]["JsonClassifier"]["JsonPath"] == "$"
    assert glue.get_job(JobName=deployed.need("hudi_job"))["Job"]["GlueVersion"] == "5.1"


def test_a_new_lambda_changes_only_the_stack_that_holds_it(
    deployed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = package_transformer()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        source = zipfile.ZipFile(io.BytesIO(original)).read("transformer.py")
        archive.writestr(zipfile.ZipInfo("transformer.py"), source + b"# changed\n")
    with monkeypatch.context() as patched:
        patched.setattr(artifacts, "package_transformer", changed.getvalue)
        assert [stack.changed for stack in deploy(deployed).stacks] == [False, True, False, False, False]
    assert [stack.changed for stack in deploy(deployed).stacks] == [False, True, False, False, False]


@pytest.mark.parametrize("endpoint", [None, "https://kinesis.us-east-1.amazonaws.com", "http://10.0.0.1:1"])
def test_the_local_target_refuses_what_is_not_loopback(endpoint: str | None, tmp_path: Path) -> None:
    with pytest.raises(NearcastError, match="loopback"):
        deploy(Settings(home=tmp_path, aws_endpoint_url=endpoint))


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("Type: AWS::Kinesis::Stream", "Type: AWS::Kinesis::Nonsense", "Nonsense"),
        ("BucketARN: !GetAtt RawBucket.Arn", "BucketARN: no-arn", "DeliveryStream"),
    ],
    ids=["refused", "failed"],
)
def test_a_stack_that_fails_names_what_is_wrong(
    right: str, wrong: str, named: str, deployed: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(templates, "template_text", lambda layer: template_text(layer).replace(right, wrong))
    environment = f"bad{named[:3].lower()}"
    other = deployed.model_copy(update={"environment": environment, "home": tmp_path})
    with pytest.raises(DeployError, match=named):
        deploy(other)


def test_the_package_of_the_lambda_is_the_same_each_time() -> None:
    assert package_transformer() == package_transformer()
    names = zipfile.ZipFile(io.BytesIO(package_transformer())).namelist()
    assert names == ["transformer.py"]
