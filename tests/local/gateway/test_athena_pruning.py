"""Pruning is never seen in the rows: a table that is pruned answers as one that cannot be."""

from __future__ import annotations

import io
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.local.gateway.athena_client import BUCKET, Answer, run

ATOMS = (
    "{c}year = '2013'",
    "{c}year <> '2014'",
    "{c}month IN ('01', '06', '13')",
    "{c}month NOT IN ('02')",
    "{c}year > {c}month",
    "{c}month BETWEEN '03' AND '07'",
    "CAST({c}month AS integer) % 3 = 1",
    "substr({c}year, 4) = '4'",
    "{c}month LIKE '1%'",
    "{c}year || {c}month < '201311'",
    "length({c}month) = 2",
    "coalesce({c}year, 'x') = 'x'",
    "{c}month IS NOT NULL",
    "{c}date >= DATE '2014-03-01'",
    "{c}volume % 2 = 0",
    "{c}year = CAST(year({c}date) AS varchar)",
    "CASE WHEN {c}month > '06' THEN {c}volume > 20000000 ELSE {c}year = '2013' END",
)
"""Conditions: most on partition keys, some on other columns, some on both; {c} is the table's name, if any."""
SHAPES = (
    "SELECT {n} AS n, date FROM {t} WHERE {w}",
    "SELECT {n} AS n, x.date FROM {t} x WHERE {w}",
    "SELECT {n} AS n, x.date FROM {t} x JOIN flat f ON f.date = x.date AND f.volume = x.volume WHERE {x}",
    "SELECT {n} AS n, f.date FROM flat f LEFT JOIN {t} x ON f.date = x.date AND x.close_price > 55 WHERE {x}",
    "SELECT {n} AS n, date FROM (SELECT * FROM {t} WHERE {w}) inside WHERE volume > 0",
    "SELECT {n} AS n, date FROM (SELECT date, volume, year, month FROM {t}) outside WHERE {w}",
    "SELECT {n} AS n, date FROM flat WHERE date NOT IN (SELECT date FROM {t} WHERE {w})",
    "SELECT {n} AS n, date FROM {t}_view WHERE {w}",
    "SELECT {n} AS n, date FROM {t} WHERE {w} UNION ALL SELECT {n} AS n, date FROM {t} WHERE NOT ({w})",
)
CONDITIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("AND", "OR")), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda condition: f"NOT ({condition})"),
    ),
    max_leaves=5,
)


def done(athena: Any, sql: str) -> Answer:
    answer = run(athena, sql)
    assert answer.state == "SUCCEEDED", answer.reason
    return answer


@pytest.fixture(scope="module")
def flat(athena: Any) -> None:
    """The raw prices again, without partitions; and a view of both tables."""
    done(athena, "CREATE TABLE flat AS SELECT * FROM raw_prices")
    for table in ("flat", "raw_prices"):
        done(athena, f"CREATE OR REPLACE VIEW {table}_view AS SELECT date, volume, year, month FROM {table}")


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(st.sampled_from(SHAPES), CONDITIONS), min_size=4, max_size=8))
def test_pruned_and_unpruned_tables_answer_the_same(
    athena: Any, flat: None, asked: list[tuple[str, str]]
) -> None:
    def query(table: str) -> str:
        branches = (
            shape.format(n=n, t=table, w=condition.format(c=""), x=condition.format(c="x."))
            for n, (shape, condition) in enumerate(asked)
        )
        whole = " UNION ALL ".join(f"SELECT * FROM ({branch}) b{n}" for n, branch in enumerate(branches))
        return f"SELECT n, count(*), count(DISTINCT date), min(date), max(date) FROM ({whole}) GROUP BY n ORDER BY n"

    assert done(athena, query("raw_prices")).rows == done(athena, query("flat")).rows


@pytest.mark.parametrize(
    ("where", "months"),
    [
        ("year = '2014' AND (month = '01' OR month = '02')", 2),
        ("(year = '2014' AND month = '01') OR (year = '2013' AND month = '02')", 2),
        ("NOT (year = '2013') AND CAST(month AS integer) <= 3 AND volume > 0", 3),
        ("year || month IN ('201301', '201402') AND date > DATE '2000-01-01'", 2),
        ("volume > 0 OR year = '2014'", 24),
    ],
)
def test_only_what_a_condition_leaves_is_read(
    athena: Any, raw_sizes: dict[str, int], where: str, months: int
) -> None:
    paths = done(athena, f'SELECT DISTINCT "$path" AS p FROM raw_prices WHERE {where}')
    assert len(paths.rows) == months
    read = [
        size
        for month, size in raw_sizes.items()
        if any(f"year={month[:4]}/month={month[5:]}/" in str(p) for p in paths.rows)
    ]
    assert paths.scanned == sum(read)


def test_of_parquet_only_the_columns_asked_for_are_read(athena: Any, gateway: Any, flat: None) -> None:
    ((path,),) = done(athena, 'SELECT DISTINCT "$path" AS p FROM flat').rows
    key = str(path).removeprefix(f"s3://{BUCKET}/")
    body = gateway.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    group = pq.read_metadata(io.BytesIO(body)).row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    sizes = {chunk.path_in_schema: chunk.total_compressed_size for chunk in chunks}
    for sql, columns in {
        "SELECT sum(volume) FROM flat WHERE year = '2014'": {"volume", "year"},
        "SELECT * FROM (SELECT close_price FROM flat f ORDER BY f.date LIMIT 3)": {"close_price", "date"},
        "SELECT count(*) FROM flat": set(),
        "SELECT count(*) FROM flat JOIN raw_prices USING (date) WHERE raw_prices.year = 'none'": {
            "date",
            "year",
        },
    }.items():
        assert done(athena, sql).scanned == sum(sizes[column] for column in columns), sql
    for star in ("*", "flat.*, 1 AS one"):
        assert done(athena, f"SELECT {star} FROM flat").scanned == len(body)
