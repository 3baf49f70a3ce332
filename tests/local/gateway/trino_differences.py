"""Where the local Athena differs from Trino on purpose: what it refuses, what it answers otherwise, and why.

The test of the corpus fails when one of these no longer differs, or differs in the other way.
"""

from __future__ import annotations

REFUSED: dict[str, tuple[str, ...]] = {
    "Timestamps with time zone are all in UTC: DuckDB keeps an instant, not the zone it was written in.": (
        "SELECT from_unixtime(0, 'America/New_York')",
        "SELECT TIMESTAMP '2020-01-02 00:00:00 UTC' AT TIME ZONE 'America/New_York'",
        "SELECT TIMESTAMP '2020-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin'",
        "SELECT at_timezone(TIMESTAMP '2020-01-02 00:00:00 UTC', 'Asia/Tokyo')",
        "SELECT with_timezone(TIMESTAMP '2020-01-02 00:00:00', 'America/New_York')",
        "SELECT TIMESTAMP '2020-01-02 00:00:00 America/New_York'",
        "SELECT TIMESTAMP '2020-01-02 00:00:00+02:00'",
        "SELECT CAST(TIMESTAMP '2020-01-02 00:00:00 America/New_York' AS timestamp)",
        "SELECT date_trunc('day', TIMESTAMP '2020-01-02 03:00:00 UTC' AT TIME ZONE 'America/New_York')",
        "SELECT timezone_hour(TIMESTAMP '2020-01-02 03:00:00 -05:30')",
        "SELECT timezone_minute(TIMESTAMP '2020-01-02 03:00:00 -05:30')",
        "SELECT TIMESTAMP '2020-01-02 00:00:00 UTC' = TIMESTAMP '2020-01-01 19:00:00 America/New_York'",
        "SELECT parse_datetime('02/Jan/2020:03:04:05 +0100', 'dd/MMM/yyyy:HH:mm:ss Z')",
    ),
    "Functions without a counterpart in DuckDB or Python's standard library.": (
        "SELECT cosine_similarity(MAP(ARRAY['a', 'b'], ARRAY[1e0, 2e0]), MAP(ARRAY['a', 'b'], ARRAY[2e0, 1e0]))",
        "SELECT format_number(123456)",
        "SELECT format_number(1000000)",
        "SELECT parse_data_size('2.3MB')",
        "SELECT human_readable_seconds(3762)",
        "SELECT soundex('Robert')",
        "SELECT luhn_check('79927398713')",
        "SELECT word_stem('running')",
        "SELECT to_hex(xxhash64(to_utf8('abc')))",
        "SELECT to_hex(murmur3(to_utf8('abc')))",
        "SELECT from_unixtime_nanos(1577934245123456789)",
        "SELECT parse_duration('42.8ms')",
        "SELECT parse_duration('3.81 d')",
        "SELECT to_milliseconds(parse_duration('1m'))",
        "SELECT combinations(ARRAY[1, 2, 3], 2)",
        "SELECT map_union(MAP(ARRAY[x], ARRAY[1])) FROM (VALUES 7, 7) AS t(x)",
        "SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) FROM (VALUES 1, 2, 3) AS t(x)",
        "SELECT numeric_histogram(2, x) FROM (VALUES 1e0, 1e0, 1e0) AS t(x)",
        "SELECT approx_most_frequent(2, CAST(x AS bigint), 10) FROM (VALUES 1e0, 1e0, 1e0) AS t(x)",
        "SELECT checksum(x) FROM (VALUES 1, 2) AS t(x)",
    ),
    "Forms of functions that DuckDB does not have.": (
        "SELECT format('%2$s-%1$s', 'a', 'b')",
        "SELECT format('%tY', DATE '2020-01-02')",
        "SELECT strpos('banana', 'an', 2)",
        "SELECT strpos('banana', 'an', -1)",
        "SELECT regexp_replace('a1b2', '\\d', x -> '<' || x[1] || '>')",
        "SELECT regexp_replace('new york', '(\\w)(\\w*)', x -> upper(x[1]) || lower(x[2]))",
        "SELECT array_sort(ARRAY[3, 1, 2], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))",
        "SELECT approx_percentile(x, w, 0.5e0) FROM (VALUES (1, 1), (2, 5), (3, 1)) AS t(x, w)",
    ),
    "Comparisons with all or some rows of a query, and ties at the end of a page.": (
        "SELECT 3 > ALL (VALUES 1, 2)",
        "SELECT 5 < SOME (VALUES 1, 9)",
        "SELECT x FROM (VALUES 1, 1, 2) AS t(x) ORDER BY x FETCH FIRST 1 ROW WITH TIES",
    ),
    "JSON is text to DuckDB: two values cannot be compared, and these functions return what is no JSON.": (
        'SELECT json_array_get(\'["a", "b"]\', 1)',
        "SELECT json_array_get('[1, 2]', -1)",
        "SELECT json_query('{\"a\": [1]}', 'lax $.a')",
        "SELECT json_parse('{\"a\":1}') = json_parse('{\"a\": 1}')",
    ),
}
"""Refused with NOT_SUPPORTED, by the reason: never answered with something else."""
DIFFERENT: dict[str, tuple[str, ...]] = {
    "NaN equals itself in DuckDB, and is the greatest double to max too.": (
        "SELECT nan() = nan()",
        "SELECT min(x), max(x), min(s), max(s), min(b) FROM (VALUES (1.5e0, 'a', true), (nan(), 'b', false))"
        " AS t(x, s, b)",
    ),
    "Nulls within arrays that are compared are equal in DuckDB.": ("SELECT ARRAY[1, NULL] = ARRAY[1, NULL]",),
    "A char(n) is a varchar without the blanks at its end.": ("SELECT CAST('ab' AS char(4))",),
    "An offset is applied, then forgotten: the instant is the same, shown in UTC.": (
        "SELECT from_iso8601_timestamp('2020-01-02T03:04:05.678+02:00')",
    ),
    "Timestamps have one precision, milliseconds, which to_iso8601 writes.": (
        "SELECT to_iso8601(TIMESTAMP '2020-01-02 03:04:05')",
    ),
    "DuckDB keeps the order of JSON's keys, writes its numbers anew, and numbers fields without names.": (
        "SELECT json_extract_scalar('{\"a\": true, \"b\": 1.50}', '$.b')",
        'SELECT json_parse(\'{"b": 1, "a": [1, 2.0, null]}\')',
        "SELECT json_format(CAST(ROW(1, 'a') AS json))",
    ),
    "A JSON path without its $ is taken as if it had one.": (
        "SELECT json_extract_scalar('{\"a\": 1}', 'a')",
    ),
    "Dates of ISO 8601 are years, months and days: weeks and days of the year are an error.": (
        "SELECT from_iso8601_date('2020-W01-4')",
        "SELECT from_iso8601_date('2020-123')",
    ),
    "Bytes are not padded: the function is not found.": ("SELECT lpad(X'61', 3, X'00')",),
    "A null beside || is taken as a text; Trino asks for a cast.": ("SELECT 'a' || 'b' || NULL",),
    "A column is named as it was defined, not as it is written; Trino's SELECT X names it X.": (
        'SELECT X, "x" FROM (VALUES 1) AS t(x)',
    ),
    "TABLE as a statement is malformed here.": ("TABLE missing_table",),
}
"""Answered otherwise, by the reason."""
