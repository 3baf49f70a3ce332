"""Partition projection: which partitions a table's properties give, and what a query then reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.local.gateway.athena_client import BUCKET, Answer, run

SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
PRICES = (
    "stock_symbol string, `date` date, open_price double, high_price double, low_price double, close_price double,"
    " volume bigint"
)


def done(athena: Any, sql: str) -> Answer:
    answer = run(athena, sql)
    assert answer.state == "SUCCEEDED", answer.reason
    return answer


def create(
    athena: Any,
    name: str,
    keys: str,
    properties: dict[str, str],
    place: str | None = None,
    columns: str = "a int",
) -> None:
    """Make a table over JSON whose partitions are projected."""
    listed = ", ".join(f"'{k}' = '{v}'" for k, v in {"projection.enabled": "true", **properties}.items())
    done(athena, f"DROP TABLE IF EXISTS {name}")
    done(
        athena,
        f"CREATE EXTERNAL TABLE {name} ({columns}) PARTITIONED BY ({keys}) {SERDE}"
        f" LOCATION 's3://{BUCKET}/{place or name}/' TBLPROPERTIES ({listed})",
    )


def put(gateway: Any, key: str, *values: int) -> int:
    """Put an object of rows and return its size."""
    body = "".join(json.dumps({"a": value}) + "\n" for value in values).encode()
    gateway.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return len(body)


@pytest.fixture(scope="module")
def projected(athena: Any) -> None:
    """The raw prices once more, their partitions projected."""
    years = {"projection.year.type": "enum", "projection.year.values": "2013,2014"}
    months = {"type": "integer", "range": "1,12", "digits": "2"}
    properties = years | {f"projection.month.{name}": value for name, value in months.items()}
    create(athena, "projected", "year string, month string", properties, "prices", PRICES)


@pytest.mark.parametrize(
    "where",
    [
        "true",
        "year = '2014'",
        "year = '2014' AND month IN ('01', '12')",
        "CAST(month AS integer) BETWEEN 3 AND 5 OR year = '2013'",
        "NOT (year = '2013') AND month <> '07' AND close_price > 60",
        "year = '1999'",
    ],
)
def test_a_projected_table_is_the_catalogs_own(athena: Any, projected: None, where: str) -> None:
    query = f"SELECT count(*), sum(volume), min(date), max(year || month) FROM {{}} WHERE {where}"
    both = [done(athena, query.format(table)) for table in ("projected", "raw_prices")]
    assert both[0].rows == both[1].rows and both[0].scanned == both[1].scanned


def test_the_catalogs_partitions_are_ignored(athena: Any, gateway: Any) -> None:
    one = put(gateway, "ignored/k=1/part", 1)
    put(gateway, "ignored/k=9/part", 9)
    create(athena, "ignored", "k int", {"projection.k.type": "integer", "projection.k.range": "1,3"})
    assert done(athena, "SHOW PARTITIONS ignored").lines == []
    done(athena, "MSCK REPAIR TABLE ignored")
    assert done(athena, "SHOW PARTITIONS ignored").lines == [["k=1"], ["k=9"]]
    answer = done(athena, "SELECT a, k FROM ignored")
    assert answer.rows == [["1", "1"]] and answer.scanned == one
    done(athena, "INSERT INTO ignored VALUES (2, 3)")
    assert done(athena, "SELECT a, k FROM ignored ORDER BY a").rows == [["1", "1"], ["2", "3"]]


def test_dates_lie_where_the_template_says(athena: Any, gateway: Any) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(4)]
    sizes = [put(gateway, f"logs/{day:%Y/%m/%d}/x/part", number) for number, day in enumerate(days)]
    create(
        athena,
        "logs",
        "`day` string",
        {
            "projection.day.type": "date",
            "projection.day.range": " NOW-2DAYS , NOW ",
            "projection.day.format": "yyyy/MM/dd",
            "storage.location.template": f"s3://{BUCKET}/logs/${{day}}/x/",
        },
    )
    assert done(athena, "SELECT a, day FROM logs ORDER BY a").rows == [
        [str(number), f"{day:%Y/%m/%d}"] for number, day in enumerate(days[:3])
    ]
    recent = done(athena, f"SELECT a FROM logs WHERE day >= '{days[1]:%Y/%m/%d}' ORDER BY 1")
    assert recent.rows == [["0"], ["1"]] and recent.scanned == sizes[0] + sizes[1]


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        (
            "by_day",
            {"range": "2024-01-30,2024-02-02", "format": "yyyy-MM-dd"},
            ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"],
        ),
        (
            "by_month",
            {"range": "2023-11,2024-02", "format": "yyyy-MM"},
            ["2023-11", "2023-12", "2024-01", "2024-02"],
        ),
        (
            "by_week",
            {
                "range": "2024-01-01,2024-01-20",
                "format": "yyyy-MM-dd",
                "interval": "1",
                "interval.unit": "WEEKS",
            },
            ["2024-01-01", "2024-01-08", "2024-01-15"],
        ),
        (
            "by_hours",
            {
                "range": "2024-01-01T22:00,2024-01-02T04:00",
                "format": "yyyy-MM-dd''T''HH:mm",
                "interval": "3",
                "interval.unit": "hours",
            },
            ["2024-01-01T22:00", "2024-01-02T01:00", "2024-01-02T04:00"],
        ),
    ],
)
def test_ranges_step_by_their_interval(
    athena: Any, gateway: Any, name: str, properties: dict[str, str], expected: list[str]
) -> None:
    properties = {f"projection.k.{key}": value.replace("''", "\\'") for key, value in properties.items()}
    create(athena, name, "k string", {"projection.k.type": "date", **properties})
    for number, value in enumerate(["2019", *expected, "2031"]):
        put(gateway, f"{name}/k={quote(value)}/part", number)
    assert done(athena, f"SELECT k FROM {name} ORDER BY k").rows == [[value] for value in expected]


def test_injected_keys_take_their_values_from_the_query(athena: Any, gateway: Any) -> None:
    sizes = [put(gateway, f"devices/device={name}/part", number) for number, name in enumerate("abc")]
    create(athena, "devices", "device string", {"projection.device.type": "injected"})
    one = done(athena, "SELECT a, device FROM devices WHERE device = 'b'")
    assert one.rows == [["1", "b"]] and one.scanned == sizes[1]
    two = done(athena, "SELECT a FROM devices WHERE device IN ('a', concat('c', '')) AND a >= 0 ORDER BY a")
    assert two.rows == [["0"], ["2"]]
    for where in (
        "",
        "WHERE a = 1",
        "WHERE device > 'a'",
        "WHERE device = 'a' OR a = 1",
        "WHERE device = device",
    ):
        assert run(athena, f"SELECT a FROM devices {where}").reason == (
            "CONSTRAINT_VIOLATION: For the injected projected partition column device, the WHERE clause must"
            " contain only static equality conditions, and at least one such condition must be present."
        )


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "missing projection configuration: ['k']"),
        ({"type": "enum"}, "projection.k.values is required"),
        ({"type": "number"}, "unknown projection type 'number'"),
        ({"type": "integer", "range": "1"}, "must be two values"),
        ({"type": "integer", "range": "1,x"}, "'x' is no integer"),
        ({"type": "integer", "range": "2,1"}, "is empty"),
        ({"type": "integer", "range": "1,2000000"}, "HIVE_EXCEEDED_PARTITION_LIMIT: "),
        ({"type": "date", "range": "2024,2025"}, "projection.k.format is required"),
        ({"type": "date", "range": "2024,2025", "format": "yyyy"}, "interval.unit is required"),
        ({"type": "date", "range": "2024-1,NOW", "format": "yyyy/MM"}, "is not in its format"),
        ({"type": "date", "range": "NOW,NOW-1DAY", "format": "yyyy-MM-dd"}, "ends before it begins"),
        ({"type": "date", "range": "2024,NOW", "format": "YYYY"}, "NOT_SUPPORTED: "),
    ],
)
def test_a_wrong_property_is_named(athena: Any, properties: dict[str, str], reason: str) -> None:
    create(athena, "wrong", "k string", {f"projection.k.{name}": value for name, value in properties.items()})
    answer = run(athena, "SELECT * FROM wrong")
    assert answer.state == "FAILED" and reason in answer.reason
    assert answer.reason.startswith(("INVALID_TABLE_PROPERTY: Table athena_tests.wrong ", reason))


def test_a_template_without_a_key_is_refused(athena: Any) -> None:
    template = {"storage.location.template": f"s3://{BUCKET}/x/", "projection.k.type": "enum"}
    create(athena, "wrong", "k string", {**template, "projection.k.values": "1"})
    assert "does not contain the partition column k" in run(athena, "SELECT * FROM wrong").reason
