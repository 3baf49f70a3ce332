"""A PostgreSQL cluster on one machine: it starts, stops, recovers, and its roles have just their rights."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from nearcast.errors import ServiceError
from nearcast.local import postgres as local_postgres
from nearcast.schema import BAR, QUANTILE_COLUMNS
from nearcast.settings import Settings
from tests.conftest import PostgresCluster, free_port

Serve = Callable[[Path], tuple[subprocess.Popen[bytes], int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers in the foreground, and stops those that still run."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(home: Path) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        command = [sys.executable, "-m", "nearcast.local.postgres", str(home), str(port)]
        servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        local_postgres.wait_ready(port)
        return servers[-1], port

    yield start
    for server in servers:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


def grant_and_check(cluster: PostgresCluster) -> None:
    local_postgres.run_sql_files(
        [local_postgres.sql_directory() / "grant_and_check.sql"], cluster.port, cluster.superuser_password
    )


def refused(dsn: str, statement: str) -> bool:
    with psycopg.connect(dsn) as link:
        try:
            link.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            link.rollback()
    return False


def test_the_tables_have_the_columns_of_the_one_schema(postgres: Settings) -> None:
    with psycopg.connect(postgres.need("postgres_reader_dsn")) as link:
        found = link.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'nearcast'"
        ).fetchall()
    prices = {(name, kind) for table, name, kind in found if table == "prices"}
    assert {(column.name, column.postgres) for column in BAR} <= prices
    assert set(QUANTILE_COLUMNS) <= {name for table, name, _ in found if table == "forecasts"}


def test_running_the_sql_files_again_keeps_rows_and_rights(postgres_cluster: PostgresCluster) -> None:
    dump = (
        "SELECT relname, relacl::text, relfilenode FROM pg_class "
        "WHERE relnamespace = 'nearcast'::regnamespace ORDER BY relname"
    )
    with psycopg.connect(postgres_cluster.superuser_dsn, autocommit=True) as link:
        before = link.execute(dump.encode()).fetchall()
        local_postgres.create_database(
            postgres_cluster.port, postgres_cluster.superuser_password, "writer-password", "reader-password"
        )
        assert link.execute(dump.encode()).fetchall() == before
    assert not refused(postgres_cluster.settings.need("postgres_dsn"), "SELECT FROM nearcast.prices")


def test_a_home_made_before_the_outbox_gets_one_with_what_is_pending(
    empty_database: Settings, postgres_cluster: PostgresCluster
) -> None:
    insert = (
        "INSERT INTO nearcast.prices (stock_symbol, date, open_price, high_price, low_price, close_price, volume)"
        " SELECT 'A', date '2020-01-01' + n, 1, 1, 1, 1, 1 FROM generate_series(1, 9) AS n"
    )
    older = (
        "DROP VIEW nearcast.pending",
        "DROP TABLE nearcast.outbox, nearcast.deletions",
        "DROP FUNCTION nearcast.enqueue_rows, nearcast.record_deletions, nearcast.enqueue_deletions CASCADE",
        "ALTER TABLE nearcast.publications DROP COLUMN due_at, DROP COLUMN deleted",
        insert,
        "INSERT INTO nearcast.publications SELECT stock_symbol, date, version, now(), now(), now()"
        " FROM nearcast.prices WHERE date < '2020-01-07'",
        "UPDATE nearcast.publications SET confirmed_at = NULL WHERE date = '2020-01-02'",
    )
    with psycopg.connect(postgres_cluster.superuser_dsn, autocommit=True) as link:
        for statement in older:
            link.execute(statement.encode())
    for _again in range(2):
        local_postgres.create_database(
            postgres_cluster.port, postgres_cluster.superuser_password, "writer-password", "reader-password"
        )
    with psycopg.connect(empty_database.need("postgres_dsn")) as link:
        found = link.execute("SELECT extract(day FROM date)::int FROM nearcast.pending ORDER BY 1").fetchall()
    assert found == [(2,), (7,), (8,), (9,), (10,)]


def test_the_writer_cannot_rewrite_forecasts_and_the_reader_cannot_write(postgres: Settings) -> None:
    writer, reader = postgres.need("postgres_dsn"), postgres.need("postgres_reader_dsn")
    for statement in (
        "UPDATE nearcast.forecasts SET q500 = 0",
        "DELETE FROM nearcast.forecasts",
        "DELETE FROM nearcast.publications",
        "TRUNCATE nearcast.prices",
        "CREATE TABLE nearcast.other ()",
        "CREATE TABLE public.other ()",
        "SELECT setval('nearcast.price_version', 1)",
        "SET ROLE nearcast_owner",
    ):
        assert refused(writer, statement), statement
    for statement in (
        "INSERT INTO nearcast.prices DEFAULT VALUES",
        "DELETE FROM nearcast.prices",
        "CREATE TEMPORARY TABLE other ()",
        "SELECT nextval('nearcast.price_version')",
    ):
        assert refused(reader, statement), statement


@pytest.mark.parametrize(
    ("grant", "undo", "named"),
    [
        (
            "GRANT DELETE ON nearcast.forecasts TO nearcast_writer",
            "REVOKE DELETE ON nearcast.forecasts FROM nearcast_writer",
            "nearcast_writer must not have DELETE on nearcast.forecasts",
        ),
        (
            "GRANT SELECT ON nearcast.prices TO PUBLIC",
            "REVOKE SELECT ON nearcast.prices FROM PUBLIC",
            "PUBLIC must not have SELECT on nearcast.prices",
        ),
        (
            "GRANT UPDATE (q500) ON nearcast.forecasts TO nearcast_writer",
            "REVOKE UPDATE (q500) ON nearcast.forecasts FROM nearcast_writer",
            "nearcast_writer must not have UPDATE on nearcast.forecasts.q500",
        ),
        (
            "GRANT UPDATE ON SEQUENCE nearcast.price_version TO nearcast_writer",
            "REVOKE UPDATE ON SEQUENCE nearcast.price_version FROM nearcast_writer",
            "nearcast_writer must not have UPDATE on nearcast.price_version",
        ),
        (
            "GRANT CREATE ON SCHEMA nearcast TO nearcast_reader",
            "REVOKE CREATE ON SCHEMA nearcast FROM nearcast_reader",
            "nearcast_reader must not have CREATE on schema nearcast",
        ),
        (
            "GRANT SELECT ON nearcast.prices TO nearcast_reader WITH GRANT OPTION",
            "REVOKE GRANT OPTION FOR SELECT ON nearcast.prices FROM nearcast_reader",
            "nearcast_reader must not have SELECT WITH GRANT OPTION",
        ),
        (
            "ALTER ROLE nearcast_writer CREATEDB",
            "ALTER ROLE nearcast_writer NOCREATEDB",
            "attributes that they must not have: nearcast_writer",
        ),
        (
            "GRANT nearcast_owner TO nearcast_writer",
            "REVOKE nearcast_owner FROM nearcast_writer",
            "nearcast_writer in nearcast_owner",
        ),
        (
            "ALTER TABLE nearcast.arrivals OWNER TO nearcast_writer",
            "ALTER TABLE nearcast.arrivals OWNER TO nearcast_owner",
            "arrivals",
        ),
    ],
)
def test_a_right_beyond_those_listed_is_named(
    postgres_cluster: PostgresCluster, grant: str, undo: str, named: str
) -> None:
    with psycopg.connect(postgres_cluster.superuser_dsn, autocommit=True) as link:
        link.execute(grant.encode())
        try:
            with pytest.raises(ServiceError, match=named):
                grant_and_check(postgres_cluster)
        finally:
            link.execute(undo.encode())
    grant_and_check(postgres_cluster)


def test_the_server_listens_on_loopback_only_and_asks_for_the_password(
    postgres_cluster: PostgresCluster,
) -> None:
    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        assert link.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert link.execute("SHOW unix_socket_directories").fetchone() == ("",)
        assert link.execute("SHOW fsync").fetchone() == ("on",)
        assert link.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall() == [
            ("scram-sha-256",)
        ]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(local_postgres.dsn(local_postgres.WRITER, "guessed", postgres_cluster.port))


def test_a_killed_server_starts_again_with_its_rows_and_an_interrupt_stops_it_fast(
    tmp_path: Path, serve: Serve
) -> None:
    assert local_postgres.initialise(tmp_path, "secret")
    server, port = serve(tmp_path)
    with psycopg.connect(local_postgres.dsn("postgres", "secret", port, "postgres")) as link:
        link.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.kill()
    server.wait()
    assert (local_postgres.data_directory(tmp_path) / "postmaster.pid").exists()
    assert not local_postgres.initialise(tmp_path, "another")

    server, port = serve(tmp_path)
    client = psycopg.connect(local_postgres.dsn("postgres", "secret", port, "postgres"))
    assert client.execute("SELECT answer FROM kept").fetchone() == (42,)
    asked = time.monotonic()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=10) == 0
    assert time.monotonic() - asked < 5
    client.close()


def test_a_lock_file_whose_number_another_program_has_now_does_not_hinder_the_start(
    tmp_path: Path, serve: Serve
) -> None:
    local_postgres.initialise(tmp_path, "secret")
    lock = local_postgres.data_directory(tmp_path) / "postmaster.pid"
    # A program of the server's own account: PostgreSQL itself would take it for a server that runs.
    prefix = local_postgres.serve_command(tmp_path, 1)
    prefix = prefix[: next(place for place, word in enumerate(prefix) if word.endswith("bin/postgres"))]
    with subprocess.Popen([*prefix, "sleep", "60"], cwd="/") as other:
        lock.write_text(f"{other.pid}\n{lock.parent}\n0\n1\n\n127.0.0.1\n0 0\nready\n")
        server, _port = serve(tmp_path)
        assert lock.read_text().splitlines()[0] == str(server.pid)
        other.kill()
    assert not local_postgres.remove_stale_lock(lock.parent)


def test_an_interrupted_initialisation_is_not_taken_for_a_cluster(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    assert local_postgres.initialise(tmp_path, "secret")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["postgres"]


def test_serving_a_home_without_a_cluster_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nearcast.local.postgres", str(tmp_path), str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no PostgreSQL cluster in")


def test_waiting_for_a_server_that_does_not_come_ends_with_an_error() -> None:
    with pytest.raises(ServiceError, match="did not answer"):
        local_postgres.wait_ready(free_port(), timeout=0.2)
