"""Deletions and changes of prices: what is pending is always what the source holds and DynamoDB was not told."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nearcast.cli import cli
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from nearcast.stream.cursor import Bounds, Cursor

PRICES = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
DAYS = "date = '2013-01-02'::date + %(day)s"
STATEMENTS = {
    "insert": "INSERT INTO nearcast.prices (stock_symbol, date, open_price, high_price, low_price, close_price, volume)"
    " VALUES ('A', '2013-01-02'::date + %(day)s, 1, 1, 1, 1, %(volume)s)"
    " ON CONFLICT (stock_symbol, date) DO UPDATE SET volume = excluded.volume",
    "update": f"UPDATE nearcast.prices SET volume = %(volume)s WHERE {DAYS}",
    "touch": f"UPDATE nearcast.prices SET version = NULL WHERE {DAYS}",
    "move": f"UPDATE nearcast.prices SET date = date + 100 WHERE {DAYS}",
    "delete": f"DELETE FROM nearcast.prices WHERE {DAYS}",
    "delete all": "DELETE FROM nearcast.prices",
}
# The cursor's law, computed from the tables without the outbox.
PENDING = """
WITH held AS (
    SELECT stock_symbol, date, version, false AS deleted FROM nearcast.prices
    UNION ALL
    SELECT stock_symbol, date, version, true FROM nearcast.deletions
)
SELECT date, stock_symbol, version, held.deleted
FROM held LEFT JOIN nearcast.publications USING (stock_symbol, date, version)
WHERE confirmed_at IS NULL
ORDER BY date, stock_symbol
"""


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*STATEMENTS, "publish", "publish half"]), st.integers(0, 3), st.integers(1, 2)
        ),
        max_size=14,
    )
)
def test_the_outbox_holds_just_what_is_not_confirmed(
    empty_database: Settings, steps: list[tuple[str, int, int]]
) -> None:
    cursor = Cursor(empty_database.need("postgres_dsn"), Bounds())
    try:
        cursor.link.execute("DELETE FROM nearcast.prices")
        for name, day, volume in steps:
            if name in STATEMENTS:
                cursor.link.execute(STATEMENTS[name].encode(), {"day": day, "volume": volume})
            elif taken := cursor.take(10):
                cursor.confirm(taken if name == "publish" else taken[::2])
            columns = "date, stock_symbol, version, deleted"
            held = cursor.link.execute(
                f"SELECT {columns} FROM nearcast.outbox ORDER BY 1, 2".encode()
            ).fetchall()
            seen = cursor.link.execute(
                f"SELECT {columns} FROM nearcast.pending ORDER BY 1, 2".encode()
            ).fetchall()
            assert held == seen == cursor.link.execute(PENDING.encode()).fetchall()
            both = "SELECT FROM nearcast.prices JOIN nearcast.deletions USING (stock_symbol, date)"
            assert cursor.link.execute(both.encode()).fetchall() == []
    finally:
        cursor.close()


@pytest.mark.parametrize(
    ("arguments", "deleted"),
    [
        (["--date", "2013-01-04"], 1),
        (["--date", "2013-01-05"], 0),
        (["--from", "2013-01-04", "--to", "2013-01-08"], 3),
        (["--to", "2013-01-31"], 21),
        ([], 2699),
    ],
)
def test_the_command_deletes_the_days_of_one_symbol(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch, arguments: list[str], deleted: int
) -> None:
    monkeypatch.setenv("NEARCAST_POSTGRES_DSN", empty_database.need("postgres_dsn"))
    load_csv(empty_database, PRICES, ["NFLX", "META"])
    done = CliRunner().invoke(cli, ["delete", "--symbol", "nflx", *arguments, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"deleted": deleted}
    assert ("nothing was deleted" in done.stderr) is (deleted == 0)
    with psycopg.connect(empty_database.need("postgres_dsn")) as link:
        left = link.execute("SELECT count(*) FROM nearcast.prices").fetchone()
        recorded = link.execute("SELECT count(*), count(DISTINCT version) FROM nearcast.deletions").fetchone()
    assert left == (2 * 2699 - deleted,) and recorded == (deleted, deleted)


def test_a_day_and_a_range_are_wrong_usage() -> None:
    arguments = ["delete", "--symbol", "NFLX", "--date", "2013-01-04", "--to", "2013-01-05"]
    assert CliRunner().invoke(cli, arguments).exit_code == 2
    assert CliRunner().invoke(cli, ["delete", "--date", "2013-01-04"]).exit_code == 2
