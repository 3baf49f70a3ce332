"""The stack of the rights deploys, and gives the roles' and policies' ARNs."""

from __future__ import annotations

import json

from nearcast.aws import client
from nearcast.settings import Settings
from tests.infrastructure.parts import PARTS


def test_the_stack_makes_a_role_and_a_policy_for_each_part(deployed: Settings) -> None:
    cloudformation, iam = client("cloudformation", deployed), client("iam", deployed)
    [stack] = cloudformation.describe_stacks(StackName=f"nearcast-{deployed.environment}-access")["Stacks"]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert outputs.keys() == {f"{part}{what}" for part in PARTS for what in ("Role", "Policy")}
    for part in PARTS:
        policy = iam.get_policy(PolicyArn=outputs[f"{part}Policy"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        document = version["PolicyVersion"]["Document"]
        text = document if isinstance(document, str) else json.dumps(document)
        assert "Fn::" not in text and "${" not in text
        role = outputs[f"{part}Role"].rpartition("/")[2]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        assert [one["PolicyArn"] for one in attached] == [outputs[f"{part}Policy"]]
