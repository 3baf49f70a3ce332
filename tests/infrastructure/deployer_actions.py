"""The IAM actions that whoever deploys needs: `python -m tests.infrastructure.deployer_actions` writes them down.

They are those of the deployment's own calls and, as CloudFormation works with the rights of who calls it, those
that AWS's schemas of the resource types name for making, reading, changing and deleting them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from tests.infrastructure.parts import deployer, operations
from tests.infrastructure.program import ROOT
from tests.infrastructure.rights import actions_of, known_action
from tests.infrastructure.templates import templates

FILE = ROOT / "infrastructure" / "deployer-actions.md"
HANDLERS = ("create", "read", "update", "delete")
HEAD = """# What whoever deploys may have to do

`nearcast deploy` and `nearcast destroy` work with the rights of whoever runs them, and CloudFormation makes the
resources with the same rights. This list is made from the deployment's calls and from AWS's own schemas of the resource
types in these templates (their handlers' permissions). The schemas name all that a type can ask for, also for features
that the templates do not use, so it is an upper bound; what they name and IAM does not know is left out. `iam:PassRole`
can be confined to the roles of the environment's stacks.

Written by `python -m tests.infrastructure.deployer_actions`; a test compares it with code and templates.

| Action | For |
|---|---|
"""


@cache
def permissions(resource_type: str) -> frozenset[str]:
    """Return the actions that AWS's schema of a resource type names, as cfn-lint ships it."""
    import cfnlint

    schemas = Path(cfnlint.__file__).parent / "data" / "schemas"
    name = json.loads((schemas / "providers" / "us-east-1.json").read_text())[resource_type]
    schema: dict[str, Any] = json.loads((schemas / "resources" / f"{name}.json").read_text())
    handlers = schema.get("handlers", {})
    return frozenset(one for name in HANDLERS for one in handlers.get(name, {}).get("permissions", []))


def actions() -> dict[str, set[str]]:
    """Return each action with what it is for: the command's own calls, and resource types."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for service, operation in operations(deployer()):
        for action in actions_of(service, operation):
            wanted[action].add("the command itself")
    for template in templates().values():
        for resource in template.resources.values():
            for action in permissions(resource["Type"]):
                if known_action(action) is not None:
                    wanted[action].add(resource["Type"].removeprefix("AWS::"))
    return dict(wanted)


def document() -> str:
    """Return the file's text."""
    rows = [f"| {action} | {', '.join(sorted(why))} |\n" for action, why in sorted(actions().items())]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    FILE.write_text(document())
