"""Patterns of format_datetime and parse_datetime (Joda-Time's) as those of strftime.

Source: trino.io/docs/current/functions/datetime.html#java-date-functions
"""

from __future__ import annotations

import re

from nearcast.local.gateway.athena_errors import QueryError

PIECES = {
    "yyyy": "%Y",
    "y": "%Y",
    "yy": "%y",
    "xxxx": "%G",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "DDD": "%j",
    "EEEE": "%A",
    "EEE": "%a",
    "E": "%a",
    "e": "%u",
    "ww": "%V",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSS": "%g",
    "a": "%p",
}
TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


def strftime(pattern: str) -> str:
    """Return strftime's pattern. Raises QueryError for a letter that it has no equal of."""
    written = []
    for found in TOKEN.finditer(pattern):
        text = found[0]
        if text.startswith("'"):
            written.append((found[1].replace("''", "'") or "'").replace("%", "%%"))
        elif found[2]:
            if text not in PIECES:
                raise QueryError(
                    f"NOT_SUPPORTED: '{text}' in a date pattern is not supported by the local Athena"
                )
            written.append(PIECES[text])
        else:
            written.append(text.replace("%", "%%"))
    return "".join(written)
