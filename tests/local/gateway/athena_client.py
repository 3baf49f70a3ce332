"""What the Athena tests share: prices as objects, and a query run to its end through boto3."""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).parents[3] / "data" / "stocks_daily.csv"
DATABASE = "athena_tests"
BUCKET = "athena-tests"
RESULTS = f"s3://{BUCKET}/results/"
RAW_TABLE = f"""
CREATE EXTERNAL TABLE raw_prices (
    stock_symbol string, `date` date, open_price double, high_price double, low_price double,
    close_price double, volume bigint)
PARTITIONED BY (year string, month string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://{BUCKET}/prices/'
"""


def bars(until: str = "2015") -> list[dict[str, Any]]:
    """Return the bundled daily bars of NFLX before ``until``, as the lake names their columns."""
    with PRICES.open() as lines:
        return [
            {
                "stock_symbol": row["symbol"],
                "date": row["date"],
                **{f"{name}_price": float(row[name]) for name in ("open", "high", "low", "close")},
                "volume": int(row["volume"]),
            }
            for row in csv.DictReader(lines)
            if row["symbol"] == "NFLX" and row["date"] < until
        ]


def put_raw(s3: Any, rows: list[dict[str, Any]]) -> dict[str, int]:
    """Put bars as JSON lines below prices/year=/month=, an object a month; return their sizes by month."""
    months: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        months[row["date"][:7]].append(row)
    sizes = {}
    for month, items in months.items():
        body = "".join(json.dumps(item) + "\n" for item in items).encode()
        s3.put_object(Bucket=BUCKET, Key=f"prices/year={month[:4]}/month={month[5:]}/part", Body=body)
        sizes[month] = len(body)
    return sizes


@dataclass(frozen=True)
class Answer:
    """A query's end: its execution, and its first page of results (None when it has none)."""

    execution: dict[str, Any]
    page: dict[str, Any] | None

    @property
    def state(self) -> str:
        """Return the state it ended in."""
        return str(self.execution["Status"]["State"])

    @property
    def reason(self) -> str:
        """Return why it failed."""
        return str(self.execution["Status"]["StateChangeReason"])

    @property
    def scanned(self) -> int:
        """Return the bytes it scanned."""
        return int(self.execution["Statistics"]["DataScannedInBytes"])

    @property
    def columns(self) -> dict[str, str]:
        """Return Athena's type of each column."""
        assert self.page, self.execution["Status"]
        return {c["Name"]: c["Type"] for c in self.page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]}

    @property
    def lines(self) -> list[list[str | None]]:
        """Return every row of the page as text, a SELECT's header among them."""
        assert self.page, self.execution["Status"]
        return [
            [value.get("VarCharValue") for value in row["Data"]] for row in self.page["ResultSet"]["Rows"]
        ]

    @property
    def rows(self) -> list[list[str | None]]:
        """Return a SELECT's rows, without its header."""
        assert self.lines[0] == list(self.columns)
        return self.lines[1:]


def start(athena: Any, sql: str, **options: Any) -> str:
    """Start a query and return its id."""
    given = {
        "QueryExecutionContext": {"Database": DATABASE},
        "ResultConfiguration": {"OutputLocation": RESULTS},
        **options,
    }
    query_id: str = athena.start_query_execution(QueryString=sql, **given)["QueryExecutionId"]
    return query_id


def ended(athena: Any, query_id: str) -> dict[str, Any]:
    """Wait for a query's end; return its execution."""
    while True:
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return execution
        time.sleep(0.01)


def run(athena: Any, sql: str, **options: Any) -> Answer:
    """Run a query to its end."""
    query_id = start(athena, sql, **options)
    execution = ended(athena, query_id)
    succeeded = execution["Status"]["State"] == "SUCCEEDED"
    return Answer(execution, athena.get_query_results(QueryExecutionId=query_id) if succeeded else None)
