"""Laws of what a crawler learns: types merge in any order, and batches add up to the whole."""

from __future__ import annotations

import json
import random
import tempfile
from dataclasses import replace
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nearcast.local.gateway.athena_types import to_duckdb
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_classifiers import BUILT_IN, CsvClassifier, JsonClassifier, classify
from nearcast.local.gateway.crawler_csv import CsvRules, MismatchError, sample
from nearcast.local.gateway.crawler_errors import UnreadableError
from nearcast.local.gateway.crawler_memory import Memory, Seen, digest
from nearcast.local.gateway.crawler_reading import Reader
from nearcast.local.gateway.crawler_types import merge, to_hive

SCALARS = (
    *("null", "tinyint", "int", "bigint", "float", "double", "boolean", "string", "date"),
    *("decimal(5,2)", "decimal(38,0)", "decimal(20,18)"),
)
NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, min_size=1, max_size=1) | st.dictionaries(NAMES, inner, max_size=3),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("xyé1-", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
ROWS = st.dictionaries(NAMES, VALUES, max_size=3)
BATCHES = st.lists(st.lists(ROWS, min_size=1, max_size=3), min_size=1, max_size=4)


def test_merging_scalars_is_a_semilattice() -> None:
    for one, two, three in product(SCALARS, repeat=3):
        check_semilattice(one, two, three)


@settings(deadline=None)
@given(TYPES, TYPES, TYPES)
def test_merging_types_is_a_semilattice(one: Any, two: Any, three: Any) -> None:
    check_semilattice(one, two, three)


def check_semilattice(one: Any, two: Any, three: Any) -> None:
    """Check the laws of merging."""
    assert merge(one, one) == one
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge("null", one) == one
    assert merge(merge(one, two), one) == merge(one, two)


@settings(max_examples=50, deadline=None)
@given(TYPES)
def test_every_type_is_one_that_athena_reads(kind: Any) -> None:
    assert to_duckdb(to_hive(kind))


def stored(path: Path, second: int = 0) -> StoredObject:
    """Return the object that a file holds."""
    time = f"2024-01-01T00:00:{second:02d}.000Z"
    return StoredObject(path.name, path.stat().st_size, time, "etag", lambda: path)


def put(folder: Path, name: str, body: str | bytes, second: int = 0) -> StoredObject:
    """Write an object."""
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return stored(path, second)


def json_lines(rows: list[dict[str, Any]]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def type_of(value: Any) -> Any:
    """Return the type of a value of JSON: a second way to get it, without DuckDB."""
    if isinstance(value, dict):
        return {name: type_of(field) for name, field in value.items()}
    if isinstance(value, list):
        kinds = [type_of(item) for item in value] or ["null"]
        return [list(accumulate(kinds, merge))[-1]]
    names: list[tuple[Any, str]] = [(bool, "boolean"), (int, "bigint"), (float, "double"), (str, "string")]
    return next((name for python, name in names if isinstance(value, python)), "null")


@settings(max_examples=15, deadline=None)
@given(BATCHES)
@example([[{"a": None}], [{"a": 1}], [{"a": None, "b": 1}], [{"a": 2.5, "c": None}]])
@example([[{"b": 1}], [{"a": {}}, {"a": {"b": 1}}]])
def test_batches_read_one_after_the_other_are_the_same_as_all_at_once(
    batches: list[list[dict[str, Any]]],
) -> None:
    reader = Reader(list(BUILT_IN), lenient=False)
    with tempfile.TemporaryDirectory() as name:
        objects = [put(Path(name), f"o{n}", json_lines(rows), n) for n, rows in enumerate(batches)]
        whole = reader.read(random.sample(objects, len(objects)), None, {})
        state: Any = (None, {})
        for item in objects:
            state = reader.read([item], *state)
    assert state == whole
    assert list(state[1]) == list(whole[1])


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_the_types_are_those_of_the_values(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        _, schema = Reader(list(BUILT_IN), lenient=False).read(
            [put(Path(name), "o", json_lines(rows))], None, {}
        )
    expected: dict[str, Any] = {}
    for row in rows:
        expected |= {
            column: merge(expected.get(column, "null"), type_of(value)) for column, value in row.items()
        }
    # DuckDB does not tell an empty object in a list from elements that do not agree.
    if "[" not in json.dumps(rows) or "{}" not in json.dumps(rows):
        assert schema == expected
    assert list(schema) == list(expected)


def test_columns_keep_their_order_and_new_ones_come_last(tmp_path: Path) -> None:
    first = put(tmp_path, "z", json_lines([{"d": 1, "B": "x"}, {"b": "y", "a": [1, 2.5]}]), 1)
    second = put(tmp_path, "a", json_lines([{"e": {"X": True}, "a": [], "d": 1.5}]), 2)
    _, schema = Reader(list(BUILT_IN), lenient=False).read([second, first], None, {})
    hive = {name: to_hive(kind) for name, kind in schema.items()}
    assert list(hive.items()) == [
        ("d", "double"),
        ("b", "string"),
        ("a", "array<double>"),
        ("e", "struct<x:boolean>"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": 1}\n{"a": \n{"a": 2}\n', "line 2 is no JSON"),
        (b'{"a": 1}\n[1]\n', "not an object"),
        (b'{"a": "\xff"}\n', "line 1: byte 8 is not UTF-8"),
        (b"no json at all", "no classifier recognises it"),
        (b"a,b\n1,2,3\n", "line 2 has 3 columns, the first has 2"),
        (b"PAR1 but no parquet", "bad "),
        (b"ORC...", "ORC is not supported here"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(body: bytes, reason: str, tmp_path: Path) -> None:
    good = put(tmp_path, "good", '{"a": 1}\n')
    bad = put(tmp_path, "bad", body, 1)
    with pytest.raises(UnreadableError, match=r"^Object bad cannot be crawled: ") as failed:
        Reader(list(BUILT_IN), lenient=False).read([good, bad], None, {})
    assert reason in str(failed.value)


def test_lines_that_are_no_json_are_passed_over_where_the_serde_does_so(tmp_path: Path) -> None:
    item = put(tmp_path, "o", '{"a": 1}\n{"a": \nnull\n{"b": 2}\n')
    assert Reader(list(BUILT_IN), lenient=True).read([item], None, {})[1] == {"a": "bigint", "b": "bigint"}


def test_a_json_path_finds_the_records_in_documents(tmp_path: Path) -> None:
    body = json.dumps({"meta": 1, "items": [{"a": 1}, {"a": 2.5, "b": "x"}]}, indent=1)
    nested, array = put(tmp_path, "n", body), put(tmp_path, "a", '[{"a": true},\n{"c": 1}]')
    for item, path, expected in (
        (nested, "$.items[*]", {"a": "double", "b": "string"}),
        (nested, "$.items[0]", {"a": "bigint"}),
        (array, "$[*]", {"a": "boolean", "c": "bigint"}),
    ):
        reader = Reader([JsonClassifier("mine", path)], lenient=False)
        assert reader.read([item], None, {})[1] == expected


CSV: list[tuple[str, dict[str, Any], Any]] = [
    ("symbol,price\nA,1\nB,2.5\n", {}, (True, {"symbol": "string", "price": "double"})),
    ("A|1|true\nB||false\n", {}, (False, {"col1": "string", "col2": "bigint", "col3": "boolean"})),
    # Text alone: the first row is not different enough to be a header.
    ("name;city\nx;y\n", {}, (False, {"col1": "string", "col2": "string"})),
    ("n\ta\t\n1\tx\t\n", {}, (True, {"n": "bigint", "a": "string", "col3": "null"})),
    ("1,2\n3,4\n", {"header": "PRESENT"}, (True, {"1": "bigint", "2": "bigint"})),
    ("x,y\n3,4\n", {"header": "ABSENT"}, (False, {"col1": "string", "col2": "string"})),
    ("x,y\n3,4\n", {"names": ("p", "q")}, (True, {"p": "bigint", "q": "bigint"})),
    (" 1, 2\n", {"records": 1, "trim": True}, (False, {"col1": "bigint", "col2": "bigint"})),
    (" 1, 2\n", {"records": 1}, (False, {"col1": "string", "col2": "string"})),
    ("'a,b';1\n'c';2\n", {"delimiter": ";", "quote": "'"}, (False, {"col1": "string", "col2": "bigint"})),
    ("x\n1\n", {"single_column": True}, (True, {"x": "bigint"})),
    ("99999999999999999999,1\n1,1\n", {}, (False, {"col1": "double", "col2": "bigint"})),
    ("x\n1\n", {}, "fewer than two columns"),
    ("x,y\n", {}, "fewer than 2 rows"),
    ("x,y\n1,2\n", {"names": ("p",)}, "the classifier names 1"),
    ("x,x\n1,2\n", {}, "not all different"),
]


@pytest.mark.parametrize(("body", "rules", "expected"), CSV)
def test_csv_is_recognised_by_the_documented_rules(
    body: str, rules: dict[str, Any], expected: Any, tmp_path: Path
) -> None:
    path = put(tmp_path, "o", body).path
    if isinstance(expected, str):
        with pytest.raises(MismatchError, match=expected):
            sample(path, CsvRules(**rules), [])
    else:
        found = sample(path, CsvRules(**rules), [])
        assert (found.header, found.schema) == expected


def test_only_the_first_thousand_records_or_megabyte_of_csv_are_looked_at(tmp_path: Path) -> None:
    many = put(tmp_path, "many", "a,b\n" + "1,2\n" * 999 + "x,y,z\n").path
    assert sample(many, CsvRules(), []).schema == {"a": "bigint", "b": "bigint"}
    wide = put(tmp_path, "wide", "a,b\n" + f"1,{'x' * 300_000}\n" * 4).path
    assert sample(wide, CsvRules(), []).schema == {"a": "bigint", "b": "string"}


def test_a_first_row_that_repeats_the_tables_columns_is_a_header(tmp_path: Path) -> None:
    reader = Reader(list(BUILT_IN), lenient=False)
    first = put(tmp_path, "first", "name,n\nx,1\n", 1)
    # By itself this has no header: all its values are text.
    second = put(tmp_path, "second", "name,n,city\nx,y,z\n", 2)
    found, schema = reader.read([first, second], None, {})
    assert found and found.header
    assert schema == {"name": "string", "n": "string", "city": "string"}
    with pytest.raises(UnreadableError, match=r"Object third .* are not in the order of name, n, city"):
        reader.read([put(tmp_path, "third", "n,name\n1,x\n", 3)], found, schema)
    with pytest.raises(
        UnreadableError, match=r"Object fourth .*it is json, the table's other objects are csv"
    ):
        reader.read([put(tmp_path, "fourth", '{"n": 1}', 4)], found, schema)


def test_the_serde_for_quotes_is_taken_where_one_object_has_them(tmp_path: Path) -> None:
    plain, quoted = put(tmp_path, "p", "a,b\nx,1\n", 1), put(tmp_path, "q", 'a,b\n"x,y",2\n', 2)
    for serde, objects, expected in (
        ("None", [plain, quoted], True),
        ("None", [quoted, plain], True),
        ("None", [plain], False),
        ("LazySimpleSerDe", [quoted], False),
        ("OpenCSVSerDe", [plain], True),
    ):
        classifier = CsvClassifier("mine", CsvRules(delimiter=",", records=1), serde)
        found, schema = Reader([classifier], lenient=False).read(objects, None, {})
        assert found and found.open_csv == expected
        assert found.columns(schema)["b"] == ("string" if expected else "bigint")


def test_own_classifiers_come_first_in_their_order_and_built_in_ones_last(tmp_path: Path) -> None:
    item = put(tmp_path, "o", '{"a": 1};{"a": 2}\n')
    csv = CsvClassifier("mine", CsvRules(delimiter=";", header="ABSENT", records=1), "LazySimpleSerDe")
    assert classify(item, [csv, *BUILT_IN], {})[0].classification == "csv"
    assert classify(item, [*BUILT_IN, csv], {})[0].classification == "json"


def test_a_memory_is_what_was_remembered_and_knows_a_changed_object(tmp_path: Path) -> None:
    item = put(tmp_path, "o", '{"a": 1}')
    found, schema = Reader(list(BUILT_IN), lenient=False).read([item], None, {})
    memory = Memory(tmp_path / "memory", "a/b c")
    memory.remember("s3://b/", Seen(found, schema, {"x=1/": {digest(item)}}))
    memory.add_crawl({"CrawlId": "1"})
    memory.save()
    again = Memory(tmp_path / "memory", "a/b c")
    assert again.seen("s3://b/") == Seen(found, schema, {"x=1/": {digest(item)}})
    assert again.crawls == [{"CrawlId": "1"}]
    changed = replace(item, etag="another")
    assert digest(changed) not in again.seen("s3://b/").folders["x=1/"]
    again.forget()
    assert Memory(tmp_path / "memory", "a/b c").seen("s3://b/") == Seen()
