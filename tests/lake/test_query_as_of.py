"""A query as of a commit sees that commit's rows, in Athena's own SQL, and leaves nothing in the catalog."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nearcast.aws import client
from nearcast.cli import cli
from nearcast.errors import LakeError
from nearcast.lake.hudi_job import Columns, Job, register
from nearcast.lake.kept_snapshots import FOR_QUERIES, keep_snapshot
from nearcast.lake.query import query
from nearcast.lake.query_as_of import query_as_of, with_table
from nearcast.schema import DATABASE
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

FIRST, SECOND = "20260101000000000", "20260102000000000"


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        ("SELECT count(*) FROM prices", "SELECT COUNT(*) FROM other AS prices"),
        ("SELECT p.date FROM nearcast.PRICES p", "SELECT p.date FROM nearcast.other AS p"),
        (
            "WITH prices AS (SELECT * FROM prices WHERE version > 1) SELECT * FROM prices",
            "WITH prices AS (SELECT * FROM other AS prices WHERE version > 1) SELECT * FROM prices",
        ),
        (
            "SELECT 1 FROM raw_prices WHERE date IN (SELECT date FROM prices) UNION SELECT 2 FROM elsewhere.prices",
            "SELECT 1 FROM raw_prices WHERE date IN (SELECT date FROM other AS prices)"
            " UNION SELECT 2 FROM elsewhere.prices",
        ),
    ],
)
def test_only_the_catalogs_prices_are_another_table(asked: str, run: str) -> None:
    assert with_table(asked, "other") == run


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("SELECT count(*) FROM raw_prices", "does not read prices"),
        ("WITH prices AS (SELECT 1 AS n) SELECT n FROM prices", "does not read prices"),
        ("DROP TABLE prices", "Only a SELECT"),
        ("SELECT 1 FROM prices; SELECT 2 FROM prices", "Only a SELECT"),
        ("SELECT FROM WHERE", "not understood"),
    ],
)
def test_what_is_no_select_over_prices_is_refused(asked: str, reason: str) -> None:
    with pytest.raises(LakeError, match=reason):
        with_table(asked, "other")


def bars(closes: dict[str, float], version: int) -> pd.DataFrame:
    """Return bars of two symbols on one day, by symbol."""
    rows = [
        {"stock_symbol": symbol, "date": pd.Timestamp("2025-12-31"), "volume": 10, "version": version}
        | dict.fromkeys(("open_price", "high_price", "low_price", "close_price"), close)
        for symbol, close in closes.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def two_commits(deployed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The gateway's table prices with two commits; the second changes A's close from 1 to 2 and adds B."""
    settings = deployed.model_copy(update={"home": tmp_path, "hudi_bucket": "as-of-tests"})
    table = HudiTable(tmp_path / "prices")
    table.commit(FIRST, bars({"A": 1.0}, 1))
    table.commit(SECOND, bars({"A": 2.0, "B": 5.0}, 2))
    s3, bucket = client("s3", settings), settings.need("hudi_bucket")
    s3.create_bucket(Bucket=bucket)
    for file in (path for path in table.path.rglob("*") if path.is_file()):
        s3.put_object(Bucket=bucket, Key=file.relative_to(tmp_path).as_posix(), Body=file.read_bytes())
    shutil.rmtree(table.path)
    job = Job("", f"s3://{bucket}/prices", DATABASE, "prices")
    glue = client("glue", settings)
    with suppress(glue.exceptions.EntityNotFoundException):  # another test's
        glue.delete_table(DatabaseName=DATABASE, Name="prices")
    register(glue, job, Columns({}), {("A", "2025"), ("B", "2025")})
    yield settings
    glue.delete_table(DatabaseName=DATABASE, Name="prices")
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])


def test_a_query_sees_the_rows_of_its_commit(two_commits: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT * FROM prices ORDER BY stock_symbol"
    newest, instant = query_as_of(two_commits, sql, "latest")
    assert (newest, instant) == (query(two_commits, sql), SECOND)
    closes = "SELECT stock_symbol, close_price, year FROM prices ORDER BY 1"
    older, instant = query_as_of(two_commits, closes, "2026-01-01T12:00")
    assert (older.rows, instant) == ([["A", 1.0, "2025"]], FIRST)
    assert query_as_of(two_commits, closes, SECOND)[0].rows == [["A", 2.0, "2025"], ["B", 5.0, "2025"]]
    tables = client("glue", two_commits).get_tables(DatabaseName=DATABASE)["TableList"]
    assert not [table["Name"] for table in tables if "as_of" in table["Name"]]


def test_a_snapshot_is_made_once_and_a_kept_one_is_used(two_commits: Settings) -> None:
    s3, bucket = client("s3", two_commits), two_commits.need("hudi_bucket")
    sql, key = "SELECT sum(close_price) FROM prices", f"{FOR_QUERIES}{FIRST}/prices.parquet"
    query_as_of(two_commits, sql, FIRST)
    stored = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    query_as_of(two_commits, sql, FIRST)
    assert s3.head_object(Bucket=bucket, Key=key)["LastModified"] == stored
    keep_snapshot(two_commits, SECOND)
    assert query_as_of(two_commits, sql, SECOND)[0].rows == [[7.0]]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=f"{FOR_QUERIES}{SECOND}/")


def test_a_failing_query_leaves_no_table_and_says_why(two_commits: Settings) -> None:
    with pytest.raises(LakeError, match="nowhere"):
        query_as_of(two_commits, "SELECT nowhere FROM prices", FIRST)
    tables = client("glue", two_commits).get_tables(DatabaseName=DATABASE)["TableList"]
    assert not [table["Name"] for table in tables if "as_of" in table["Name"]]


def test_the_commands_name_the_commits(two_commits: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "aws_endpoint_url",
        "aws_access_key_id",
        "aws_secret_access_key",
        "hudi_bucket",
        "workgroup",
    ):
        monkeypatch.setenv(f"NEARCAST_{name.upper()}", two_commits.need(name))
    monkeypatch.setenv("NEARCAST_HOME", str(two_commits.home))

    def answer(*arguments: str) -> dict[str, object]:
        result = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
        document: dict[str, object] = json.loads(result.stdout)
        return document

    asked = answer("lake", "query", "SELECT close_price FROM prices", "--as-of", FIRST)
    assert asked == {"columns": ["close_price"], "rows": [[1.0]], "commit": FIRST}
    changed = answer("lake", "changes", "--from", FIRST)
    assert (changed["from"], changed["to"]) == (FIRST, SECOND)
    columns, rows = changed["columns"], changed["rows"]
    assert isinstance(columns, list) and isinstance(rows, list)
    assert [dict(zip(columns, row, strict=True))["close_price"] for row in rows] == [2.0, 5.0]
    assert answer("lake", "changes", "--from", "latest")["rows"] == []
    assert answer("lake", "changes", "--from", "2020-01-01", "--to", FIRST)["rows"] == [
        ["A", "2025-12-31", 1.0, 1.0, 1.0, 1.0, 10, 1, FIRST]
    ]
