"""The macros of athena_functions.sql, defined when a query names them: all of them take longer than most queries."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("athena_functions.sql")


@cache
def definitions() -> dict[str, str]:
    """Return each macro's CREATE MACRO by its name, in the file's order: those that others use come first."""
    statements = re.sub(r"--[^\n]*\n", "", FILE.read_text()).split(";\n")
    named = ((re.match(r"\s*CREATE MACRO (\w+)", statement), statement) for statement in statements)
    return {found[1]: statement for found, statement in named if found}


@cache
def _uses(name: str) -> frozenset[str]:
    """Return the macros that a macro uses, itself among them."""
    others = _named_in(definitions()[name]) - {name}
    return frozenset({name}).union(*map(_uses, others))


def _named_in(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql.lower())) & definitions().keys()


def define(connection: Any, sql: str) -> None:
    """Define the macros that a statement names, and those that they use."""
    needed: set[str] = set().union(*map(_uses, _named_in(sql)))
    for name, statement in definitions().items():
        if name in needed:
            connection.execute(statement.replace("CREATE MACRO", "CREATE MACRO IF NOT EXISTS", 1))
