"""What the source alone says of a value: constants, dictionaries and lists of them, and texts with holes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from tests.infrastructure.program import Function, Module, Program, dotted_name, parameters


@dataclass(frozen=True)
class Unknown:
    """A value that is only known when the program runs."""


@dataclass(frozen=True)
class Text:
    """A text whose content is only known when the program runs."""


@dataclass(frozen=True)
class Fields:
    """A dictionary's known entries; ``open``: there may be others."""

    fields: dict[str, Any] = field(default_factory=dict)
    open: bool = False


UNKNOWN = Unknown()


def arguments(program: Program, module: Module, call: ast.Call | None) -> Fields:
    """Return the keyword arguments of a call; those of a method that is only referred to are not known."""
    if call is None:
        return Fields(open=True)
    return _merged(program, module, [(one.arg, one.value) for one in call.keywords])


def _merged(program: Program, module: Module, pairs: list[tuple[Any, ast.expr]]) -> Fields:
    fields: dict[str, Any] = {}
    is_open = False
    for key, node in pairs:
        value = known(program, module, node)
        if key is not None:
            fields[key] = value
        elif isinstance(value, Fields):
            fields |= value.fields
            is_open |= value.open
        else:
            is_open = True
    return Fields(fields, is_open)


def known(program: Program, module: Module, node: ast.AST) -> Any:
    """Return a constant, `Text`, `Fields`, a list of such, or `UNKNOWN`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return Text()
    if isinstance(node, ast.List | ast.Tuple):
        if any(isinstance(one, ast.Starred) for one in node.elts):
            return UNKNOWN
        return [known(program, module, one) for one in node.elts]
    if isinstance(node, ast.Dict):
        keys = [None if key is None else known(program, module, key) for key in node.keys]
        if any(key is not None and not isinstance(key, str) for key in keys):
            return Fields(open=True)
        return _merged(program, module, list(zip(keys, node.values, strict=True)))
    if isinstance(node, ast.Name | ast.Attribute) and (dotted := dotted_name(node)):
        return _named(program, module, node, dotted)
    return UNKNOWN


def _named(program: Program, module: Module, node: ast.AST, dotted: str) -> Any:
    """Return the value of a variable that is assigned once, in the function around or in a module."""
    for function in module.functions_around(node):
        if dotted in parameters(function):
            return UNKNOWN
        assigned = [value for name, value in _assignments(function) if name == dotted]
        if assigned:
            only = assigned[0] if len(assigned) == 1 else None
            return UNKNOWN if only is None or _changed(function, dotted) else known(program, module, only)
    found = program.symbol(program.meaning(module, dotted))
    if found is None:
        return UNKNOWN
    owner, statements = found
    values = [one.value for one in statements if isinstance(one, ast.Assign | ast.AnnAssign)]
    simple = len(statements) == len(values) == 1 and not isinstance(_target(statements[0]), ast.Tuple)
    return known(program, owner, values[0]) if simple and values[0] is not None else UNKNOWN


def _target(statement: ast.AST) -> ast.AST | None:
    if isinstance(statement, ast.Assign):
        return statement.targets[0]
    return statement.target if isinstance(statement, ast.AnnAssign) else None


def _assignments(function: Function) -> list[tuple[str, ast.expr | None]]:
    """Return the names that are stored to, with the value where it is a plain assignment."""
    plain: dict[ast.AST, ast.expr | None] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            plain[node.targets[0]] = node.value
        elif isinstance(node, ast.AnnAssign):
            plain[node.target] = node.value
    stored = [n for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [(node.id, plain.get(node)) for node in stored]


def _changed(function: Function, name: str) -> bool:
    """Tell whether a dictionary or list may get other entries: ``x[...] = ...`` or a method of it is called."""
    for node in ast.walk(function):
        inner = getattr(node, "value", None)
        if (
            isinstance(inner, ast.Name)
            and inner.id == name
            and isinstance(node, ast.Subscript | ast.Attribute)
        ):
            stored = isinstance(node.ctx, ast.Store)
            if stored or (
                isinstance(node, ast.Attribute) and node.attr in ("update", "append", "setdefault")
            ):
                return True
    return False
