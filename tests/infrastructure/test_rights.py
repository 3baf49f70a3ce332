"""The templates' policies give each part what its calls need, on what they are made of, and nothing more."""

from __future__ import annotations

import json
import re

import pytest

from tests.infrastructure.parts import PARTS
from tests.infrastructure.rights import (
    arn_patterns,
    compare,
    given,
    known_action,
    needed,
    service_role,
)
from tests.infrastructure.templates import ACCOUNT, REGION, Statement, all_exports, templates

LONGEST_POLICY = 6144
"""Characters of a managed policy but spaces: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
ROLES = [
    (layer, name)
    for layer, template in templates().items()
    if layer != "access"
    for name in template.of_type("AWS::IAM::Role")
]
STATEMENTS = [
    statement
    for template in templates().values()
    for name in template.with_policies()
    for statement in template.statements(name)
]
IDENTITY_STATEMENTS = [
    statement
    for template in templates().values()
    for name in template.of_type("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
    for statement in template.statements(name)
]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_s_policy_is_what_its_calls_need(name: str) -> None:
    policy = templates()["access"].statements(f"{name}Policy")
    differences = compare(name, needed(name, PARTS[name]), given(policy))
    assert not differences, "\n".join(differences)


def test_every_part_has_a_role_with_its_policy_alone() -> None:
    access = templates()["access"]
    roles = access.of_type("AWS::IAM::Role")
    assert roles.keys() == {f"{name}Role" for name in PARTS}
    assert access.of_type("AWS::IAM::ManagedPolicy").keys() == {f"{name}Policy" for name in PARTS}
    for name in PARTS:
        properties = roles[f"{name}Role"]["Properties"]
        assert properties["ManagedPolicyArns"] == [{"Ref": f"{name}Policy"}]
        assert "Policies" not in properties


@pytest.mark.parametrize(("layer", "name"), ROLES)
def test_a_service_s_role_is_what_the_service_needs(layer: str, name: str) -> None:
    part = service_role(name)
    assert part is not None, f"nothing is known of {name}: tests/infrastructure/rights.py"
    template = templates()[layer]
    differences = compare(name, needed(name, part, template), given(template.statements(name)))
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one.place)
def test_every_action_is_one_of_aws_s(statement: Statement) -> None:
    for action in statement.actions:
        if "*" in action:
            assert statement.effect == "Deny" or _manages_a_key(statement), f"{action} in {statement.place}"
        else:
            assert known_action(action) is not None, f"IAM has no action {action} ({statement.place})"


def _manages_a_key(statement: Statement) -> bool:
    """A key's own policy lets the account manage it: without that nobody could ever change the key.

    docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    return statement.actions == ("kms:*",) and statement.resources == ("*",)


@pytest.mark.parametrize("statement", IDENTITY_STATEMENTS, ids=lambda one: one.place)
def test_every_action_is_given_on_resources_that_it_can_be_given_on(statement: Statement) -> None:
    """By AWS's service authorization reference; ``*`` stands only where an action has no narrower resource."""
    for action in statement.actions:
        patterns = [_pattern(one) for one in arn_patterns(action)]
        if statement.resources == ("*",):
            assert not patterns or action in NO_NARROWER, f"{action} on * in {statement.place}"
            continue
        fitting = [r for r in statement.resources if any(pattern.fullmatch(r) for pattern in patterns)]
        assert fitting, f"{action} has no effect on {statement.resources} in {statement.place}"


NO_NARROWER = {"cloudwatch:GetMetricData": "its resource type is a dataset; metrics have no ARN"}
"""docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/permissions-reference-cw.html"""


def _pattern(arn_format: str) -> re.Pattern[str]:
    text = (
        arn_format.replace("${Partition}", "aws").replace("${Region}", REGION).replace("${Account}", ACCOUNT)
    )
    return re.compile(text)


@pytest.mark.parametrize("statement", IDENTITY_STATEMENTS, ids=lambda one: one.place)
def test_every_resource_is_of_use_to_an_action(statement: Statement) -> None:
    """A bucket's ARN beside actions on objects alone, or a queue's beside a table's, would be a mistake."""
    patterns = [_pattern(one) for action in statement.actions for one in arn_patterns(action)]
    for resource in statement.resources:
        assert resource == "*" or any(one.fullmatch(resource) for one in patterns), (
            resource,
            statement.place,
        )
        assert not re.fullmatch(r"(arn:aws:\w+:[\w-]*:\d*:)\*+", resource), f"{resource} in {statement.place}"


@pytest.mark.parametrize("statement", IDENTITY_STATEMENTS, ids=lambda one: one.place)
def test_actions_on_objects_have_objects_and_those_on_buckets_have_buckets(statement: Statement) -> None:
    """AWS's patterns of both are the same, so this looks at the slash."""
    for action in (one for one in statement.actions if one.startswith("s3:")):
        types = (known_action(action) or {}).get("Resources", [])
        on_objects = ["/" in resource.rpartition(":")[2] for resource in statement.resources]
        if "object" in types:
            assert any(on_objects), f"{action} needs an object in {statement.place}"
        elif "bucket" in types:
            assert not all(on_objects), f"{action} needs a bucket in {statement.place}"


@pytest.mark.parametrize("statement", IDENTITY_STATEMENTS, ids=lambda one: one.place)
def test_rights_on_a_table_of_the_catalog_come_with_its_database_and_the_catalog(
    statement: Statement,
) -> None:
    """docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html"""
    actions = [one for one in statement.actions if one.startswith("glue:")]
    of_tables = [one for one in actions if "table" in (known_action(one) or {}).get("Resources", [])]
    if of_tables:
        kinds = {resource.split(":")[5].partition("/")[0] for resource in statement.resources}
        assert kinds >= {"catalog", "database", "table"}, f"{of_tables} on {kinds} in {statement.place}"


def test_keys_are_used_through_services_alone() -> None:
    for statement in IDENTITY_STATEMENTS:
        if any(action.startswith("kms:") for action in statement.actions):
            assert "kms:ViaService" in statement.condition.get("StringEquals", {}), statement.place


@pytest.mark.parametrize("name", PARTS)
def test_a_managed_policy_is_not_too_long(name: str) -> None:
    document = [one.document() for one in templates()["access"].statements(f"{name}Policy")]
    assert len(re.sub(r"\s", "", json.dumps(document))) < LONGEST_POLICY - 500


def test_what_a_template_imports_another_exports() -> None:
    for template in templates().values():
        for node in _dictionaries(template.body):
            if "Fn::ImportValue" in node:
                assert template.value(node["Fn::ImportValue"]) in all_exports()


def _dictionaries(node: object) -> list[dict[str, object]]:
    if isinstance(node, list):
        return [found for one in node for found in _dictionaries(one)]
    if isinstance(node, dict):
        return [node, *(found for one in node.values() for found in _dictionaries(one))]
    return []
