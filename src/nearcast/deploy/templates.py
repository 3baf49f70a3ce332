"""The templates in infrastructure/, as text for CloudFormation and as data to look into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from nearcast.errors import DeployError

RETAINED = ("Retain", "RetainExceptOnCreate")
"""The deletion policies with which a resource outlives its stack."""
VARIABLE = re.compile(r"\$\{([\w:]+)\}")


@dataclass(frozen=True)
class Template:
    """A layer's template.

    Parameters
    ----------
    layer
        Its file's name in infrastructure/.
    body
        Its text, in which the names of resources that outlive their stack are spelt out.
    parameters, resources
        Its sections as data, the short forms of functions (``!Sub``) as their long ones.
    imports
        The exports of other stacks that it takes.
    """

    layer: str
    body: str
    parameters: dict[str, dict[str, Any]]
    resources: dict[str, dict[str, Any]]
    imports: frozenset[str]


def load(layer: str, environment: str, account: str, region: str) -> Template:
    """Read a layer's template for an environment of an account.

    CloudFormation takes over a resource that is there already only where the template spells its name out
    (docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html); a name made by
    ``!Sub`` would be created, and fail. So these names are filled in here.
    """
    known = {"Environment": environment, "AWS::AccountId": account, "AWS::Region": region}
    body = _spell_out_names(template_text(layer), known)
    document = parse(body)
    return Template(
        layer,
        body,
        document.get("Parameters", {}),
        document["Resources"],
        frozenset(_fill(name, known) or name for name in _imported(document)),
    )


def template_text(layer: str) -> str:
    """Return the text of a layer's template as it lies in infrastructure/."""
    path = Path(__file__).parents[3] / f"infrastructure/{layer}.yaml"
    if not path.exists():
        raise DeployError(
            f"infrastructure/{layer}.yaml is not there.", todo="Run from a checkout of the project."
        )
    return path.read_text()


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms as their long ones."""


def _intrinsic(loader: Any, name: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if name == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def parse(body: str) -> dict[str, Any]:
    """Return a template's text as data."""
    document: dict[str, Any] = yaml.load(body, _Loader)
    return document


def retained(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return those of a template's resources that outlive their stack."""
    return {name: one for name, one in resources.items() if one.get("DeletionPolicy") in RETAINED}


def _fill(text: str, known: dict[str, str]) -> str | None:
    """Return a text of ``Fn::Sub`` with its variables filled in; None when one is not known yet."""
    if {*VARIABLE.findall(text)} <= {*known}:
        return VARIABLE.sub(lambda match: known[match.group(1)], text)
    return None


def _spell_out_names(body: str, known: dict[str, str]) -> str:
    """Fill in what ``!Sub`` makes of known variables in the properties of resources that outlive their stack."""
    resources = _child(yaml.compose(body, yaml.CSafeLoader), "Resources")
    # From the end, so that the marks of what is left stay true.
    for node in reversed([*_substitutions(resources)]):
        if (filled := _fill(node.value, known)) is not None:
            body = f'{body[: node.start_mark.index]}"{filled}"{body[node.end_mark.index :]}'
    return body


def _substitutions(resources: Any) -> Iterator[Any]:
    for _, resource in resources.value:
        policy, properties = _child(resource, "DeletionPolicy"), _child(resource, "Properties")
        if policy is not None and policy.value in RETAINED and properties is not None:
            yield from (
                node for _, node in properties.value if node.tag == "!Sub" and isinstance(node.value, str)
            )


def _child(mapping: Any, name: str) -> Any:
    return next((value for key, value in mapping.value if key.value == name), None)


def _imported(value: Any) -> Iterator[str]:
    """Yield the names in every ``Fn::ImportValue``, their variables not filled in."""
    if isinstance(value, dict):
        if "Fn::ImportValue" in value:
            name = value["Fn::ImportValue"]
            yield name if isinstance(name, str) else name["Fn::Sub"]
        for inner in value.values():
            yield from _imported(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _imported(inner)
