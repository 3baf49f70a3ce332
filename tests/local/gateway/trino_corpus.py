"""The corpus of statements, what a real Trino answered to them, and that answer as Athena writes it."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearcast.local.gateway.athena_types import java_double

STATEMENTS = Path(__file__).with_name("trino_corpus.sql")
ANSWERS = Path(__file__).with_name("trino_answers.json")
TABLES = ("raw_prices", "kinds", "prices", "missing_table", "missing_database")
KINDS = """
CREATE TABLE kinds WITH (format = 'PARQUET') AS
SELECT * FROM (VALUES
    (1, CAST(10.25 AS decimal(10, 2)), ARRAY['x', 'y'], MAP(ARRAY['a'], ARRAY[1.5e0]),
     CAST(ROW(1, 'p') AS ROW(x integer, y varchar)), TIMESTAMP '2020-01-02 03:04:05.678', DATE '2020-01-02', 0.5e0),
    (2, CAST(-0.05 AS decimal(10, 2)), ARRAY[], MAP(), CAST(ROW(2, NULL) AS ROW(x integer, y varchar)),
     TIMESTAMP '2021-01-02 00:00:00.000', DATE '2021-01-02', 0e0 / 0),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) AS t(id, price, tags, scores, place, made, day, ratio)
"""
"""A Parquet table with a column of each kind."""
CLOSE = 1e-12
"""How near doubles must be, relatively: two libraries differ in the last bits of a sine or a sum of squares."""
APPROXIMATE = {"approx_distinct": 0.065, "approx_percentile": 0.01}
"""How near approximate functions must be: the standard error that Trino documents for the first; it documents
none for the second, whose digest keeps this one."""


def statements() -> list[str]:
    """Return the corpus in its order."""
    lines = STATEMENTS.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("--")]


def recorded() -> dict[str, Any]:
    """Return what was recorded: ``trino`` (version), ``recorded`` (date), ``answers`` by statement."""
    found: dict[str, Any] = json.loads(ANSWERS.read_text())
    return found


def reads_a_table(sql: str) -> bool:
    """Return whether a statement reads a table of the catalog."""
    return any(re.search(rf"\b(FROM|JOIN|TABLE) {table}\b", sql) for table in TABLES)


def difference(sql: str, answer: dict[str, Any], columns: list[dict[str, Any]], rows: Any) -> str | None:
    """Return how Athena's columns (ColumnInfo) and rows differ from Trino's answer; None when they are the same."""
    if "error" in answer:
        return f"{answer['error']} expected, not {rows}"
    named = [(column["Name"], _described(column)) for column in columns]
    wanted = [(n, type_name(t)) for n, t in zip(answer["names"], answer["types"], strict=True)]
    if named != wanted:
        return f"columns {wanted} expected, not {named}"
    texts = [
        [None if v is None else as_text(v, t) for v, t in zip(row, answer["types"], strict=True)]
        for row in answer["rows"]
    ]
    near = max([CLOSE, *(bound for name, bound in APPROXIMATE.items() if name in sql)])
    same = len(rows) == len(texts) and all(
        _same(a, b, kind, near)
        for row, text in zip(rows, texts, strict=True)
        for a, b, kind in zip(row, text, answer["types"], strict=True)
    )
    return None if same else f"{texts} expected, not {rows}"


def type_name(kind: str) -> str:
    """Return Athena's name of Trino's type; a decimal keeps its precision and scale."""
    kind = kind.lower()
    if kind.startswith("decimal"):
        return kind.replace(" ", "")
    name = re.sub(r"\(.*\)", "", kind)
    return "float" if name == "real" else name


def as_text(value: Any, kind: str) -> str:
    """Return a JSON value of Trino's protocol as Athena's text.

    Timestamps have three decimals, as for every client of Trino that does not ask for more; bytes are hexadecimal.
    """
    if value is None:
        return "null"
    kind = kind.lower()
    name = kind.partition("(")[0]
    if name == "array":
        (inner,) = _parts(kind)
        return "[" + ", ".join(as_text(item, inner) for item in value) + "]"
    if name == "map":
        _, inner = _parts(kind)
        return "{" + ", ".join(f"{key}={as_text(item, inner)}" for key, item in value.items()) + "}"
    if name == "row":
        fields = [_field(part, place) for place, part in enumerate(_parts(kind))]
        pairs = zip(value, fields, strict=True)
        return "{" + ", ".join(f"{field}={as_text(item, inner)}" for item, (field, inner) in pairs) + "}"
    if name == "varbinary":
        return " ".join(f"{byte:02x}" for byte in base64.b64decode(value))
    if name in ("double", "real"):
        return java_double(float(value))
    if name.startswith("time"):
        return _milliseconds(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _described(column: dict[str, Any]) -> str:
    kind: str = column["Type"]
    return f"decimal({column['Precision']},{column['Scale']})" if kind == "decimal" else kind


def _parts(kind: str) -> list[str]:
    """Return the types between a type's outer parentheses."""
    return list(_split(kind[kind.index("(") + 1 : kind.rindex(")")]))


def _split(text: str) -> Iterator[str]:
    depth = start = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _field(part: str, place: int) -> tuple[str, str]:
    """Return the name and type of a row's field; one without a name is numbered."""
    name, space, kind = part.partition(" ")
    spaced = ("interval", "timestamp", "time")
    if space and "(" not in name and name not in spaced:
        return name.strip('"'), kind
    return f"field{place}", part


def _milliseconds(text: str) -> str:
    found = re.fullmatch(r"(.*?:\d\d:\d\d|\d\d:\d\d:\d\d)(\.\d+)?(.*)", text)
    assert found, text
    digits = (found[2] or ".")[1:].ljust(3, "0")
    return f"{found[1]}.{digits[:3]}{found[3]}"


def _same(given: str | None, wanted: str | None, kind: str, near: float) -> bool:
    if given == wanted or given is None or wanted is None:
        return given == wanted
    if near > CLOSE or kind in ("double", "real"):
        numbers = [
            [float(text) for text in re.findall(r"-?[\d.]+(?:E-?\d+)?|NaN|-?Infinity", side)]
            for side in (given, wanted)
        ]
        return len(numbers[0]) == len(numbers[1]) and all(
            math.isclose(a, b, rel_tol=near) for a, b in zip(*numbers, strict=True)
        )
    return False
