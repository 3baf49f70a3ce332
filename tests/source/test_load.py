"""Loading prices: exact values, exact counts, all or nothing, and versions that PostgreSQL alone sets."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from nearcast.cli import cli
from nearcast.errors import SourceError
from nearcast.settings import Settings
from nearcast.source.bar import Bar
from nearcast.source.csv_file import Rejected, read_bars
from nearcast.source.load import LoadReport, load_csv
from tests.conftest import PostgresCluster, free_port

HEADING = "Date,Open,High,Low,Close,Volume"
SYMBOLS = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")


def stored(settings: Settings) -> dict[tuple[object, object], tuple[object, ...]]:
    with psycopg.connect(settings.need("postgres_reader_dsn")) as link:
        rows = link.execute("SELECT * FROM nearcast.prices").fetchall()
    return {row[:2]: row[2:] for row in rows}


def write(folder: Path, *rows: str, heading: str = HEADING) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def test_the_bundled_prices_are_stored_bit_by_bit_and_a_second_load_changes_nothing(
    empty_database: Settings, bundled_prices: Path
) -> None:
    assert load_csv(empty_database, bundled_prices) == LoadReport(16_194, 16_194, 0, 0, (), SYMBOLS)
    first = stored(empty_database)
    for bar in read_bars(bundled_prices):
        assert isinstance(bar, Bar)
        row = first[bar.stock_symbol, bar.date]
        prices = (bar.open_price, bar.high_price, bar.low_price, bar.close_price)
        assert row[:6] == (*prices, bar.volume, bar.adjusted_close)
    assert load_csv(empty_database, bundled_prices) == LoadReport(16_194, 0, 0, 16_194, (), SYMBOLS)
    assert stored(empty_database) == first


def test_counts_add_up_and_only_changed_rows_get_a_newer_version(
    empty_database: Settings, tmp_path: Path
) -> None:
    days = [f"2023-01-0{day},10,12,9,11,1000" for day in range(3, 7)]
    load_csv(empty_database, write(tmp_path, *days), ["NFLX"])
    before = stored(empty_database)
    rows = [days[0], "2023-01-04,10,12,9,11,1001", days[2], "2023-01-09,10,12,9,11,1", "2023-01-10,0,1,1,1,1"]
    report = load_csv(empty_database, write(tmp_path, *rows), ["nflx"])
    assert report == LoadReport(5, 1, 1, 2, (Rejected(6, "open price 0.0 is not positive"),), report.symbols)
    after = stored(empty_database)
    changed = {key for key in before if before[key] != after[key]}
    assert [str(day) for _symbol, day in changed] == ["2023-01-04"]
    newest = max(int(str(row[6])) for row in before.values())
    assert all(int(str(after[key][6])) > newest for key in changed | (after.keys() - before.keys()))


def test_a_file_without_adjusted_closes_leaves_those_that_are_there(
    empty_database: Settings, tmp_path: Path
) -> None:
    row = "2023-01-03,10,12,9,11,1000"
    load_csv(empty_database, write(tmp_path, f"{row},5.5", heading=f"{HEADING},Adj Close"), ["NFLX"])
    assert load_csv(empty_database, write(tmp_path, row), ["NFLX"]).unchanged == 1
    assert load_csv(empty_database, write(tmp_path, f"{row}1"), ["NFLX"]).updated == 1
    assert next(iter(stored(empty_database).values()))[4:6] == (10_001, 5.5)


def test_only_the_named_symbols_of_a_file_are_loaded(empty_database: Settings, bundled_prices: Path) -> None:
    report = load_csv(empty_database, bundled_prices, ["NFLX", "AAPL"])
    assert (report.read, report.inserted) == (2 * 2_699, 2 * 2_699)
    assert {symbol for symbol, _ in stored(empty_database)} == {"NFLX", "AAPL"}


def test_a_client_cannot_set_a_version(empty_database: Settings) -> None:
    insert = (
        "INSERT INTO nearcast.prices (stock_symbol, date, open_price, high_price, low_price, close_price, "
        "volume, version) VALUES ('NFLX', '2023-01-03', 1, 1, 1, 1, 1, 999999999) RETURNING version"
    )
    update = "UPDATE nearcast.prices SET version = 999999999, volume = {} RETURNING version"
    with psycopg.connect(empty_database.need("postgres_dsn")) as link:
        inserted = (link.execute(insert.encode()).fetchone() or (0,))[0]
        same = (link.execute(update.format(1).encode()).fetchone() or (0,))[0]
        newer = (link.execute(update.format(2).encode()).fetchone() or (0,))[0]
    assert inserted == same < newer < 999_999_999


@pytest.mark.parametrize("price", ["'NaN'", "'Infinity'", "0", "-1"])
def test_the_table_itself_refuses_prices_that_cannot_be(empty_database: Settings, price: str) -> None:
    insert = f"INSERT INTO nearcast.prices VALUES ('X', '2023-01-03', {price}, {price}, {price}, {price}, 1)"
    with (
        psycopg.connect(empty_database.need("postgres_dsn")) as link,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        link.execute(insert.encode())


def test_a_lost_connection_loads_nothing_and_says_so(
    empty_database: Settings, postgres_cluster: PostgresCluster, bundled_prices: Path
) -> None:
    def cut(_rows: float) -> None:
        with psycopg.connect(postgres_cluster.superuser_dsn) as link:
            link.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'nearcast' AND usename = 'nearcast_writer'"
            )

    with pytest.raises(SourceError, match="PostgreSQL failed") as raised:
        load_csv(empty_database, bundled_prices, progress=cut)
    assert "Nothing was loaded" in raised.value.kept
    assert stored(empty_database) == {}


def test_a_file_that_turns_out_not_to_be_text_loads_nothing(empty_database: Settings, tmp_path: Path) -> None:
    path = write(tmp_path, *("2023-01-03,10,12,9,11,1000" for _ in range(5_000)))
    path.write_bytes(path.read_bytes() + b"\xff\xfe")
    with pytest.raises(SourceError, match="is not a text file"):
        load_csv(empty_database, path, ["NFLX"])
    assert stored(empty_database) == {}


def test_no_database_is_a_clear_error(tmp_path: Path) -> None:
    dsn = f"postgresql://nearcast_writer:secret@127.0.0.1:{free_port()}/nearcast"
    with pytest.raises(SourceError, match="PostgreSQL cannot be reached") as raised:
        load_csv(Settings(postgres_dsn=SecretStr(dsn)), tmp_path / "any.csv", ["NFLX"])
    assert "secret" not in raised.value.happened


def test_the_command_reports_in_json_and_exits_with_one_when_rows_were_rejected(
    empty_database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARCAST_POSTGRES_DSN", empty_database.need("postgres_dsn"))
    good, bad = "2023-01-03,10,12,9,11,1000", "2023-01-04,10,12,13,11,1000"
    path = write(tmp_path, good, bad)
    arguments = ["load", str(path), "--symbol", "NFLX"]
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    rejected = [{"line": 3, "reason": "high 12.0 is below low 13.0"}]
    expected = {"read": 2, "inserted": 1, "updated": 0, "unchanged": 0, "rejected": rejected}
    expected["symbols"] = ["NFLX"]
    assert (done.exit_code, json.loads(done.stdout)) == (1, expected)
    table = CliRunner().invoke(cli, arguments)
    assert table.exit_code == 1
    assert "high 12.0 is below low 13.0" in table.stdout
    assert CliRunner().invoke(cli, ["load", str(write(tmp_path, good)), "--symbol", "NFLX"]).exit_code == 0
