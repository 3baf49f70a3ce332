"""The sizes are those of records that the product's own code makes of real prices."""

from __future__ import annotations

import base64
import csv
import json
import math
import statistics
from dataclasses import astuple
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.cost.record_sizes import (
    REFERENCE_ROW,
    change_record,
    firehose_record,
    item_bytes,
    record_sizes,
    sizes_of,
)
from nearcast.cost.tables import limit
from nearcast.stream.dynamodb import deletion_mark, to_item
from nearcast.stream.transformer import lambda_handler

ROOT = Path(__file__).parents[2]
EXAMPLES = json.loads((ROOT / "tests" / "stream" / "change_records_aws.json").read_text())
OF_THE_MOMENT = ("ApproximateCreationDateTime", "ApproximateCreationDateTimePrecision", "SizeBytes")


def documented_bytes(item: dict[str, Any]) -> int:
    """Compute an item's size a second way: by the digits of each number's Decimal."""
    total = 0
    for name, attribute in item.items():
        total += len(name.encode("utf-8"))
        for kind, value in attribute.items():
            if kind == "N":
                number = Decimal(value).normalize()
                digits = 0 if number == 0 else len(number.as_tuple().digits)
                total += 1 + math.ceil(digits / 2) + (1 if value.startswith("-") else 0)
            else:
                total += 1 if isinstance(value, bool) else len(value.encode("utf-8"))
    return total


@given(
    st.text("ABCÄ^-._", min_size=1, max_size=12),
    st.dates(),
    st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4),
    st.integers(0, 2**62),
    st.integers(1, 2**62),
    st.dictionaries(
        st.text("abcé", min_size=1, max_size=5), st.floats(-1e9, 1e9) | st.booleans() | st.text()
    ),
)
def test_an_items_size_is_that_of_dynamodbs_rule(
    symbol: str, day: date, prices: list[float], volume: int, version: int, more: dict[str, Any]
) -> None:
    item = to_item((symbol, day, *prices, volume, version), more)
    assert item_bytes(item) == documented_bytes(item)


def test_a_deletion_mark_is_smaller_than_a_row() -> None:
    assert item_bytes(deletion_mark(REFERENCE_ROW)) < record_sizes().item


@pytest.mark.parametrize("kind", ["insert", "modify"])
def test_the_change_record_is_in_awss_shape(kind: str) -> None:
    example = EXAMPLES[kind]
    images = example["dynamodb"]
    made = change_record(images["NewImage"], images.get("OldImage"))
    assert list(made) == list(example) and list(made["dynamodb"]) == list(images)
    made["eventID"] = example["eventID"]
    made["dynamodb"] |= {name: images[name] for name in OF_THE_MOMENT}
    assert made == example


def test_the_line_is_what_the_lambda_answers() -> None:
    change = json.dumps(change_record(*[to_item(REFERENCE_ROW)] * 2), separators=(",", ":")).encode()
    [answer] = lambda_handler({"records": [firehose_record(change)]}, None)["records"]
    line = base64.b64decode(answer["data"])
    assert answer["result"] == "Ok" and json.loads(line)["close_price"] == REFERENCE_ROW[5]
    assert (record_sizes().change, record_sizes().line) == (len(change), len(line))


def test_the_reference_row_stands_for_the_bundled_prices() -> None:
    with (ROOT / "data" / "stocks_daily.csv").open() as file:
        rows = [
            (
                bar["symbol"],
                date.fromisoformat(bar["date"]),
                *(float(bar[name]) for name in ("open", "high", "low", "close")),
                int(bar["volume"]),
                1_000_000 + number,
            )
            for number, bar in enumerate(csv.DictReader(file))
        ]
    assert any(row[:7] == REFERENCE_ROW[:7] for row in rows)
    found = [sizes_of(to_item(row)) for row in rows[::7]]
    for mine, theirs in zip(astuple(record_sizes()), zip(*map(astuple, found), strict=True), strict=True):
        assert abs(statistics.mean(theirs) / mine - 1) < 0.08
    # What is billed by the record is the same for each of them.
    for name, size in (
        ("dynamodb-write-unit", max(one.item for one in found)),
        ("kinesis-put-unit", max(one.change for one in found)),
        ("kinesis-on-demand-rounding", max(one.change for one in found)),
        ("firehose-rounding", max(one.change for one in found)),
    ):
        assert size <= limit(name)
