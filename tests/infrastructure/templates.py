"""The CloudFormation templates, with what their intrinsic functions come to in one account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tests.infrastructure.program import ROOT

ENVIRONMENT, ACCOUNT, REGION = "dev", "123456789012", "us-east-1"
NAMES = (
    "BucketName",
    "TableName",
    "FunctionName",
    "QueueName",
    "LogGroupName",
    "DeliveryStreamName",
    "TopicName",
    "RoleName",
    "ManagedPolicyName",
    "DataSourceId",
    "DataSetId",
    "TemplateId",
    "Name",
)
ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{at}:table/{name}",
    "AWS::Kinesis::Stream": "arn:aws:kinesis:{at}:stream/{name}",
    "AWS::KinesisFirehose::DeliveryStream": "arn:aws:firehose:{at}:deliverystream/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{at}:function:{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{at}:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{at}:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{at}:log-group:{name}:*",
    "AWS::KMS::Key": "arn:aws:kms:{at}:key/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::QuickSight::DataSource": "arn:aws:quicksight:{at}:datasource/{name}",
    "AWS::QuickSight::DataSet": "arn:aws:quicksight:{at}:dataset/{name}",
    "AWS::QuickSight::Template": "arn:aws:quicksight:{at}:template/{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
}
"""``at`` is region and account, ``name`` what Ref gives."""
ARN_BY_REF = ("AWS::SNS::Topic", "AWS::IAM::ManagedPolicy")
"""Resources whose Ref is their ARN."""


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, with its values as they come to be; ``place`` says where it is."""

    place: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """Return the statement as IAM reads it."""
        return {
            "Effect": self.effect,
            "Action": list(self.actions),
            "Resource": list(self.resources),
            **({"Condition": self.condition} if self.condition else {}),
        }


class Template:
    """A template and the values of its functions in an environment of an account."""

    def __init__(self, path: Path, environment: str = ENVIRONMENT, account: str = ACCOUNT) -> None:
        self.path, self.environment, self.account = path, environment, account
        stack = f"nearcast-{environment}-{path.stem}"
        self.known = {
            "Environment": environment,
            "AWS::AccountId": account,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{account}:stack/{stack}/1",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": None,
        }
        self.body = _decoded(path)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.path.stem

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Resources by their logical names."""
        return dict(self.body["Resources"])

    def of_type(self, *types: str) -> dict[str, dict[str, Any]]:
        """Return the resources of these types."""
        return {name: one for name, one in self.resources.items() if one["Type"] in types}

    def exports(self) -> dict[str, Any]:
        """Return the exported values by their names."""
        outputs = self.body.get("Outputs", {}).values()
        return {self.value(o["Export"]["Name"]): o["Value"] for o in outputs if "Export" in o}

    def value(self, node: Any) -> Any:
        """Return what a value comes to: parameters have their defaults, resources their names."""
        if isinstance(node, list):
            return [self.value(one) for one in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, given)] = node.items()
            if function == "Ref":
                return self._ref(given)
            if function.startswith("Fn::"):
                return self._function(function.removeprefix("Fn::"), given)
        return {name: self.value(one) for name, one in node.items()}

    def _function(self, function: str, given: Any) -> Any:
        if function == "Sub":
            text, more = given if isinstance(given, list) else (given, {})
            known = {name: self.value(one) for name, one in more.items()}
            return re.sub(r"\$\{([^!}][^}]*)\}", lambda hole: str(self._hole(hole[1], known)), text)
        if function == "GetAtt":
            name, attribute = given.split(".", 1) if isinstance(given, str) else given
            return self._attribute(name, attribute)
        if function == "ImportValue":
            exporter, value = all_exports(self.environment, self.account)[self.value(given)]
            return exporter.value(value)
        if function == "Join":
            return given[0].join(map(str, self.value(given[1])))
        if function == "If":
            return self.value(given[1])
        if function == "Split":
            return str(self.value(given[1])).split(given[0])
        if function == "Select":
            return self.value(given[1])[int(given[0])]
        raise NotImplementedError(f"Fn::{function} in {self.path.name}")

    def _hole(self, name: str, known: dict[str, Any]) -> Any:
        if name in known:
            return known[name]
        if "." in name:
            return self._attribute(*name.split(".", 1))
        return self._ref(name)

    def _ref(self, name: str) -> Any:
        if name in self.known:
            return self.known[name]
        if name in self.body.get("Parameters", {}):
            return self.body["Parameters"][name].get("Default", f"given-{name.lower()}")
        if self.resources[name]["Type"] in ARN_BY_REF:
            return self._attribute(name, "Arn")
        return self._name(name)

    def _name(self, name: str) -> str:
        properties = self.resources[name].get("Properties", {})
        for holder in (properties, *(one for one in properties.values() if isinstance(one, dict))):
            for key in NAMES:
                if key in holder:
                    return str(self.value(holder[key]))
        return f"{name.lower()}-physical-id"

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute not in ("Arn", "TopicArn", "PolicyArn"):
            return f"{self._name(name)}-{attribute.lower()}"
        pattern, at = ARNS[self.resources[name]["Type"]], f"{REGION}:{self.account}"
        return pattern.format(at=at, account=self.account, name=self._name(name))

    def statements(self, name: str) -> list[Statement]:
        """Return the statements of a role's own policies, of a managed policy or of a resource's policy."""
        properties = self.resources[name]["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties[key] for key in ("PolicyDocument", "KeyPolicy") if key in properties]
        return [self._statement(name, one) for document in documents for one in listed(document["Statement"])]

    def _statement(self, name: str, statement: dict[str, Any]) -> Statement:
        line = getattr(statement, "start_mark", None)
        place = f"{self.path.name}:{line.line + 1 if line else '?'} ({name})"
        actions = self.value(listed(statement.get("Action", [])))
        resources = self.value(listed(statement.get("Resource", [])))
        condition = self.value(statement.get("Condition", {}))
        return Statement(place, statement["Effect"], tuple(actions), tuple(resources), condition)

    def with_policies(self) -> Iterator[str]:
        """Yield the logical names of the resources that have statements."""
        for name, resource in self.resources.items():
            if {"Policies", "PolicyDocument", "KeyPolicy"} & resource.get("Properties", {}).keys():
                yield name


def listed(value: Any) -> list[Any]:
    """Return a list as it is, anything else as the one element of a list."""
    return value if isinstance(value, list) else [value]


@cache
def _decoded(path: Path) -> Any:
    """Return a template as data that knows its lines."""
    from cfnlint.decode import decode

    body, problems = decode(str(path))
    assert not problems, problems
    return body


@cache
def templates(environment: str = ENVIRONMENT, account: str = ACCOUNT) -> dict[str, Template]:
    """Return the project's templates by layer."""
    paths = sorted((ROOT / "infrastructure").glob("*.yaml"))
    return {path.stem: Template(path, environment, account) for path in paths}


@cache
def all_exports(environment: str = ENVIRONMENT, account: str = ACCOUNT) -> dict[str, tuple[Template, Any]]:
    """Return what each exported name is, and the template that it comes from."""
    return {
        name: (template, value)
        for template in templates(environment, account).values()
        for name, value in template.exports().items()
    }
