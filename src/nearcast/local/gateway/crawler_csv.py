"""What CSV objects hold: their delimiter, whether they have a header, and the types of their columns.

As AWS does, the first 1,000 records or the first megabyte are looked at, whichever ends first
(repost.aws/knowledge-center/glue-crawler-multiple-tables); the rules for headers are those of
docs.aws.amazon.com/glue/latest/dg/add-classifier.html (built-in CSV classifier).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nearcast.local.gateway.crawler_types import NULL, STRING, Schema, merge

RECORDS = 1000
BYTES = 1 << 20
DELIMITERS = (",", "|", "\t", ";", "\x01")
HEADER_WIDTH = 150
INTEGER = re.compile(r"[+-]?\d{1,19}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
BIGINT = range(-(2**63), 2**63)
# A value may be as long as what is looked at.
csv.field_size_limit(BYTES)
COLUMN_NAME = re.compile(r"[^\x00-\x1f]+")


class MismatchError(Exception):
    """A classifier does not recognise an object; the message says why."""


@dataclass(frozen=True)
class CsvRules:
    """What a CSV classifier asks for (API_CsvClassifier); the defaults are the built-in one's.

    Parameters
    ----------
    delimiter
        The character between columns; empty: one of those that AWS tries.
    quote
        The character around values.
    header
        PRESENT, ABSENT or UNKNOWN (found out).
    names
        The columns' names, instead of the header's.
    trim
        Whether values are trimmed before their type is looked at.
    single_column
        Whether one column is enough.
    records
        The fewest rows that an object must have.
    """

    delimiter: str = ""
    quote: str = '"'
    header: str = "UNKNOWN"
    names: tuple[str, ...] = ()
    trim: bool = False
    single_column: bool = False
    records: int = 2


@dataclass(frozen=True)
class CsvSample:
    """What was found: the columns, the delimiter, whether there is a header, and whether values are quoted."""

    schema: Schema
    delimiter: str
    header: bool
    quoted: bool


def sample(path: Path, rules: CsvRules, known: list[str]) -> CsvSample:
    """Look at the beginning of a CSV object.

    ``known`` are the columns that its table has already: a first row that repeats them is a header, whatever the
    other rows hold. Raises MismatchError when the rules do not recognise it.
    """
    text = _beginning(path)
    delimiters = (rules.delimiter,) if rules.delimiter else DELIMITERS
    reasons = []
    for delimiter in delimiters:
        try:
            rows = _rows(text, delimiter, rules)
        except MismatchError as mismatch:
            reasons.append(str(mismatch))
            continue
        header = _header(rows, rules, known)
        data = rows[1:] if header else rows
        names = _names(rows[0], header, rules)
        kinds = [_column_type([row[place] for row in data]) for place in range(len(names))]
        return CsvSample(dict(zip(names, kinds, strict=True)), delimiter, header, rules.quote in text)
    raise MismatchError(reasons[0])


def _beginning(path: Path) -> str:
    with path.open("rb") as stream:
        body = stream.read(BYTES)
        if stream.read(1):
            body = body[: body.rfind(b"\n") + 1]
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MismatchError(f"byte {error.start} is not UTF-8") from error


def _rows(text: str, delimiter: str, rules: CsvRules) -> list[list[str]]:
    reader = csv.reader(
        text.splitlines(keepends=True), delimiter=delimiter, quotechar=rules.quote, strict=True
    )
    rows: list[list[str]] = []
    try:
        for row in islice((row for row in reader if row), RECORDS):
            if rows and len(row) != len(rows[0]):
                counts = f"line {reader.line_num} has {len(row)} columns, the first has {len(rows[0])}"
                raise MismatchError(f"{counts} (delimiter {delimiter!r})")
            rows.append([value.strip() for value in row] if rules.trim else row)
    except csv.Error as error:
        raise MismatchError(f"line {reader.line_num} is no CSV: {error}") from error
    if len(rows) < rules.records:
        raise MismatchError(f"it has fewer than {rules.records} rows")
    if len(rows[0]) < 2 and not rules.single_column:
        raise MismatchError(f"it has fewer than two columns (delimiter {delimiter!r})")
    return rows


def _header(rows: list[list[str]], rules: CsvRules, known: list[str]) -> bool:
    if rules.header != "UNKNOWN":
        return rules.header == "PRESENT"
    first = [name.lower() for name in rows[0]]
    if known and first[: len(known)] == known[: len(first)]:
        return True
    titles = all(_value_type(value) == STRING for value in rows[0][:-1])
    titles = titles and _value_type(rows[0][-1]) in (STRING, NULL)
    named = all(len(value) < HEADER_WIDTH and COLUMN_NAME.fullmatch(value) for value in rows[0][:-1])
    kinds = (_column_type([row[place] for row in rows[1:]]) for place in range(len(first)))
    return titles and named and any(kind not in (STRING, NULL) for kind in kinds)


def _names(first: list[str], header: bool, rules: CsvRules) -> list[str]:
    given = list(rules.names) or (first if header else [""] * len(first))
    if len(given) != len(first):
        raise MismatchError(f"it has {len(first)} columns, the classifier names {len(given)}")
    names = [name.strip().lower() or f"col{place + 1}" for place, name in enumerate(given)]
    if len(set(names)) < len(names):
        raise MismatchError(f"its columns {', '.join(names)} are not all different")
    return names


def _column_type(values: list[str]) -> str:
    kind: str = NULL
    for value in values:
        kind = merge(kind, _value_type(value))
    return kind


def _value_type(value: str) -> str:
    if not value:
        return NULL
    if INTEGER.fullmatch(value) and int(value) in BIGINT:
        return "bigint"
    if NUMBER.fullmatch(value):
        return "double"
    return "boolean" if value.lower() in ("true", "false") else STRING
