-- Trino's semantics where DuckDB's own functions differ (trino.io/docs/current/functions.html).

-- Whole division of whole numbers, IEEE 754 division of doubles (DuckDB's // raises an error by zero). A decimal
-- divided by an exact number has a scale of its own in Trino, which DuckDB cannot give: refused, not guessed.
-- typeof is known when a query is bound, for aggregates too, where the types of macro parameters are not.
-- A text that is no number raises an error when it is reached; error() itself is not allowed within TRY.
CREATE MACRO is_inexact(a) AS typeof(a) IN ('DOUBLE', 'FLOAT');
CREATE MACRO trino_divide(a, b) AS CASE
    WHEN (typeof(a) LIKE 'DECIMAL%' OR typeof(b) LIKE 'DECIMAL%') AND NOT (is_inexact(a) OR is_inexact(b))
        THEN cast_to_type('NOT_SUPPORTED: The local Athena does not divide decimals: write 2e0 for 2.0', a // b)
    WHEN b <> 0 OR a IS NULL OR b IS NULL THEN a // b
    WHEN NOT (is_inexact(a) OR is_inexact(b)) THEN cast_to_type('Division by zero', a // b)
    WHEN a > 0 THEN cast_to_type('Infinity', a // b)
    WHEN a < 0 THEN cast_to_type('-Infinity', a // b)
    ELSE cast_to_type('NaN', a // b) END;

-- A double is rounded half up on its way to a whole number; DuckDB rounds it half to even.
CREATE MACRO trino_rounded(a) AS
    CASE WHEN is_inexact(a) THEN cast_to_type(round(TRY_CAST(a AS DOUBLE)), a) ELSE a END;

-- A date stays a date when an interval moves it, or when it is cut.
CREATE MACRO trino_plus(a, b) AS cast_to_type(a + b, a);
CREATE MACRO trino_minus(a, b) AS cast_to_type(a - b, a);
CREATE MACRO trino_date_trunc(unit, a) AS cast_to_type(date_trunc(unit, a), a);

-- No match, or no such part, is null.
CREATE MACRO trino_regexp_extract(s, pattern, number) AS
    CASE WHEN regexp_matches(s, pattern) THEN regexp_extract(s, pattern, number) END;
CREATE MACRO trino_split_part(s, delimiter, number) AS
    CASE WHEN number <= len(string_split(s, delimiter)) THEN split_part(s, delimiter, number) END;

-- The third argument is a length.
CREATE MACRO trino_slice(a, start, length) AS list_slice(a, start, start + length - 1);

CREATE MACRO to_iso8601(a) AS CASE typeof(a)
    WHEN 'DATE' THEN strftime(a, '%Y-%m-%d')
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(a, '%Y-%m-%dT%H:%M:%S.%gZ')
    ELSE strftime(a, '%Y-%m-%dT%H:%M:%S.%g') END;
CREATE MACRO width_bucket(x, low, high, n) AS
    CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1
    ELSE CAST(floor((x - low) * n / (high - low)) AS BIGINT) + 1 END;
CREATE MACRO every(x) AS bool_and(x);
CREATE MACRO e() AS exp(1);
