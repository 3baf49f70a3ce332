"""Types as a crawler learns them: one for each column, which grows with every object that is read.

Types are a semilattice: merging is associative, commutative and idempotent, so it does not matter in which order, or
in how many crawls, objects are read. A type is Hive's name of a scalar, a list of one type (an array) or a dict of
field names to types (a struct). ``null`` is below every type, ``string`` above every one.
"""

from __future__ import annotations

import re
from typing import Any

Type = Any
"""``str | list[Type] | dict[str, Type]``, as JSON can hold it."""
Schema = dict[str, Type]
"""Column to type, in the table's order."""

NULL = "null"
STRING = "string"
INTEGERS = ("tinyint", "smallint", "int", "bigint")
FLOATS = ("float", "double")
DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
MAX_DIGITS = 38


def merge(one: Type, other: Type) -> Type:
    """Return the narrowest type that holds the values of both."""
    if one == other or other == NULL:
        return one
    if one == NULL:
        return other
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        return merge_schemas(one, other)
    if isinstance(one, str) and isinstance(other, str):
        return _wider(one, other)
    return STRING


def merge_schemas(one: Schema, other: Schema) -> Schema:
    """Return the columns of both: those of ``one`` in their order, then what ``other`` adds."""
    return {**one, **{name: merge(one.get(name, NULL), kind) for name, kind in other.items()}}


def _wider(one: str, other: str) -> str:
    numbers = INTEGERS + FLOATS
    if one in numbers and other in numbers:
        if one in INTEGERS and other in INTEGERS:
            return max(one, other, key=INTEGERS.index)
        return "double"
    first, second = DECIMAL.fullmatch(one), DECIMAL.fullmatch(other)
    if first and second:
        scale = max(int(first[2]), int(second[2]))
        digits = scale + max(int(found[1]) - int(found[2]) for found in (first, second))
        return f"decimal({digits},{scale})" if digits <= MAX_DIGITS else STRING
    return STRING


def to_hive(kind: Type) -> str:
    """Return Hive's name of a type; of what was only ever null, ``string``."""
    if isinstance(kind, list):
        return f"array<{to_hive(kind[0])}>"
    if isinstance(kind, dict):
        fields = ",".join(f"{name}:{to_hive(field)}" for name, field in kind.items())
        return f"struct<{fields}>" if fields else STRING
    return STRING if kind == NULL else str(kind)
