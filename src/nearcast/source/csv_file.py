"""Daily bars from a user's CSV file: every row is a bar, or is named with its line and what is wrong with it.

Columns are found by name, in any order and case. Nothing is guessed: a number with a comma or a date such as
03/04/2023, which can be read in two ways, is rejected.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from nearcast.errors import SourceError
from nearcast.source.bar import Bar, fault

HEADINGS = {
    "date": ("date", "day", "tradingday"),
    "open": ("open", "openprice"),
    "high": ("high", "highprice"),
    "low": ("low", "lowprice"),
    "close": ("close", "closeprice", "closelast"),
    "volume": ("volume", "vol"),
    "adjusted": ("adjclose", "adjusted", "adjustedclose", "adjcloseprice"),
    "symbol": ("symbol", "ticker", "stocksymbol"),
}
"""The columns, and what their headings may be (in lower case, letters and digits only)."""

REQUIRED = ("date", "open", "high", "low", "close", "volume")
DELIMITERS = (",", ";", "\t", "|")
LONGEST_LINE = 1_000_000

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ISO_DATE = re.compile(
    r"(\d{4})[-/](\d{2})[-/](\d{2})([T ]00:00(:00(\.0+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)
_TWO_WAYS = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^_-]{0,15}", re.ASCII)


@dataclass(frozen=True)
class Rejected:
    """A row that was not taken: its line in the file (the heading is line 1), and why."""

    line: int
    reason: str


def read_bars(path: Path, symbols: Sequence[str] = ()) -> Iterator[Bar | Rejected]:
    """Yield each row of a CSV file in its order, as a bar or as rejected; rows are never held in memory.

    Parameters
    ----------
    path
        The file: UTF-8, with a heading; comma, semicolon, tab or bar between fields.
    symbols
        With a Symbol column: only these (none: all). Without one: the one symbol of the whole file.

    Raises
    ------
    SourceError
        There is no such file, it is not a CSV file, lacks a column or has no rows, or the symbols do not fit.
    """
    wanted = tuple(normalise_symbol(symbol) for symbol in symbols)
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield from _read(path, stream, wanted)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", todo="Name a CSV file.") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a text file in UTF-8.", todo="Save it as CSV in UTF-8.") from error


def normalise_symbol(text: str) -> str:
    """Return a symbol in capitals.

    Raises
    ------
    SourceError
        It is not a ticker symbol: up to 16 letters, digits, dots, dashes, underscores and carets.
    """
    symbol = text.strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise SourceError(f"{text!r} is not a ticker symbol.", todo="Name one such as NFLX or BRK.B.")
    return symbol


def _read(path: Path, stream: TextIO, wanted: tuple[str, ...]) -> Iterator[Bar | Rejected]:
    lines = _lines(path, stream)
    heading = next(lines, (1, ""))[1]
    reader = _RowReader(path, heading, wanted)
    found = False
    for number, line in lines:
        row = reader.read(number, line)
        if row is not None:
            found = True
            yield row
    if not found:
        of = f" of {', '.join(wanted)}" if wanted and "symbol" in reader.columns else ""
        raise SourceError(f"{path} has no rows{of}.", todo="Name a file, and symbols, with rows.")


def _lines(path: Path, stream: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), ""), start=1):
        if "\0" in line or len(line) == LONGEST_LINE:
            raise SourceError(f"{path} is not a CSV file.", todo="Save it as CSV in UTF-8.")
        if line.strip():
            yield number, line.rstrip("\n")


class _RowReader:
    """Reads the lines of one file, by the columns that its heading names."""

    def __init__(self, path: Path, heading: str, wanted: tuple[str, ...]) -> None:
        self.delimiter, headings = _split_heading(heading)
        self.columns = _find_columns(path, headings)
        self.fields = len(headings)
        self.wanted = frozenset(wanted)
        self.symbol = wanted[0] if len(wanted) == 1 else None
        self.first_line: dict[tuple[str, Date], int] = {}
        if "symbol" not in self.columns and self.symbol is None:
            raise SourceError(
                f"{path} has no Symbol column, and {len(wanted) or 'no'} symbols were named.",
                todo="Say whose prices they are: --symbol NFLX.",
            )

    def read(self, number: int, line: str) -> Bar | Rejected | None:
        """Return the line as a bar or as rejected; None when it belongs to a symbol that is not wanted."""
        try:
            fields = self._split(line)
            symbol = self._symbol(fields)
            if symbol is None:
                return None
            bar = self._bar(symbol, fields)
            if wrong := fault(bar):
                raise ValueError(wrong)
            first = self.first_line.setdefault((bar.stock_symbol, bar.date), number)
            if first != number:
                raise ValueError(f"duplicate: {bar.stock_symbol} {bar.date} is on line {first} already")
        except (ValueError, csv.Error) as error:
            return Rejected(number, str(error))
        return bar

    def _split(self, line: str) -> list[str]:
        # A line at a time, so that a quote that is never closed costs that line and not the rest.
        fields = next(csv.reader([line], delimiter=self.delimiter, strict=True))
        if len(fields) != self.fields:
            raise ValueError(f"{len(fields)} fields where the heading has {self.fields}")
        return [field.strip() for field in fields]

    def _symbol(self, fields: list[str]) -> str | None:
        if "symbol" not in self.columns:
            return self.symbol
        text = fields[self.columns["symbol"]]
        symbol = text.upper()
        if not _SYMBOL.fullmatch(symbol):
            raise ValueError(f"{text!r} is not a ticker symbol" if text else "no symbol")
        return symbol if not self.wanted or symbol in self.wanted else None

    def _bar(self, symbol: str, fields: list[str]) -> Bar:
        cell = {name: fields[index] for name, index in self.columns.items()}
        return Bar(
            stock_symbol=symbol,
            date=_date(cell["date"]),
            open_price=_price("open", cell["open"]),
            high_price=_price("high", cell["high"]),
            low_price=_price("low", cell["low"]),
            close_price=_price("close", cell["close"]),
            volume=_volume(cell["volume"]),
            adjusted_close=_price("adjusted close", cell["adjusted"]) if cell.get("adjusted") else None,
        )


def _split_heading(heading: str) -> tuple[str, list[str]]:
    """Return the delimiter under which most columns are found, and the headings in lower case."""

    def split(delimiter: str) -> list[str]:
        try:
            names = next(csv.reader([heading], delimiter=delimiter, strict=True), [])
        except csv.Error:
            return []
        return [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]

    def known(delimiter: str) -> int:
        return sum(any(name in names for names in HEADINGS.values()) for name in split(delimiter))

    best = max(DELIMITERS, key=known)
    return best, split(best)


def _find_columns(path: Path, headings: list[str]) -> dict[str, int]:
    places = {
        column: [index for index, heading in enumerate(headings) if heading in names]
        for column, names in HEADINGS.items()
    }
    lacking = [column.capitalize() for column in REQUIRED if not places[column]]
    twice = [column.capitalize() for column, found in places.items() if len(found) > 1]
    if lacking or twice:
        what = f"lacks {', '.join(lacking)}" if lacking else f"has more than one {', '.join(twice)}"
        raise SourceError(
            f"{path} {what} in its first line.",
            todo="Its first line must name Date, Open, High, Low, Close and Volume, each once.",
        )
    return {column: found[0] for column, found in places.items() if found}


def _price(name: str, text: str) -> float:
    price = float(_number(name, text))
    if not math.isfinite(price):
        raise ValueError(f"{name} {text!r} is not finite")
    return price


def _volume(text: str) -> int:
    number = Decimal(_number("volume", text))
    # The exponent first: int(Decimal("1e999999999")) would fill the memory.
    if number.adjusted() > 19:
        raise ValueError(f"volume {text!r} is too large")
    if number != number.to_integral_value():
        raise ValueError(f"volume {text!r} is not a whole number")
    return int(number)


def _number(name: str, text: str) -> str:
    if not text:
        raise ValueError(f"no {name}")
    if not _NUMBER.fullmatch(text):
        why = "has a comma: write 1234.5" if "," in text else "is not a number"
        raise ValueError(f"{name} {text!r} {why}")
    return text


def _date(text: str) -> Date:
    if not text:
        raise ValueError("no date")
    if match := _ISO_DATE.fullmatch(text):
        try:
            return Date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            raise ValueError(f"there is no day {text!r}") from None
    if _TWO_WAYS.fullmatch(text):
        raise ValueError(f"date {text!r} can be read in two ways: write YYYY-MM-DD")
    for form in ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y"):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise ValueError(f"date {text!r} is not a date: write YYYY-MM-DD")
