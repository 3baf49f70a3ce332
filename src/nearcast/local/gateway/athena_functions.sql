-- Trino's semantics where DuckDB's own functions differ (trino.io/docs/current/functions.html).

-- An error with Trino's name, raised when a row reaches it: error() itself is not allowed within TRY.
CREATE MACRO trino_fail(reason) AS CAST(reason AS INTEGER);
CREATE MACRO trino_fail_as(reason, a) AS cast_to_type(CAST(CAST(reason AS INTEGER) AS VARCHAR), a);
CREATE MACRO is_inexact(a) AS typeof(a) IN ('DOUBLE', 'FLOAT');

-- Division: whole numbers truncate, doubles follow IEEE 754, decimals are rounded half up at their scale. A decimal
-- is divided as the whole number that it is times a power of ten; the caller knows the scales and the result's type.
CREATE MACRO trino_divide_doubles(a, b) AS a / b;
CREATE MACRO trino_divide_whole(a, b) AS
    CASE WHEN b = 0 AND a IS NOT NULL THEN cast_to_type('Division by zero', a // b) ELSE a // b END;
CREATE MACRO trino_unscaled(a, scale) AS
    CAST(CASE WHEN scale = 0 THEN CAST(a AS VARCHAR) ELSE replace(CAST(a AS VARCHAR), '.', '') END AS HUGEINT);
CREATE MACRO trino_rounded_quotient(n, d) AS
    n // nullif(d, 0) + CASE WHEN 2 * abs(n % nullif(d, 0)) >= abs(d) THEN sign(n) * sign(d) ELSE 0 END;
CREATE MACRO trino_scaled_digits(sign, digits, scale) AS
    sign || left(digits, len(digits) - scale) || '.' || right(digits, scale);
CREATE MACRO trino_scaled(q, scale) AS trino_scaled_digits(
    CASE WHEN q < 0 THEN '-' ELSE '' END, lpad(CAST(abs(q) AS VARCHAR), CAST(greatest(scale + 1, len(CAST(abs(q) AS VARCHAR))) AS INTEGER), '0'), scale);
CREATE MACRO trino_divide_decimals(a, b, s1, s2, scale) AS
    CASE WHEN b = 0 AND a IS NOT NULL THEN CAST(trino_fail('DIVISION_BY_ZERO: Division by zero') AS VARCHAR)
    ELSE trino_scaled(trino_rounded_quotient(
        trino_unscaled(a, s1) * CAST('1' || repeat('0', scale + s2 - s1) AS HUGEINT), trino_unscaled(b, s2)), scale) END;
CREATE MACRO trino_modulo(a, b) AS
    CASE WHEN b = 0 AND a IS NOT NULL AND NOT (is_inexact(a) OR is_inexact(b)) THEN cast_to_type('Division by zero', a % b) ELSE a % b END;
-- Operands of types that are not known before the query runs: within lambdas over columns of outer queries.
CREATE MACRO trino_divide(a, b) AS CASE
    WHEN (typeof(a) LIKE 'DECIMAL%' OR typeof(b) LIKE 'DECIMAL%') AND NOT (is_inexact(a) OR is_inexact(b))
        THEN cast_to_type('NOT_SUPPORTED: The local Athena does not divide decimals here: write 2e0 for 2.0', a // b)
    WHEN b <> 0 OR a IS NULL OR b IS NULL THEN a // b
    WHEN NOT (is_inexact(a) OR is_inexact(b)) THEN cast_to_type('Division by zero', a // b)
    WHEN a > 0 THEN cast_to_type('Infinity', a // b)
    WHEN a < 0 THEN cast_to_type('-Infinity', a // b)
    ELSE cast_to_type('NaN', a // b) END;
CREATE MACRO trino_difference(a, b) AS CASE
    WHEN typeof(a) = 'DATE' AND typeof(b) = 'DATE'
        THEN cast_to_type('NOT_SUPPORTED: The local Athena does not subtract dates here: write date_diff', a - b)
    ELSE a - b END;

-- Casts. A double is rounded half up on its way to a whole number; a text must be one.
CREATE MACRO trino_rounded(a) AS
    CASE WHEN is_inexact(a) THEN cast_to_type(round(TRY_CAST(a AS DOUBLE)), a) ELSE a END;
CREATE MACRO trino_whole_text(s) AS
    CASE WHEN regexp_full_match(s, '\s*[+-]?[0-9]+\s*') THEN s ELSE 'no whole number: ' || s END;
CREATE MACRO trino_text(a) AS CASE
    WHEN is_inexact(a)
        THEN CAST(trino_fail('NOT_SUPPORTED: The local Athena does not write doubles here') AS VARCHAR)
    ELSE CAST(a AS VARCHAR) END;
CREATE MACRO trino_json_text(j) AS CASE WHEN json_type(j) IN ('ARRAY', 'OBJECT')
    THEN CAST(trino_fail('INVALID_CAST_ARGUMENT: Cannot cast this JSON value to varchar') AS VARCHAR)
    ELSE j ->> '$' END;
CREATE MACRO trino_to_json(a) AS CASE WHEN a IS NOT NULL THEN to_json(a) END;

-- Numbers.
CREATE MACRO infinity() AS CAST('Infinity' AS DOUBLE);
CREATE MACRO nan() AS CAST('NaN' AS DOUBLE);
CREATE MACRO is_finite(x) AS isfinite(x);
CREATE MACRO is_infinite(x) AS isinf(x);
CREATE MACRO is_nan(x) AS isnan(x);
CREATE MACRO e() AS exp(1);
CREATE MACRO trino_bitwise_and(a, b) AS CAST(a AS BIGINT) & CAST(b AS BIGINT);
CREATE MACRO trino_bitwise_or(a, b) AS CAST(a AS BIGINT) | CAST(b AS BIGINT);
CREATE MACRO trino_bitwise_xor(a, b) AS xor(CAST(a AS BIGINT), CAST(b AS BIGINT));
CREATE MACRO trino_bitwise_not(a) AS ~CAST(a AS BIGINT);
CREATE MACRO trino_bitwise_and_agg(x) AS bit_and(CAST(x AS BIGINT));
CREATE MACRO trino_bitwise_or_agg(x) AS bit_or(CAST(x AS BIGINT));
CREATE MACRO trino_bitwise_xor_agg(x) AS bit_xor(CAST(x AS BIGINT));
CREATE MACRO trino_left_shift(a, n) AS cast_to_type(CAST(a AS BIGINT) << n, a);
CREATE MACRO trino_right_shift(a, n) AS
    CASE WHEN a < 0 THEN trino_fail('NOT_SUPPORTED: The local Athena shifts no negative numbers') ELSE a >> n END;
CREATE MACRO bitwise_right_shift_arithmetic(a, n) AS cast_to_type(a >> n, a);
CREATE MACRO trino_bit_count(x, bits) AS CAST(
    CASE WHEN bits BETWEEN 2 AND 64 THEN bit_count(CAST(x AS BIGINT)) - CASE WHEN x < 0 THEN 64 - bits ELSE 0 END
    ELSE trino_fail('INVALID_FUNCTION_ARGUMENT: Bits specified in bit_count must be between 2 and 64') END AS BIGINT);
CREATE MACRO trino_to_base(x, radix) AS lower(to_base(x, radix));
CREATE MACRO from_base(s, radix) AS list_reduce(
    list_transform(string_split(lower(s), ''), lambda c: CAST(strpos('0123456789abcdefghijklmnopqrstuvwxyz', c) - 1 AS BIGINT)),
    lambda a, x: CASE WHEN x BETWEEN 0 AND radix - 1 THEN a * radix + x
        ELSE trino_fail('INVALID_FUNCTION_ARGUMENT: Not a valid base number') END, CAST(0 AS BIGINT));
CREATE MACRO width_bucket(x, bins) AS len(list_filter(bins, lambda b: b <= x)),
    (x, low, high, n) AS
    CASE WHEN n <= 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: bucketCount must be greater than 0')
    WHEN x < low THEN 0 WHEN x >= high THEN n + 1
    ELSE CAST(floor((x - low) * n / (high - low)) AS BIGINT) + 1 END;
CREATE MACRO every(x) AS bool_and(x);
CREATE MACRO trino_skewness(x) AS
    CASE WHEN count(x) > 2 THEN skewness(x) * (count(x) - 2) / sqrt(CAST(count(x) AS DOUBLE) * (count(x) - 1)) END;

-- Dates and times. A date stays a date when an interval moves it, or when it is cut.
CREATE MACRO trino_plus(a, b) AS cast_to_type(a + b, a);
CREATE MACRO trino_minus(a, b) AS cast_to_type(a - b, a);
CREATE MACRO trino_whole_day(moment) AS CASE WHEN moment = CAST(moment AS DATE) THEN CAST(moment AS DATE)
    ELSE CAST(CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date') AS VARCHAR) AS DATE) END;
CREATE MACRO trino_plus_date(a, b) AS trino_whole_day(a + b);
CREATE MACRO trino_minus_date(a, b) AS trino_whole_day(a - b);
CREATE MACRO trino_date_trunc(unit, a) AS cast_to_type(date_trunc(unit, a), a);
CREATE MACRO trino_trunc_time(unit, a) AS CAST(date_trunc(unit, DATE '1970-01-01' + a) AS TIME);
CREATE MACRO millisecond(a) AS CAST(date_part('millisecond', a) AS BIGINT) % 1000;
CREATE MACRO yow(a) AS isoyear(a);
CREATE MACRO trino_parse_datetime(s, pattern) AS timezone('UTC', strptime(s, pattern));
CREATE MACRO trino_iso_date(s) AS CASE WHEN s IS NULL OR TRY_CAST(s AS DATE) IS NOT NULL THEN CAST(s AS DATE)
    ELSE CAST(CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: No date of ISO 8601') AS VARCHAR) AS DATE) END;
CREATE MACRO trino_iso_timestamp(s) AS CASE
    WHEN s IS NULL OR TRY_CAST(s AS TIMESTAMPTZ) IS NOT NULL THEN CAST(s AS TIMESTAMPTZ)
    ELSE CAST(CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: No timestamp of ISO 8601') AS VARCHAR) AS TIMESTAMPTZ) END;
CREATE MACRO current_timezone() AS 'UTC';
CREATE MACRO trino_from_milliseconds(n) AS to_milliseconds(CAST(n AS BIGINT));
CREATE MACRO trino_interval_hour(i) AS CAST(date_part('hour', i) AS BIGINT) % 24;
CREATE MACRO trino_milliseconds(i) AS CAST(epoch_ms(i) AS BIGINT);
CREATE MACRO to_iso8601(a) AS CASE typeof(a)
    WHEN 'DATE' THEN strftime(a, '%Y-%m-%d')
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(a, '%Y-%m-%dT%H:%M:%S.%gZ')
    ELSE strftime(a, '%Y-%m-%dT%H:%M:%S.%g') END;
CREATE MACRO trino_sequence_of_times(a, b, step) AS list_filter(
    list_transform(generate_series(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP) + step, step),
        lambda t, i: CAST(a AS TIMESTAMP) + (i - 1) * step),
    lambda t: CASE WHEN a + step >= a THEN t <= b ELSE t >= b END);
CREATE MACRO trino_sequence(a, b) AS generate_series(a, b, CASE WHEN a <= b THEN 1 ELSE -1 END),
    (a, b, step) AS generate_series(a, b, CASE WHEN step = 0
        THEN trino_fail('INVALID_FUNCTION_ARGUMENT: step must not be zero') ELSE step END);

-- Texts. No match, or no such part, is null.
CREATE MACRO trino_regexp_extract(s, pattern, number) AS list_extract(regexp_extract_all(s, pattern, number), 1);
CREATE MACRO trino_split_part(s, delimiter, number) AS CASE
    WHEN number < 1 THEN CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: Index must be greater than zero') AS VARCHAR)
    WHEN number <= len(string_split(s, delimiter)) THEN split_part(s, delimiter, number) END;
CREATE MACRO trino_split(s, delimiter, most) AS
    CASE WHEN len(string_split(s, delimiter)) <= most THEN string_split(s, delimiter)
    ELSE list_append(list_slice(string_split(s, delimiter), 1, most - 1),
        array_to_string(list_slice(string_split(s, delimiter), most, len(string_split(s, delimiter))), delimiter)) END;
CREATE MACRO trino_substr(s, start) AS
    CASE WHEN start = 0 OR -start > length(s) THEN left(s, 0) ELSE substring(s, start) END,
    (s, start, length) AS
    CASE WHEN start = 0 OR -start > length(s) THEN left(s, 0) ELSE substring(s, start, greatest(length, 0)) END;
CREATE MACRO trino_substr_bytes(b, start) AS unhex(substring(hex(b), CAST(2 * start - CASE WHEN start > 0 THEN 1 ELSE 0 END AS BIGINT))),
    (b, start, length) AS
    unhex(substring(hex(b), CAST(2 * start - CASE WHEN start > 0 THEN 1 ELSE 0 END AS BIGINT), CAST(2 * length AS BIGINT)));
CREATE MACRO codepoint(s) AS CASE WHEN length(s) = 1 THEN unicode(s)
    ELSE trino_fail('FUNCTION_NOT_FOUND: Unexpected parameters for function codepoint: more than one character') END;
CREATE MACRO hamming_distance(a, b) AS CASE WHEN length(a) = length(b) THEN hamming(a, b)
    ELSE trino_fail('INVALID_FUNCTION_ARGUMENT: The input strings to hamming_distance function must have the same length') END;
CREATE MACRO trino_regexp_position(s, pattern) AS
    CAST(CASE WHEN regexp_matches(s, pattern) THEN strpos(s, regexp_extract(s, pattern)) ELSE -1 END AS INTEGER);
CREATE MACRO trino_repeat(a, n) AS CASE WHEN n >= 0 THEN list_transform(range(n), lambda i: a)
    ELSE [trino_fail_as('INVALID_FUNCTION_ARGUMENT: count argument of repeat function must be greater than or equal to 0', a)] END;
CREATE MACRO url_extract_protocol(u) AS nullif(regexp_extract(u, '^([a-zA-Z][a-zA-Z0-9+.-]*):', 1), '');
CREATE MACRO url_extract_host(u) AS nullif(regexp_extract(u, '^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/?#@]*@)?([^:/?#]*)', 1), '');
CREATE MACRO url_extract_port(u) AS
    TRY_CAST(nullif(regexp_extract(u, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#:]*:([0-9]+)', 1), '') AS BIGINT);
CREATE MACRO url_extract_path(u) AS url_decode(regexp_extract(u, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*([^?#]*)', 1));
CREATE MACRO url_extract_query(u) AS url_decode(regexp_extract(u, '\?([^#]*)', 1));
CREATE MACRO url_extract_fragment(u) AS url_decode(regexp_extract(u, '#(.*)$', 1));
CREATE MACRO url_extract_parameter(u, name) AS list_extract(list_transform(
    list_filter(string_split(regexp_extract(u, '\?([^#]*)', 1), '&'), lambda p: split_part(p, '=', 1) = name),
    lambda p: url_decode(replace(substring(p, strpos(p, '=') + 1), '+', ' '))), 1);
CREATE MACRO trino_url_encode(s) AS replace(url_encode(s), '%20', '+');
CREATE MACRO trino_url_decode(s) AS url_decode(replace(s, '+', ' '));
CREATE MACRO split_to_multimap(s, entries, pairs) AS map_from_entries(list_transform(
    list_distinct(list_transform(string_split(s, entries), lambda p: split_part(p, pairs, 1))),
    lambda k: ROW(k, list_transform(list_filter(string_split(s, entries), lambda p: split_part(p, pairs, 1) = k),
        lambda p: split_part(p, pairs, 2)))));
CREATE MACRO trino_split_to_map(s, entries, pairs) AS map_from_entries(list_transform(
    string_split(s, entries), lambda p: ROW(split_part(p, pairs, 1), split_part(p, pairs, 2))));

-- Bytes.
CREATE MACRO trino_sha1(b) AS unhex(sha1(b));
CREATE MACRO trino_from_hex(s) AS CASE WHEN len(s) % 2 = 0 THEN unhex(s)
    ELSE CAST(CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: invalid input length') AS VARCHAR) AS BLOB) END;
CREATE MACRO to_base64url(b) AS translate(to_base64(b), '+/', '-_');
CREATE MACRO from_base64url(s) AS from_base64(translate(s, '-_', '+/'));
CREATE MACRO trino_reverse_bytes(b) AS unhex(array_to_string(list_reverse(regexp_extract_all(hex(b), '..')), ''));
CREATE MACRO to_big_endian_64(x) AS unhex(lpad(hex(CAST(x AS BIGINT)), 16, '0'));
CREATE MACRO to_big_endian_32(x) AS unhex(lpad(hex(CAST(x AS BIGINT)), 8, '0'));

-- JSON. What is no JSON has no values; only a whole array has a length.
CREATE MACRO trino_json(j) AS CASE WHEN json_valid(CAST(j AS VARCHAR)) THEN CAST(j AS VARCHAR) END;
CREATE MACRO trino_json_extract(j, path) AS json_extract(trino_json(j), path);
CREATE MACRO trino_json_scalar(j, path) AS CASE WHEN json_type(trino_json(j), path) NOT IN ('ARRAY', 'OBJECT')
    THEN json_extract_string(trino_json(j), path) END;
CREATE MACRO trino_json_exists(j, path) AS json_exists(trino_json(j), path);
CREATE MACRO trino_json_parse(s) AS CASE WHEN json_valid(s) THEN json(trino_json(s))
    ELSE to_json(CAST(trino_fail('INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON') AS VARCHAR)) END;
CREATE MACRO trino_json_array_length(j) AS CASE WHEN json_valid(CAST(j AS VARCHAR))
    THEN CASE WHEN json_type(CAST(j AS VARCHAR)) = 'ARRAY' THEN CAST(json_array_length(CAST(j AS VARCHAR)) AS BIGINT) END END;
CREATE MACRO json_size(j, path) AS CASE WHEN json_valid(CAST(j AS VARCHAR)) THEN CAST(CASE json_type(CAST(j AS VARCHAR), path)
    WHEN 'ARRAY' THEN json_array_length(CAST(j AS VARCHAR), path)
    WHEN 'OBJECT' THEN len(json_keys(CAST(j AS VARCHAR), path)) WHEN NULL THEN NULL ELSE 0 END AS BIGINT) END;
CREATE MACRO is_json_scalar(j) AS json_type(CAST(j AS VARCHAR)) NOT IN ('ARRAY', 'OBJECT');
CREATE MACRO json_array_contains(j, value) AS CASE WHEN json_type(CAST(j AS VARCHAR)) = 'ARRAY'
    THEN list_contains(CAST(CAST(j AS JSON) AS JSON[]), to_json(value)) END;

-- Arrays and maps. A subscript out of range is an error, element_at of it is null.
CREATE MACRO trino_subscript(a, i) AS CASE
    WHEN i = 0 THEN trino_fail_as('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', list_extract(a, 1))
    WHEN i < 0 THEN trino_fail_as('INVALID_FUNCTION_ARGUMENT: Array subscript is negative', list_extract(a, 1))
    WHEN i > len(a) THEN trino_fail_as('INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length', list_extract(a, 1))
    ELSE list_extract(a, i) END;
CREATE MACRO trino_element_at(a, i) AS CASE
    WHEN i = 0 THEN trino_fail_as('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', list_extract(a, 1))
    ELSE list_extract(a, i) END;
CREATE MACRO trino_map_element(m, k) AS list_extract(map_extract(m, k), 1);
CREATE MACRO trino_map_subscript(m, k) AS CASE
    WHEN m IS NOT NULL AND len(map_extract(m, k)) = 0
        THEN trino_fail_as('INVALID_FUNCTION_ARGUMENT: Key not present in map', list_extract(map_values(m), 1))
    ELSE list_extract(map_extract(m, k), 1) END;
CREATE MACRO trino_cardinality(a) AS CAST(len(a) AS BIGINT);
CREATE MACRO trino_cardinality_of_map(m) AS CAST(len(map_keys(m)) AS BIGINT);
CREATE MACRO trino_slice(a, start, length) AS CASE
    WHEN start = 0 THEN [trino_fail_as('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', list_extract(a, 1))]
    WHEN start < 0 THEN list_slice(a, len(a) + start + 1, len(a) + start + length)
    ELSE list_slice(a, start, start + length - 1) END;
CREATE MACRO trim_array(a, n) AS list_slice(a, 1, len(a) - n);
CREATE MACRO trino_contains(a, x) AS CASE WHEN list_contains(a, x) THEN true
    WHEN len(list_filter(a, lambda v: v IS NULL)) > 0 OR x IS NULL THEN NULL ELSE a IS NOT NULL AND false END;
CREATE MACRO list_bool_or(a) AS list_aggregate(a, 'bool_or');
CREATE MACRO trino_distinct(a) AS list_filter(a, lambda v, i: i = 1 OR NOT list_bool_or(
    list_transform(list_slice(a, 1, i - 1), lambda w: w IS NOT DISTINCT FROM v)));
CREATE MACRO array_union(a, b) AS trino_distinct(list_concat(a, b));
CREATE MACRO trino_except(a, b) AS trino_distinct(list_filter(a, lambda v:
    NOT coalesce(list_bool_or(list_transform(b, lambda w: w IS NOT DISTINCT FROM v)), false)));
CREATE MACRO trino_overlap(a, b) AS CASE WHEN list_has_any(a, b) THEN true
    WHEN len(a) > 0 AND len(b) > 0 AND len(list_filter(list_concat(a, b), lambda v: v IS NULL)) > 0 THEN NULL
    ELSE false END;
CREATE MACRO trino_array_max(a) AS CASE WHEN len(list_filter(a, lambda v: v IS NULL)) = 0 THEN list_max(a) END;
CREATE MACRO trino_array_min(a) AS CASE WHEN len(list_filter(a, lambda v: v IS NULL)) = 0 THEN list_min(a) END;
CREATE MACRO trino_position(a, x) AS CAST(coalesce(list_position(a, x), 0) AS BIGINT);
CREATE MACRO contains_sequence(a, b) AS len(list_filter(range(1, len(a) - len(b) + 2),
    lambda i: list_slice(a, i, i + len(b) - 1) = b)) > 0;
CREATE MACRO ngrams(a, n) AS list_transform(range(1, greatest(len(a) - n + 2, 2)), lambda i: list_slice(a, i, i + n - 1));
CREATE MACRO shuffle(a) AS list_transform(list_sort(list_transform(a, lambda v: {'r': random(), 'v': v})), lambda s: s.v);
CREATE MACRO trino_fields(a, place) AS list_transform(a, lambda r: struct_extract_at(r, place));
CREATE MACRO trino_zip(a, b) AS list_transform(range(1, greatest(len(a), len(b)) + 1),
    lambda i: ROW(list_extract(a, i), list_extract(b, i)));
CREATE MACRO map_agg(k, v) AS map(list(k), list(v));
CREATE MACRO multimap_from_entries(entries) AS map_from_entries(list_transform(
    trino_distinct(list_transform(entries, lambda p: struct_extract_at(p, 1))),
    lambda k: ROW(k, list_transform(list_filter(entries, lambda p: struct_extract_at(p, 1) = k), lambda p: struct_extract_at(p, 2)))));
CREATE MACRO multimap_agg(k, v) AS multimap_from_entries(list(ROW(k, v)));
CREATE MACRO trino_map_entries(m) AS
    list_transform(range(1, len(map_keys(m)) + 1), lambda i: ROW(map_keys(m)[i], map_values(m)[i]));
