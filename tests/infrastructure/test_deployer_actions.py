"""The list of what whoever deploys needs is that of the code and the templates as they are."""

from __future__ import annotations

from tests.infrastructure.deployer_actions import FILE, actions, document, permissions
from tests.infrastructure.rights import known_action
from tests.infrastructure.templates import templates


def test_the_list_is_up_to_date() -> None:
    assert FILE.read_text() == document(), "run `python -m tests.infrastructure.deployer_actions`"


def test_every_action_is_one_of_iam_s() -> None:
    assert [action for action in actions() if known_action(action) is None] == []


def test_every_type_of_resource_has_a_schema_that_says_what_it_needs() -> None:
    types = {one["Type"] for template in templates().values() for one in template.resources.values()}
    assert {one for one in types if not permissions(one)} == set()
