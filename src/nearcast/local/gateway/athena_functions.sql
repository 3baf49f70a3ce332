-- Trino's semantics where DuckDB's own functions differ (trino.io/docs/current/functions.html).

-- Whole division of whole numbers, IEEE 754 division of doubles. A decimal divided by an exact number has a
-- scale of its own in Trino, which DuckDB cannot give: refused, rather than another value.
CREATE MACRO decimal_division() AS
    error('NOT_SUPPORTED: The local Athena does not divide decimals: write 2e0 for 2.0, or CAST(x AS double)');
CREATE MACRO trino_divide
    (a INTEGER, b INTEGER) AS CAST(a // b AS INTEGER),
    (a BIGINT, b BIGINT) AS a // b,
    (a HUGEINT, b HUGEINT) AS CAST(a // b AS BIGINT),
    (a HUGEINT, b BIGINT) AS CAST(a // b AS BIGINT),
    (a BIGINT, b HUGEINT) AS CAST(a // b AS BIGINT),
    (a DOUBLE, b DOUBLE) AS a / b,
    (a HUGEINT, b DOUBLE) AS a / b,
    (a DOUBLE, b HUGEINT) AS a / b,
    (a DOUBLE, b DECIMAL(38, 9)) AS a / b,
    (a DECIMAL(38, 9), b DOUBLE) AS a / b,
    (a DECIMAL(38, 9), b DECIMAL(38, 9)) AS decimal_division(),
    (a BIGINT, b DECIMAL(38, 9)) AS decimal_division(),
    (a DECIMAL(38, 9), b BIGINT) AS decimal_division(),
    (a HUGEINT, b DECIMAL(38, 9)) AS decimal_division(),
    (a DECIMAL(38, 9), b HUGEINT) AS decimal_division();

-- A date stays a date when an interval moves it.
CREATE MACRO trino_plus
    (a DATE, b INTERVAL) AS CAST(a + b AS DATE),
    (a TIMESTAMP, b INTERVAL) AS a + b,
    (a TIMESTAMP WITH TIME ZONE, b INTERVAL) AS a + b;
CREATE MACRO trino_minus
    (a DATE, b INTERVAL) AS CAST(a - b AS DATE),
    (a TIMESTAMP, b INTERVAL) AS a - b,
    (a TIMESTAMP WITH TIME ZONE, b INTERVAL) AS a - b;
CREATE MACRO trino_date_trunc
    (unit VARCHAR, a DATE) AS CAST(date_trunc(unit, a) AS DATE),
    (unit VARCHAR, a TIMESTAMP) AS date_trunc(unit, a),
    (unit VARCHAR, a TIMESTAMP WITH TIME ZONE) AS date_trunc(unit, a);

-- No match, or no such part, is null.
CREATE MACRO trino_regexp_extract(s, pattern, number) AS
    CASE WHEN regexp_matches(s, pattern) THEN regexp_extract(s, pattern, number) END;
CREATE MACRO trino_split_part(s, delimiter, number) AS
    CASE WHEN number <= len(string_split(s, delimiter)) THEN split_part(s, delimiter, number) END;

-- The third argument is a length.
CREATE MACRO trino_slice(a, start, length) AS list_slice(a, start, start + length - 1);

CREATE MACRO to_iso8601
    (a DATE) AS strftime(a, '%Y-%m-%d'),
    (a TIMESTAMP) AS strftime(a, '%Y-%m-%dT%H:%M:%S.%g'),
    (a TIMESTAMP WITH TIME ZONE) AS strftime(a, '%Y-%m-%dT%H:%M:%S.%gZ');
CREATE MACRO width_bucket(x, low, high, n) AS
    CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1
    ELSE CAST(floor((x - low) * n / (high - low)) AS BIGINT) + 1 END;
