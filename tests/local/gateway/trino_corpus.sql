-- What the local Athena is held to: one statement a line. `make trino-oracle` runs them on a real Trino.

-- Literals and types
SELECT 1
SELECT 2147483648
SELECT -9223372036854775807
SELECT 1.50
SELECT 1.5e0
SELECT 'text'
SELECT true
SELECT NULL
SELECT DATE '2020-02-29'
SELECT TIMESTAMP '2020-02-29 12:34:56'
SELECT TIMESTAMP '2020-02-29 12:34:56.789'
SELECT TIME '12:34:56'
SELECT X'65683F'
SELECT ARRAY[1, 2]
SELECT MAP(ARRAY['a'], ARRAY[1])
SELECT ROW(1, 'a')
SELECT DECIMAL '123.450'
SELECT REAL '1.5'
SELECT BIGINT '5'
SELECT DOUBLE '2.5'
SELECT 'it''s'
SELECT typeof(1)
SELECT typeof(2147483648)
SELECT typeof(1.50)
SELECT typeof(1e0)
SELECT typeof('text')
SELECT typeof(true)
SELECT typeof(NULL)
SELECT typeof(DATE '2020-01-01')
SELECT typeof(TIMESTAMP '2020-01-01 00:00:00.000')
SELECT typeof(CAST(1 AS real))
SELECT typeof(X'00')
SELECT typeof(ARRAY[1])
SELECT typeof(MAP(ARRAY['a'], ARRAY[1e0]))
SELECT typeof(CAST(ROW(1, 'a') AS ROW(x integer, y varchar)))
SELECT typeof(1 + 1)
SELECT typeof(1 + BIGINT '1')
SELECT typeof(1 * 1e0)
SELECT typeof(CAST('a' AS varchar))
SELECT typeof(CAST(1 AS decimal(10, 2)))
SELECT typeof(current_date)
SELECT typeof(concat('a', 'b'))
SELECT typeof(CAST('a' AS varchar(3)))
SELECT typeof(INTERVAL '1' DAY)
SELECT ''
SELECT ' '
SELECT 'ünïcödé'
SELECT '日本'

-- Whole numbers
SELECT 7 / 2
SELECT -7 / 2
SELECT 7 / -2
SELECT 7 % 3
SELECT -7 % 3
SELECT 7 % -3
SELECT mod(7, 3)
SELECT mod(-7, 3)
SELECT 5 * 3 - 2
SELECT -(5)
SELECT +5
SELECT 1 / 0
SELECT 1 % 0
SELECT 2147483647 + 1
SELECT BIGINT '9223372036854775807' + 1
SELECT 2147483647 * 2
SELECT -2147483648
SELECT abs(-5)
SELECT sign(-3)
SELECT sign(0)
SELECT abs(BIGINT '-7')
SELECT CAST(7 AS tinyint) / CAST(2 AS tinyint)
SELECT CAST(100 AS smallint) * CAST(2 AS smallint)
SELECT CAST(127 AS tinyint) + CAST(1 AS tinyint)
SELECT TRY(1 / 0)
SELECT TRY(CAST('x' AS integer))
SELECT TRY(2147483647 + 1)

-- Doubles
SELECT 7e0 / 2
SELECT 1e0 / 0
SELECT -1e0 / 0
SELECT 0e0 / 0
SELECT 5.5e0 % 2
SELECT 0.1e0 + 0.2e0
SELECT 1e7
SELECT 1e-4
SELECT 123456789.125e0
SELECT 1e100
SELECT round(2.5e0)
SELECT round(-2.5e0)
SELECT round(0.5e0)
SELECT round(1.255e0, 2)
SELECT round(1234.5e0, -2)
SELECT floor(-1.5e0)
SELECT ceil(-1.5e0)
SELECT ceiling(1.2e0)
SELECT truncate(-1.9e0)
SELECT truncate(12.345e0, 1)
SELECT sqrt(2e0)
SELECT cbrt(27e0)
SELECT exp(1e0)
SELECT ln(10e0)
SELECT log2(8e0)
SELECT log10(1000e0)
SELECT power(2, 10)
SELECT log(2, 8)
SELECT pow(2e0, 0.5e0)
SELECT e()
SELECT pi()
SELECT infinity()
SELECT nan()
SELECT sin(1e0)
SELECT cos(1e0)
SELECT tan(1e0)
SELECT asin(1e0)
SELECT acos(1e0)
SELECT atan(1e0)
SELECT atan2(1e0, 2e0)
SELECT sinh(1e0)
SELECT cosh(1e0)
SELECT tanh(1e0)
SELECT degrees(pi())
SELECT radians(180e0)
SELECT is_nan(nan())
SELECT is_finite(1e0)
SELECT is_infinite(infinity())
SELECT nan() = nan()
SELECT sqrt(-1e0)
SELECT ln(0e0)
SELECT power(0, -1)
SELECT width_bucket(5e0, 0e0, 10e0, 5)
SELECT width_bucket(-1e0, 0e0, 10e0, 5)
SELECT width_bucket(10e0, 0e0, 10e0, 5)
SELECT width_bucket(3e0, ARRAY[1e0, 2e0, 4e0])
SELECT greatest(1, 2, 3)
SELECT least(1.5e0, 2e0)
SELECT greatest('a', 'b')
SELECT greatest(1, NULL)
SELECT CAST(REAL '1.1' AS double)
SELECT REAL '1.1' + REAL '2.2'
SELECT CAST(1.1 AS real)
SELECT cosine_similarity(MAP(ARRAY['a', 'b'], ARRAY[1e0, 2e0]), MAP(ARRAY['a', 'b'], ARRAY[2e0, 1e0]))
SELECT normal_cdf(0, 1, 1.96e0)
SELECT inverse_normal_cdf(0, 1, 0.975e0)
SELECT sign(-1.5e0)
SELECT abs(-1.5e0)
SELECT mod(5.5e0, 2e0)

-- Decimals
SELECT 1.0 / 3
SELECT 10.00 / 4
SELECT 1.5 / 2
SELECT 2 / 1.5
SELECT 1.25 / 0.5
SELECT 5 / 2.0
SELECT -7.0 / 2
SELECT 1.000 / 7.00
SELECT CAST(10 AS decimal(10, 2)) / CAST(3 AS decimal(10, 2))
SELECT CAST(1 AS decimal(5, 4)) / 3
SELECT 1.5 + 2.25
SELECT 1.5 - 2.25
SELECT 1.5 * 2.25
SELECT 5.5 % 2.1
SELECT -1.5
SELECT 1.5 + 1
SELECT 2 * 1.25
SELECT 1.1 + 1e0
SELECT 1.0 / 0
SELECT 5.5 % 0
SELECT CAST(1.255 AS decimal(10, 2))
SELECT CAST(1.245 AS decimal(10, 2))
SELECT CAST(-1.255 AS decimal(10, 2))
SELECT CAST(123.456 AS decimal(4, 2))
SELECT CAST('12.345' AS decimal(10, 2))
SELECT CAST(12.345e0 AS decimal(10, 2))
SELECT CAST(1 AS decimal(3, 1))
SELECT CAST(1.5 AS integer)
SELECT CAST(2.5 AS integer)
SELECT CAST(-1.5 AS bigint)
SELECT CAST(1.49 AS integer)
SELECT round(1.255, 2)
SELECT round(2.5)
SELECT round(-2.5)
SELECT round(1234.567, -2)
SELECT floor(-1.5)
SELECT ceil(1.2)
SELECT truncate(1.99)
SELECT abs(-1.25)
SELECT sign(-1.25)
SELECT 0.1 + 0.2 = 0.3
SELECT 1.0 = 1
SELECT 1.50 = 1.5
SELECT 1.5 = 1.5e0
SELECT CAST(1.50 AS varchar)
SELECT CAST(CAST(5 AS decimal(10, 2)) AS varchar)
SELECT CAST(0.05 AS double)
SELECT typeof(1.0 / 3)
SELECT typeof(1.5 + 2.25)
SELECT typeof(1.5 * 2.25)
SELECT typeof(5.5 % 2.1)
SELECT typeof(1.25 + 1)
SELECT avg(x), sum(x), min(x), max(x) FROM (VALUES 1.10, 2.20, 3.34) AS t(x)
SELECT typeof(avg(x)), typeof(sum(x)), typeof(max(x)) FROM (VALUES 1.10, 2.20) AS t(x)
SELECT sum(x) / count(*), avg(x) / 3 FROM (VALUES 1.10, 2.20, 3.34) AS t(x)
SELECT x / y FROM (VALUES (CAST(1 AS decimal(10, 2)), 3), (CAST(2 AS decimal(10, 2)), 7)) AS t(x, y)
SELECT DECIMAL '99999999999999999999' + 1
SELECT CAST(99999999999999999999 AS decimal(38, 0))
SELECT DECIMAL '99999999999999999999999999999999999999' + 1
SELECT DECIMAL '12345678901234567890.123456789' * DECIMAL '1.5'
SELECT greatest(1.5, 2)
SELECT coalesce(1.5, 2)
SELECT if(true, 1, 2.5)
SELECT nullif(1.5, 2)

-- Bits
SELECT bitwise_and(12, 10)
SELECT bitwise_or(12, 10)
SELECT bitwise_xor(12, 10)
SELECT bitwise_not(5)
SELECT bitwise_left_shift(1, 4)
SELECT bitwise_right_shift(16, 2)
SELECT bitwise_right_shift_arithmetic(-16, 2)
SELECT bit_count(7, 64)
SELECT bit_count(-1, 8)
SELECT to_base(255, 16)
SELECT from_base('ff', 16)
SELECT to_base(5, 2)
SELECT from_base('777', 8)
SELECT bitwise_and_agg(x), bitwise_or_agg(x) FROM (VALUES 12, 10) AS t(x)
SELECT bitwise_xor_agg(x) FROM (VALUES 12, 10) AS t(x)

-- Conversion
SELECT CAST('12' AS integer)
SELECT CAST(' 12 ' AS integer)
SELECT CAST(12 AS varchar)
SELECT CAST(true AS varchar)
SELECT CAST(1.5e0 AS varchar)
SELECT CAST('x' AS integer)
SELECT CAST('1.5' AS integer)
SELECT CAST('99999999999' AS integer)
SELECT CAST(3000000000 AS integer)
SELECT CAST(1e20 AS bigint)
SELECT CAST(300 AS tinyint)
SELECT TRY_CAST('x' AS integer)
SELECT TRY_CAST('1' AS integer)
SELECT TRY_CAST(300 AS tinyint)
SELECT TRY_CAST('2020-13-01' AS date)
SELECT CAST(2.5e0 AS integer)
SELECT CAST(-2.5e0 AS integer)
SELECT CAST(0.5e0 AS bigint)
SELECT CAST(1.5e0 AS bigint)
SELECT CAST(nan() AS integer)
SELECT CAST('true' AS boolean)
SELECT CAST('F' AS boolean)
SELECT CAST(0 AS boolean)
SELECT CAST('1' AS boolean)
SELECT CAST('maybe' AS boolean)
SELECT CAST(true AS integer)
SELECT CAST(false AS double)
SELECT CAST('abcdef' AS varchar(3))
SELECT CAST('ab' AS char(4))
SELECT CAST(NULL AS varchar)
SELECT CAST('1e3' AS double)
SELECT CAST('Infinity' AS double)
SELECT CAST('NaN' AS double)
SELECT CAST('abc' AS varbinary)
SELECT CAST('abc' AS double)
SELECT CAST('2020-01-02' AS date)
SELECT CAST('2020-01-02 03:04:05' AS timestamp)
SELECT CAST(DATE '2020-01-02' AS timestamp)
SELECT CAST('2020-1-2' AS date)
SELECT CAST(TIMESTAMP '2020-01-02 23:59:59' AS date)
SELECT CAST(DATE '2020-01-02' AS varchar)
SELECT CAST('20200102' AS date)
SELECT CAST(TIMESTAMP '2020-01-02 03:04:05' AS varchar)
SELECT CAST(TIMESTAMP '2020-01-02 03:04:05.6' AS varchar)
SELECT CAST('03:04' AS time)
SELECT CAST(TIMESTAMP '2020-01-02 03:04:05' AS time)
SELECT CAST(ARRAY[1, 2] AS array(varchar))
SELECT CAST(ARRAY['1', '2'] AS array(bigint))
SELECT CAST(MAP(ARRAY[1], ARRAY[2]) AS map(varchar, double))
SELECT CAST(ROW(1, 'a') AS ROW(x integer, y varchar)).x
SELECT CAST(ROW(1, 2) AS ROW(a double, b varchar)).b
SELECT CAST(1e7 AS varchar)
SELECT CAST(0.001e0 AS varchar)
SELECT CAST(1e-5 AS varchar)
SELECT CAST(100e0 AS varchar)
SELECT CAST(REAL '1.5' AS varchar)
SELECT CAST(DATE '2020-01-01' AS integer)
SELECT format('%s|%d|%.2f|%5d|%-5s|%05d|%,d|%x|%%', 'a', 1, 1.5e0, 42, 'b', 7, 1234567, 255)
SELECT format('%s %s %s', 1, true, NULL)
SELECT format('%s', 1.50)
SELECT format('%2$s-%1$s', 'a', 'b')
SELECT format('%tY', DATE '2020-01-02')
SELECT format('%s', DATE '2020-01-02')
SELECT format('%s', 1e0)
SELECT format('%e', 12345.678e0)
SELECT format_number(123456)
SELECT format_number(1000000)
SELECT parse_data_size('2.3MB')
SELECT human_readable_seconds(3762)

-- Conditions
SELECT CASE WHEN 1 = 1 THEN 'a' ELSE 'b' END
SELECT CASE 2 WHEN 1 THEN 'x' WHEN 2 THEN 'y' END
SELECT CASE WHEN false THEN 1 END
SELECT if(1 > 2, 'a', 'b')
SELECT if(1 > 2, 'a')
SELECT coalesce(NULL, NULL, 3)
SELECT nullif(1, 1)
SELECT nullif(1, 2)
SELECT 1 BETWEEN 0 AND 2
SELECT 3 NOT BETWEEN 0 AND 2
SELECT 1 IN (1, 2)
SELECT 1 IN (2, NULL)
SELECT 1 NOT IN (2, NULL)
SELECT NULL IN (1)
SELECT NULL = NULL, NULL IS NULL, 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL, 1 <> NULL
SELECT true AND NULL
SELECT false AND NULL
SELECT true OR NULL
SELECT NOT NULL
SELECT NOT true
SELECT 'abc' LIKE 'a%'
SELECT 'abc' LIKE '_b_'
SELECT 'a%c' LIKE 'a\%c' ESCAPE '\'
SELECT 'ABC' LIKE 'abc'
SELECT 'a' NOT LIKE 'b'
SELECT 1 = ANY (VALUES 1, 2)
SELECT 3 > ALL (VALUES 1, 2)
SELECT 5 < SOME (VALUES 1, 9)
SELECT EXISTS (SELECT 1 WHERE false)
SELECT (SELECT max(x) FROM (VALUES 1, 2) AS t(x))
SELECT (SELECT x FROM (VALUES 1, 2) AS t(x))
SELECT 1 = 1.0
SELECT 'a' < 'b'
SELECT DATE '2020-01-01' < DATE '2020-01-02'
SELECT DATE '2020-01-01' = TIMESTAMP '2020-01-01 00:00:00'
SELECT 'a ' = 'a'
SELECT '' IS NULL
SELECT 'A' = 'a'
SELECT (1, 2) = (1, 2)
SELECT (1, 'a') < (1, 'b')
SELECT (1, 2) IN ((1, 2), (3, 4))

-- Types that do not go together
SELECT 1 = '1'
SELECT '1' + 1
SELECT 'a' || 1
SELECT 1 < 'a'
SELECT DATE '2020-01-01' = '2020-01-01'
SELECT DATE '2020-01-01' > 1
SELECT 1 IN ('a')
SELECT coalesce(1, 'a')
SELECT if(true, 1, 'a')
SELECT CASE WHEN true THEN 1 ELSE 'a' END
SELECT ARRAY[1, 'a']
SELECT 1 WHERE 1
SELECT 1 AND true
SELECT NOT 1
SELECT sum('a')
SELECT length(5)
SELECT upper(1)
SELECT substr(12345, 2)
SELECT abs('5')
SELECT x = '1' FROM (VALUES 1) AS t(x)
SELECT x FROM (VALUES '1', '2') AS t(x) WHERE x > 1
SELECT year('2020-01-01')
SELECT date_add('day', 1, '2020-01-01')
SELECT date_diff('day', '2020-01-01', DATE '2020-01-02')
SELECT concat('a', 1)
SELECT 1 UNION SELECT 'a'
SELECT x FROM (VALUES 1, 'a') AS t(x)
SELECT a.x FROM (VALUES 1) AS a(x) JOIN (VALUES '1') AS b(x) ON a.x = b.x
SELECT 1 BETWEEN 'a' AND 'b'
SELECT true + 1
SELECT -'a'
SELECT sqrt('4')

-- Texts
SELECT length('héllo')
SELECT upper('aé')
SELECT lower('AÉ')
SELECT reverse('abc')
SELECT concat('a', 'b', 'c')
SELECT 'a' || 'b' || NULL
SELECT substr('abcdef', 2, 3)
SELECT substring('abcdef', -2)
SELECT substr('abc', 0)
SELECT substr('abc', 5)
SELECT substring('abcdef' FROM 2 FOR 2)
SELECT strpos('banana', 'an')
SELECT strpos('banana', 'an', 2)
SELECT strpos('abc', 'z')
SELECT position('b' IN 'abc')
SELECT strpos('banana', 'an', -1)
SELECT lpad('7', 3, '0')
SELECT rpad('ab', 4, 'xy')
SELECT lpad('abcdef', 3, '0')
SELECT lpad('a', 5, 'xyz')
SELECT trim('  a ')
SELECT ltrim('  a ')
SELECT rtrim(' a  ')
SELECT trim(BOTH 'x' FROM 'xxaxx')
SELECT trim(LEADING 'x' FROM 'xxa')
SELECT trim('xa', 'x')
SELECT replace('banana', 'an', 'o')
SELECT replace('abc', 'b')
SELECT translate('abcd', 'ab', 'xy')
SELECT translate('abcd', 'ab', 'x')
SELECT split('a,b,,c', ',')
SELECT split('a,b,c', ',', 2)
SELECT split_part('a-b-c', '-', 2)
SELECT split_part('a-b', '-', 5)
SELECT split('a.b', '.')
SELECT split('abc', 'x')
SELECT split_part('a-b', '-', 0)
SELECT split_to_map('a=1,b=2', ',', '=')
SELECT split_to_multimap('a=1,a=2', ',', '=')
SELECT chr(65)
SELECT codepoint('A')
SELECT starts_with('abc', 'ab')
SELECT repeat('a', 3)
SELECT concat_ws('-', 'a', NULL, 'b')
SELECT codepoint('ab')
SELECT levenshtein_distance('kitten', 'sitting')
SELECT hamming_distance('karolin', 'kathrin')
SELECT soundex('Robert')
SELECT luhn_check('79927398713')
SELECT hamming_distance('a', 'ab')
SELECT normalize('é', NFD) = 'é'
SELECT word_stem('running')
SELECT length(normalize('é', NFD))
SELECT concat_ws(',', ARRAY['a', NULL, 'b'])
SELECT array_join(ARRAY['a', NULL, 'b'], ',')
SELECT array_join(ARRAY[1, NULL, 2], '-', '?')
SELECT 'abc' < 'abd'
SELECT 'Z' < 'a'
SELECT greatest('abc', 'abd')
SELECT regexp_like('abc123', '\d+')
SELECT regexp_like('abc', '^b')
SELECT regexp_like('ABC', '(?i)b')
SELECT regexp_extract('abc123', '[0-9]+')
SELECT regexp_extract('abc123', '([a-z]+)([0-9]+)', 2)
SELECT regexp_extract('abc', 'z')
SELECT regexp_extract('a1', '(b)?1', 1)
SELECT regexp_extract('abc', '(a)', 2)
SELECT regexp_replace('abc', 'b')
SELECT regexp_replace('abcabc', 'b', 'x')
SELECT regexp_replace('ab12', '([a-z]+)(\d+)', '$2-$1')
SELECT regexp_replace('abc', '(?<first>a)', '${first}!')
SELECT regexp_replace('a1b2', '\d', x -> '<' || x[1] || '>')
SELECT regexp_replace('new york', '(\w)(\w*)', x -> upper(x[1]) || lower(x[2]))
SELECT regexp_extract_all('1a 2b 14m', '\d+')
SELECT regexp_extract_all('1a 2b', '(\d+)([a-z]+)', 2)
SELECT regexp_extract_all('abc', 'z')
SELECT regexp_split('1a 2b 14m', '\s*[a-z]+\s*')
SELECT regexp_count('1a 2b 14m', '\s*[a-z]+\s*')
SELECT regexp_position('I have 23 apples', '\d')
SELECT regexp_like('a', '[')
SELECT url_extract_host('https://example.com:8080/a/b?x=1&y=2#f')
SELECT url_extract_port('https://example.com:8080/')
SELECT url_extract_path('https://example.com/a/b?x=1')
SELECT url_extract_parameter('http://a.b/c?x=1&y=2', 'y')
SELECT url_extract_protocol('http://a.b')
SELECT url_extract_query('http://a.b/c?x=1')
SELECT url_extract_fragment('http://a.b/c#f')
SELECT url_encode('a b&c/d')
SELECT url_decode('a+b%26c%2Fd')
SELECT from_utf8(X'616263')
SELECT to_utf8('abc')
SELECT length(X'616263')
SELECT format('%s', ARRAY[1, 2])
SELECT 'a' || 'b'
SELECT U&'\0041'
SELECT ngrams(ARRAY['a', 'b', 'c'], 2)

-- Bytes
SELECT md5(to_utf8('abc'))
SELECT sha1(to_utf8('abc'))
SELECT to_hex(sha256(to_utf8('abc')))
SELECT to_hex(sha512(to_utf8('abc')))
SELECT crc32(to_utf8('abc'))
SELECT to_hex(xxhash64(to_utf8('abc')))
SELECT to_hex(murmur3(to_utf8('abc')))
SELECT to_hex(X'DEADBEEF')
SELECT from_hex('616263')
SELECT to_base64(to_utf8('abc'))
SELECT from_base64('YWJj')
SELECT to_base64url(X'FBFF')
SELECT from_base64url('-_8=')
SELECT to_base32(to_utf8('abc'))
SELECT from_base32('MFRGG===')
SELECT from_hex('6')
SELECT from_base64('%')
SELECT to_big_endian_64(1)
SELECT from_big_endian_64(X'0000000000000001')
SELECT to_big_endian_32(1)
SELECT to_ieee754_64(1e0)
SELECT from_ieee754_64(X'3FF0000000000000')
SELECT to_hex(hmac_sha256(to_utf8('abc'), to_utf8('key')))
SELECT to_hex(hmac_md5(to_utf8('abc'), to_utf8('key')))
SELECT substr(X'616263', 2, 1)
SELECT concat(X'61', X'62')
SELECT reverse(X'6162')
SELECT X'61' || X'62'
SELECT lpad(X'61', 3, X'00')
SELECT md5('abc')
SELECT typeof(md5(to_utf8('a')))
SELECT typeof(to_utf8('a'))
SELECT X'61' = to_utf8('a')

-- JSON
SELECT json_extract('{"a": {"b": 1}}', '$.a')
SELECT json_extract('{"a": [5, 6]}', '$.a[1]')
SELECT json_extract('{"a": 1}', '$.b')
SELECT json_extract_scalar('{"a": {"b": "x"}}', '$.a.b')
SELECT json_extract_scalar('{"a": [5, 6]}', '$.a[1]')
SELECT json_extract_scalar('{"a": {"b": 1}}', '$.a')
SELECT json_extract_scalar('{"a": null}', '$.a')
SELECT json_extract_scalar('{"a": true, "b": 1.50}', '$.b')
SELECT json_extract_scalar('{"a": true}', '$.a')
SELECT json_extract_scalar('not json', '$.a')
SELECT json_extract_scalar('{"a b": 1}', '$["a b"]')
SELECT json_parse('{"b": 1, "a": [1, 2.0, null]}')
SELECT json_format(json_parse('{"a" : 1}'))
SELECT json_parse('1')
SELECT json_parse('{')
SELECT json_array_length('[1, 2, 3]')
SELECT json_array_length('{}')
SELECT json_array_get('["a", "b"]', 1)
SELECT json_array_get('[1, 2]', -1)
SELECT json_array_contains('[1, 2]', 2)
SELECT json_size('{"x": {"a": 1, "b": 2}}', '$.x')
SELECT json_size('[1, 2]', '$')
SELECT is_json_scalar('1')
SELECT is_json_scalar('[1]')
SELECT CAST(json_parse('[1, 2]') AS array(integer))
SELECT CAST(json_parse('{"a": 1}') AS map(varchar, integer))
SELECT CAST(json_parse('"x"') AS varchar)
SELECT CAST(json_parse('5') AS bigint)
SELECT CAST(json_parse('{"x": 1, "y": "a"}') AS ROW(x integer, y varchar)).y
SELECT CAST(ARRAY[1, 2] AS json)
SELECT CAST(MAP(ARRAY['a'], ARRAY[1]) AS json)
SELECT CAST('x' AS json)
SELECT CAST(1.5e0 AS json)
SELECT CAST(true AS json)
SELECT json_format(CAST(ROW(1, 'a') AS json))
SELECT json_format(CAST(CAST(ROW(1, 'a') AS ROW(x integer, y varchar)) AS json))
SELECT CAST(NULL AS json)
SELECT json_extract('{"a": "x"}', '$.a')
SELECT typeof(json_extract('{}', '$'))
SELECT json_format(JSON '{"a": 1}')
SELECT JSON '[1]'
SELECT json_value('{"a": "x"}', 'lax $.a')
SELECT json_exists('{"a": 1}', 'lax $.a')
SELECT json_query('{"a": [1]}', 'lax $.a')
SELECT json_object('a' : 1, 'b' : 'x')
SELECT json_array(1, 'a', true)
SELECT json_extract(CAST(ARRAY[1, 2] AS json), '$[0]')
SELECT json_array_length(json_parse('[1]'))
SELECT CAST(json_parse('"x"') AS integer)
SELECT json_extract_scalar('{"a": [{"b": 1}, {"b": 2}]}', '$.a[1].b')
SELECT json_extract('{"a": [{"b": 1}, {"b": 2}]}', '$.a[*].b')
SELECT json_extract_scalar('{"a": 1}', 'a')
SELECT json_extract('[1, 2]', '$.length()')
SELECT json_parse('{"a":1}') = json_parse('{"a": 1}')
SELECT json_extract('[1,2,3]', '$[5]')

-- Dates and times
SELECT date_parse('2020-01-02', '%Y-%m-%d')
SELECT date_parse('2020-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')
SELECT date_parse('20200102', '%Y%m%d')
SELECT date_parse('1/2/20', '%c/%e/%y')
SELECT date_parse('Jan 5 2020 3:04 PM', '%b %e %Y %h:%i %p')
SELECT date_parse('2020-01-02T03:04:05.678', '%Y-%m-%dT%H:%i:%s.%f')
SELECT date_parse('2020 032', '%Y %j')
SELECT date_parse('2020-13-01', '%Y-%m-%d')
SELECT date_parse('x', '%Y-%m-%d')
SELECT date_format(TIMESTAMP '2020-01-02 13:04:05.678', '%Y-%m-%d %H:%i:%s')
SELECT date_format(TIMESTAMP '2020-01-02 13:04:05.678', '%a %b %c %d %e %f %h %I %j')
SELECT date_format(TIMESTAMP '2020-01-02 13:04:05', '%k %l %M %p %r %S %T %v %W %x %y %%')
SELECT date_format(DATE '2020-01-02', '%Y-%m-%d')
SELECT date_format(DATE '2020-12-31', '%M %W')
SELECT date_format(TIMESTAMP '2020-01-02 00:30:00', '%h:%i %p')
SELECT date_add('day', 7, DATE '2020-01-02')
SELECT date_add('month', -1, DATE '2020-03-31')
SELECT date_add('year', 1, DATE '2020-02-29')
SELECT date_add('week', 2, DATE '2020-01-01')
SELECT date_add('quarter', 1, DATE '2019-11-30')
SELECT date_add('hour', 5, TIMESTAMP '2020-01-01 22:00:00')
SELECT date_add('millisecond', 5, TIMESTAMP '2020-01-01 00:00:00.000')
SELECT date_add('second', -1, TIMESTAMP '2020-01-01 00:00:00')
SELECT date_add('minute', 90, TIME '23:00:00')
SELECT date_add('hour', 1, DATE '2020-01-01')
SELECT date_add('fortnight', 1, DATE '2020-01-01')
SELECT date_diff('day', DATE '2020-01-02', DATE '2020-02-02')
SELECT date_diff('month', DATE '2020-01-31', DATE '2020-02-29')
SELECT date_diff('year', DATE '2019-12-31', DATE '2020-01-01')
SELECT date_diff('week', DATE '2020-01-01', DATE '2020-01-14')
SELECT date_diff('hour', TIMESTAMP '2020-01-01 01:30:00', TIMESTAMP '2020-01-01 03:00:00')
SELECT date_diff('day', TIMESTAMP '2020-01-01 23:00:00', TIMESTAMP '2020-01-02 01:00:00')
SELECT date_diff('second', TIMESTAMP '2020-01-01 00:00:00.900', TIMESTAMP '2020-01-01 00:00:02.100')
SELECT date_diff('quarter', DATE '2020-01-15', DATE '2020-07-14')
SELECT date_diff('day', DATE '2020-02-01', DATE '2020-01-01')
SELECT date_diff('month', DATE '2020-03-31', DATE '2020-02-29')
SELECT date_diff('millisecond', TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-01-01 00:00:01')
SELECT date_trunc('month', DATE '2020-02-22')
SELECT date_trunc('year', DATE '2020-02-22')
SELECT date_trunc('week', DATE '2020-01-05')
SELECT date_trunc('quarter', DATE '2020-05-05')
SELECT date_trunc('day', DATE '2020-05-05')
SELECT date_trunc('hour', TIMESTAMP '2020-01-02 03:04:05.678')
SELECT date_trunc('second', TIMESTAMP '2020-01-02 03:04:05.678')
SELECT date_trunc('month', TIMESTAMP '2020-01-22 03:04:05')
SELECT date_trunc('minute', TIME '12:34:56')
SELECT date_trunc('hour', DATE '2020-01-02')
SELECT year(DATE '2020-03-04')
SELECT month(DATE '2020-03-04')
SELECT day(DATE '2020-03-04')
SELECT quarter(DATE '2020-03-04')
SELECT week(DATE '2021-01-03')
SELECT week_of_year(DATE '2020-12-31')
SELECT day_of_week(DATE '2020-01-05')
SELECT dow(DATE '2020-01-06')
SELECT day_of_year(DATE '2020-12-31')
SELECT doy(DATE '2020-02-01')
SELECT day_of_month(DATE '2020-01-09')
SELECT year_of_week(DATE '2021-01-03')
SELECT yow(DATE '2019-12-30')
SELECT hour(TIMESTAMP '2020-01-02 13:04:05.678')
SELECT minute(TIMESTAMP '2020-01-02 13:04:05.678')
SELECT second(TIMESTAMP '2020-01-02 13:04:05.678')
SELECT millisecond(TIMESTAMP '2020-01-02 13:04:05.678')
SELECT extract(YEAR FROM DATE '2020-03-04')
SELECT extract(DOW FROM DATE '2020-01-05')
SELECT extract(DOY FROM DATE '2020-02-01')
SELECT extract(WEEK FROM DATE '2020-01-05')
SELECT extract(QUARTER FROM DATE '2020-05-01')
SELECT extract(DAY_OF_WEEK FROM DATE '2020-01-05')
SELECT extract(YEAR_OF_WEEK FROM DATE '2021-01-03')
SELECT extract(HOUR FROM TIMESTAMP '2020-01-02 03:04:05')
SELECT extract(SECOND FROM TIMESTAMP '2020-01-02 03:04:05.678')
SELECT last_day_of_month(DATE '2020-02-02')
SELECT last_day_of_month(TIMESTAMP '2019-02-10 00:00:00')
SELECT from_iso8601_date('2020-01-02')
SELECT from_iso8601_date('2020-W01-4')
SELECT from_iso8601_date('2020-123')
SELECT from_iso8601_timestamp('2020-01-02T03:04:05Z')
SELECT from_iso8601_timestamp('2020-01-02T03:04:05.678+02:00')
SELECT from_iso8601_timestamp('2020-01-02')
SELECT from_iso8601_timestamp('2020-01-02T03:04:05')
SELECT from_iso8601_date('2020-02-30')
SELECT from_iso8601_timestamp('nonsense')
SELECT to_iso8601(DATE '2020-01-02')
SELECT to_iso8601(TIMESTAMP '2020-01-02 03:04:05.678')
SELECT to_iso8601(from_iso8601_timestamp('2020-01-02T03:04:05Z'))
SELECT to_iso8601(TIMESTAMP '2020-01-02 03:04:05')
SELECT from_unixtime(1577934245)
SELECT from_unixtime(1577934245.5e0)
SELECT from_unixtime(0, 'America/New_York')
SELECT to_unixtime(TIMESTAMP '2020-01-02 03:04:05.5')
SELECT to_unixtime(from_unixtime(1577934245))
SELECT from_unixtime_nanos(1577934245123456789)
SELECT from_unixtime(1577934245) = TIMESTAMP '2020-01-02 03:04:05 UTC'
SELECT DATE '2020-01-31' + INTERVAL '1' MONTH
SELECT DATE '2020-01-02' - INTERVAL '1' DAY
SELECT INTERVAL '7' DAY + DATE '2020-01-02'
SELECT TIMESTAMP '2020-01-02 03:04:05' + INTERVAL '90' MINUTE
SELECT DATE '2020-02-29' + INTERVAL '1' YEAR
SELECT DATE '2020-01-02' + INTERVAL '1' HOUR
SELECT DATE '2020-01-02' + 1
SELECT DATE '2020-01-05' - DATE '2020-01-02'
SELECT TIMESTAMP '2020-01-02 03:00:00' - TIMESTAMP '2020-01-01 00:00:00'
SELECT typeof(DATE '2020-01-05' - DATE '2020-01-02')
SELECT INTERVAL '2' DAY
SELECT INTERVAL '3' MONTH
SELECT INTERVAL '1' YEAR
SELECT INTERVAL '90' SECOND
SELECT INTERVAL '-5' HOUR
SELECT - INTERVAL '1' DAY
SELECT INTERVAL '2' DAY * 3
SELECT INTERVAL '1' DAY + INTERVAL '2' HOUR
SELECT INTERVAL '1' DAY > INTERVAL '23' HOUR
SELECT INTERVAL '4' DAY / 2
SELECT INTERVAL '1' YEAR + INTERVAL '2' MONTH
SELECT INTERVAL '1 2' DAY TO HOUR
SELECT INTERVAL '2-3' YEAR TO MONTH
SELECT INTERVAL '1 02:03:04.567' DAY TO SECOND
SELECT day(DATE '2020-02-02' - DATE '2020-01-02')
SELECT hour(INTERVAL '26' HOUR)
SELECT extract(MONTH FROM INTERVAL '14' MONTH)
SELECT to_milliseconds(INTERVAL '1' DAY)
SELECT parse_duration('42.8ms')
SELECT parse_duration('3.81 d')
SELECT to_milliseconds(parse_duration('1m'))
SELECT TIMESTAMP '2020-01-02 00:00:00 UTC' AT TIME ZONE 'America/New_York'
SELECT TIMESTAMP '2020-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin'
SELECT at_timezone(TIMESTAMP '2020-01-02 00:00:00 UTC', 'Asia/Tokyo')
SELECT with_timezone(TIMESTAMP '2020-01-02 00:00:00', 'America/New_York')
SELECT TIMESTAMP '2020-01-02 00:00:00 America/New_York'
SELECT TIMESTAMP '2020-01-02 00:00:00+02:00'
SELECT CAST(TIMESTAMP '2020-01-02 00:00:00 America/New_York' AS timestamp)
SELECT CAST(from_iso8601_timestamp('2020-01-02T23:04:05Z') AT TIME ZONE 'America/New_York' AS date)
SELECT hour(TIMESTAMP '2020-01-02 12:00:00 UTC' AT TIME ZONE 'America/New_York')
SELECT date_format(TIMESTAMP '2020-07-01 12:00:00 UTC' AT TIME ZONE 'America/New_York', '%H:%i')
SELECT date_trunc('day', TIMESTAMP '2020-01-02 03:00:00 UTC' AT TIME ZONE 'America/New_York')
SELECT timezone_hour(TIMESTAMP '2020-01-02 03:00:00 -05:30')
SELECT timezone_minute(TIMESTAMP '2020-01-02 03:00:00 -05:30')
SELECT TIMESTAMP '2020-01-02 00:00:00 UTC' = TIMESTAMP '2020-01-01 19:00:00 America/New_York'
SELECT current_timezone()
SELECT TIMESTAMP '2020-01-02 00:00:00 UTC' - TIMESTAMP '2020-01-01 00:00:00 UTC'
SELECT current_date = CAST(now() AS date)
SELECT typeof(now())
SELECT typeof(current_timestamp)
SELECT typeof(localtimestamp)
SELECT typeof(current_time)
SELECT current_timestamp = now()
SELECT date('2020-01-02')
SELECT date(TIMESTAMP '2020-01-02 03:04:05')
SELECT timestamp '2020-01-02'
SELECT DATE '2020-02-30'
SELECT TIMESTAMP 'nonsense'
SELECT format_datetime(TIMESTAMP '2020-01-02 13:04:05', 'yyyy-MM-dd HH:mm:ss')
SELECT format_datetime(TIMESTAMP '2020-01-02 13:04:05', 'EEE, d MMM yyyy')
SELECT format_datetime(TIMESTAMP '2020-01-02 13:04:05', 'hh:mm a')
SELECT format_datetime(TIMESTAMP '2020-01-02 13:04:05', 'xxxx-''W''ww')
SELECT parse_datetime('2020-01-02 03:04', 'yyyy-MM-dd HH:mm')
SELECT parse_datetime('02/Jan/2020:03:04:05 +0100', 'dd/MMM/yyyy:HH:mm:ss Z')
SELECT to_char(TIMESTAMP '2020-01-02 13:04:05', 'yyyy-mm-dd hh24:mi:ss')
SELECT to_date('2020-01-02', 'yyyy-mm-dd')
SELECT to_timestamp('2020-01-02 03:04:05', 'yyyy-mm-dd hh24:mi:ss')
SELECT TIMESTAMP '2020-01-02 03:04:05.123456'
SELECT CAST(TIMESTAMP '2020-01-02 03:04:05.9996' AS timestamp(3))
SELECT CAST('2020-01-02 03:04:05.123456' AS timestamp(6))
SELECT TIME '23:59:59' + INTERVAL '2' SECOND
SELECT TIME '10:00:00' < TIME '11:00:00'
SELECT hour(TIME '10:20:30')
SELECT DATE '0001-01-01'
SELECT DATE '9999-12-31'
SELECT date_diff('day', DATE '1970-01-01', DATE '2020-01-01')
SELECT DATE '1969-12-31'
SELECT max(x), min(x), max(x) - min(x) FROM (VALUES DATE '2020-01-01', DATE '2020-03-01') AS t(x)
SELECT x, x - lag(x) OVER (ORDER BY x) AS gap FROM (VALUES DATE '2020-01-01', DATE '2020-03-01') AS t(x) ORDER BY x
SELECT sequence(DATE '2020-01-01', DATE '2020-01-03')
SELECT sequence(DATE '2020-01-31', DATE '2020-04-30', INTERVAL '1' MONTH)
SELECT sequence(TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-01-01 12:00:00', INTERVAL '6' HOUR)

-- Arrays
SELECT ARRAY[1, 2, 3][1]
SELECT element_at(ARRAY[1, 2, 3], 2)
SELECT element_at(ARRAY[1, 2], 9)
SELECT element_at(ARRAY[1, 2, 3], -1)
SELECT ARRAY['a', NULL][2]
SELECT ARRAY[1, 2][3]
SELECT ARRAY[1, 2][0]
SELECT ARRAY[1, 2][-1]
SELECT element_at(ARRAY[1], 0)
SELECT a[i] FROM (VALUES (ARRAY[1, 2], 2), (ARRAY[5], 1)) AS t(a, i)
SELECT a[i] FROM (VALUES (ARRAY[1, 2], 2), (ARRAY[5], 2)) AS t(a, i)
SELECT cardinality(ARRAY[1, NULL])
SELECT cardinality(ARRAY[])
SELECT contains(ARRAY[1, 2], 2)
SELECT contains(ARRAY[1, NULL], 2)
SELECT ARRAY[1] || ARRAY[2]
SELECT ARRAY[1] || 2
SELECT 0 || ARRAY[1]
SELECT slice(ARRAY[1, 2, 3, 4], 2, 2)
SELECT slice(ARRAY[1, 2, 3], -2, 2)
SELECT slice(ARRAY[1, 2], 3, 1)
SELECT slice(ARRAY[1, 2, 3], 2, 9)
SELECT trim_array(ARRAY[1, 2, 3], 2)
SELECT slice(ARRAY[1, 2], 0, 1)
SELECT sequence(1, 5)
SELECT sequence(5, 1)
SELECT sequence(1, 10, 3)
SELECT sequence(10, 1, -4)
SELECT transform(ARRAY[1, 2], x -> x + 1)
SELECT transform(ARRAY['a'], x -> x || '!')
SELECT transform(ARRAY[], x -> 1)
SELECT transform(ARRAY[1, NULL], x -> x IS NULL)
SELECT filter(ARRAY[1, -2, 3], x -> x > 0)
SELECT filter(ARRAY[1, NULL], x -> x IS NOT NULL)
SELECT any_match(ARRAY[1, 2], x -> x > 1)
SELECT all_match(ARRAY[1, 2], x -> x > 1)
SELECT none_match(ARRAY[1, 2], x -> x > 5)
SELECT reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s)
SELECT reduce(ARRAY[], 0, (s, x) -> s + x, s -> s)
SELECT reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 10)
SELECT reduce(ARRAY[5, 6, 10, 20], CAST(ROW(0.0, 0) AS ROW(sum double, count integer)), (s, x) -> CAST(ROW(x + s.sum, s.count + 1) AS ROW(sum double, count integer)), s -> IF(s.count = 0, NULL, s.sum / s.count))
SELECT zip(ARRAY[1, 2], ARRAY['a', 'b'])
SELECT zip(ARRAY[1, 2], ARRAY['a'])
SELECT zip_with(ARRAY[1, 2], ARRAY[10, 20], (x, y) -> x * y)
SELECT zip_with(ARRAY[1, 2], ARRAY[10], (x, y) -> x + y)
SELECT flatten(ARRAY[ARRAY[1, 2], ARRAY[3]])
SELECT flatten(ARRAY[ARRAY[1], NULL, ARRAY[2]])
SELECT array_distinct(ARRAY[1, 2, 1, NULL, NULL])
SELECT array_sort(ARRAY[3, 1, NULL, 2])
SELECT array_sort(ARRAY[3, 1, 2], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))
SELECT array_union(ARRAY[1, 2], ARRAY[2, 3])
SELECT array_intersect(ARRAY[1, 2, 2], ARRAY[2, 3])
SELECT array_except(ARRAY[1, 2, 3], ARRAY[2])
SELECT arrays_overlap(ARRAY[1, 2], ARRAY[2])
SELECT arrays_overlap(ARRAY[1], ARRAY[NULL])
SELECT array_max(ARRAY[1, 3, 2])
SELECT array_min(ARRAY[1, 3, 2])
SELECT array_max(ARRAY[1, NULL])
SELECT array_max(ARRAY[])
SELECT array_position(ARRAY[1, 2, 3], 2)
SELECT array_position(ARRAY[1], 9)
SELECT array_remove(ARRAY[1, 2, 1], 1)
SELECT reverse(ARRAY[1, 2, 3])
SELECT repeat(1, 3)
SELECT contains_sequence(ARRAY[1, 2, 3], ARRAY[2, 3])
SELECT combinations(ARRAY[1, 2, 3], 2)
SELECT array_sort(shuffle(ARRAY[1, 2, 3]))
SELECT array_frequency(ARRAY[1, 1])
SELECT array_first(ARRAY[1, 2])
SELECT array_last(ARRAY[1, 2])
SELECT ARRAY[1, 2] = ARRAY[1, 2]
SELECT ARRAY[1, 2] < ARRAY[1, 3]
SELECT ARRAY[ARRAY[1], ARRAY[2, 3]]
SELECT ARRAY[DATE '2020-01-01', NULL]
SELECT ARRAY['a, b', 'c']
SELECT ARRAY[1.5e0, 2]
SELECT ARRAY[1, NULL] = ARRAY[1, NULL]
SELECT transform(ARRAY[1, 2, 3], x -> transform(ARRAY[10, 20], y -> x * y))
SELECT transform(filter(ARRAY[1, 2, 3], x -> x % 2 = 1), x -> x * x)
SELECT transform(ARRAY[4, 9], x -> x / 2)
SELECT transform(ARRAY[4, 9], x -> x / 2e0)
SELECT numbers FROM (VALUES ARRAY[2, 1], ARRAY[1, 5]) AS t(numbers) ORDER BY numbers
SELECT vector FROM (VALUES ARRAY[1e0, 2e0]) AS t(vector) WHERE contains(vector, 2e0)

-- Maps and rows
SELECT MAP(ARRAY['a', 'b'], ARRAY[1, 2])['b']
SELECT element_at(MAP(ARRAY['a'], ARRAY[1]), 'z')
SELECT map_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))
SELECT map_values(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))
SELECT cardinality(MAP(ARRAY['a'], ARRAY[1]))
SELECT MAP()
SELECT MAP(ARRAY['a'], ARRAY[1])['z']
SELECT MAP(ARRAY['a', 'a'], ARRAY[1, 2])
SELECT MAP(ARRAY['a'], ARRAY[1, 2])
SELECT map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)
SELECT transform_values(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v * 10)
SELECT transform_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> k || 'x')
SELECT map_concat(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['a', 'b'], ARRAY[9, 2]))
SELECT map_entries(MAP(ARRAY[1, 2], ARRAY['x', 'y']))
SELECT map_from_entries(ARRAY[ROW(1, 'x'), ROW(2, 'y')])
SELECT map_zip_with(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['a'], ARRAY[10]), (k, x, y) -> x + y)
SELECT multimap_from_entries(ARRAY[ROW(1, 'x'), ROW(1, 'z')])
SELECT MAP(ARRAY[1, 2], ARRAY['x', NULL])
SELECT map_keys(map_filter(MAP(ARRAY[1, 2], ARRAY['x', NULL]), (k, v) -> v IS NULL))
SELECT map_agg(k, v) FROM (VALUES ('a', 1)) AS t(k, v)
SELECT multimap_agg(k, v) FROM (VALUES ('a', 1)) AS t(k, v)
SELECT histogram(x) FROM (VALUES 7, 7) AS t(x)
SELECT map_union(MAP(ARRAY[x], ARRAY[1])) FROM (VALUES 7, 7) AS t(x)
SELECT ROW(1, 'a')[1]
SELECT ROW(1, 'a')[2]
SELECT CAST(ROW(1, 2e0) AS ROW(x bigint, y double))
SELECT ROW(1, NULL)
SELECT ROW(ROW(1), 2)
SELECT r.x, r.y FROM (VALUES CAST(ROW(1, 'a') AS ROW(x integer, y varchar))) AS t(r)
SELECT ROW(1, 2) = ROW(1, 2)
SELECT ROW(1, 2) < ROW(1, 3)
SELECT ROW(1, 'a') IS NULL
SELECT MAP(ARRAY[1], ARRAY[2]) = MAP(ARRAY[1], ARRAY[2])
SELECT element_at(MAP(ARRAY[DATE '2020-01-01'], ARRAY['x']), DATE '2020-01-01')

-- Unnesting
SELECT x FROM UNNEST(ARRAY[3, 1, 2]) AS t(x) ORDER BY x
SELECT x, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t(x, n) ORDER BY n
SELECT k, v FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS t(k, v) ORDER BY k
SELECT t.id, u.x FROM (VALUES (1, ARRAY[1, 2]), (2, ARRAY[3])) AS t(id, xs) CROSS JOIN UNNEST(t.xs) AS u(x) ORDER BY 1, 2
SELECT id, x, n FROM (VALUES (1, ARRAY['a', 'b'])) AS t(id, xs) CROSS JOIN UNNEST(xs) WITH ORDINALITY AS u(x, n) ORDER BY n
SELECT id, x FROM (VALUES (1, ARRAY[1]), (2, ARRAY[]), (3, NULL)) AS t(id, xs) LEFT JOIN UNNEST(xs) AS u(x) ON true ORDER BY id
SELECT x, y FROM UNNEST(ARRAY[1, 2], ARRAY['a']) AS t(x, y) ORDER BY x
SELECT a, b FROM UNNEST(ARRAY[ROW(1, 'x'), ROW(2, 'y')]) AS t(a, b) ORDER BY a
SELECT day FROM UNNEST(sequence(DATE '2020-01-01', DATE '2020-01-03', INTERVAL '1' DAY)) AS t(day) ORDER BY day
SELECT t.x, l.y FROM (VALUES 1, 2) AS t(x) CROSS JOIN LATERAL (SELECT t.x * 10 AS y) AS l ORDER BY 1

-- Aggregates
SELECT count(*), count(x), count(DISTINCT x), sum(x), avg(x), min(x), max(x) FROM (VALUES 1, 2, 2, NULL) AS t(x)
SELECT count(*), sum(x), avg(x), max(x), array_agg(x), bool_and(x > 0), approx_distinct(x) FROM (VALUES 1) AS t(x) WHERE x > 5
SELECT avg(x) FROM (VALUES CAST(1 AS decimal(5, 2)), NULL, CAST(2.01 AS decimal(5, 2))) AS t(x)
SELECT approx_percentile(x, 0.99) FROM UNNEST(sequence(1, 1001)) AS t(x)
SELECT sum(x), typeof(sum(x)), avg(x), typeof(avg(x)), typeof(count(*)), typeof(max(x)) FROM (VALUES 1, 2) AS t(x)
SELECT sum(x) FROM (VALUES BIGINT '9223372036854775807', BIGINT '1') AS t(x)
SELECT sum(x), avg(x), typeof(sum(x)) FROM (VALUES REAL '1.5', REAL '2.5') AS t(x)
SELECT sum(x) / count(*), max(x) / 2, sum(x) * 1e0 / count(*) FROM (VALUES 1, 2, 4) AS t(x)
SELECT count_if(x > 1), bool_and(x > 0), bool_or(x > 2), every(x > 1) FROM (VALUES 1, 2, 3) AS t(x)
SELECT stddev(x), stddev_pop(x), stddev_samp(x), variance(x), var_pop(x), var_samp(x) FROM (VALUES 1, 2, 4) AS t(x)
SELECT stddev(x), variance(x), stddev_pop(x) FROM (VALUES 1) AS t(x)
SELECT skewness(x), kurtosis(x) FROM (VALUES 1) AS t(x)
SELECT skewness(x) FROM (VALUES 1e0, 2e0, 4e0, 9e0) AS t(x)
SELECT kurtosis(x) FROM (VALUES 1e0, 2e0, 4e0, 9e0) AS t(x)
SELECT geometric_mean(x) FROM (VALUES 1e0, 2e0, 4e0, 9e0) AS t(x)
SELECT corr(y, x), covar_pop(y, x), covar_samp(y, x), regr_slope(y, x), regr_intercept(y, x) FROM (VALUES (1e0, 2e0), (2e0, 4e0), (3e0, 7e0)) AS t(x, y)
SELECT max_by(x, y), min_by(x, y) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)
SELECT max_by(x, y, 2), min_by(x, y, 2) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)
SELECT max(y, 2), min(y, 2) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) AS t(x, y)
SELECT max_by(x, y), min_by(x, y) FROM (VALUES ('a', NULL), ('b', 3), (NULL, 4)) AS t(x, y)
SELECT arbitrary(x), any_value(x) FROM (VALUES 5, 5, 5) AS t(x)
SELECT approx_distinct(x), approx_percentile(x, 0.5e0) FROM (VALUES 5, 5, 5) AS t(x)
SELECT approx_percentile(x, 0.5e0), approx_percentile(x, ARRAY[0.25e0, 0.75e0]), approx_distinct(x) FROM UNNEST(sequence(1, 1001)) AS t(x)
SELECT approx_percentile(x, 0.9), approx_percentile(x, 0.5) FROM (VALUES 1e0, 2e0, 3e0, 4e0, 10e0) AS t(x)
SELECT typeof(approx_percentile(x, 0.5)) FROM (VALUES 1e0, 2e0, 3e0, 4e0, 10e0) AS t(x)
SELECT approx_percentile(x, w, 0.5e0) FROM (VALUES (1, 1), (2, 5), (3, 1)) AS t(x, w)
SELECT array_agg(x ORDER BY x DESC), array_agg(DISTINCT x ORDER BY x), array_agg(x ORDER BY x) FILTER (WHERE x > 1) FROM (VALUES 1, 3, 2, 3) AS t(x)
SELECT array_agg(x ORDER BY x), cardinality(array_agg(x)) FROM (VALUES 1, NULL, 2) AS t(x)
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) FROM (VALUES 'b', 'a', 'c') AS t(x)
SELECT listagg(x) WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 'b', 'a', 'c') AS t(x)
SELECT sum(x) FILTER (WHERE x > 1), count(*) FILTER (WHERE x > 5), sum(DISTINCT x) FROM (VALUES 1, 2, 2) AS t(x)
SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) FROM (VALUES 1, 2, 3) AS t(x)
SELECT k, count(*), sum(v) FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t(k, v) GROUP BY k HAVING sum(v) > 1 ORDER BY k
SELECT k, sum(v) FROM (VALUES ('a', 1), ('b', 2), (NULL, 3)) AS t(k, v) GROUP BY 1 ORDER BY 1
SELECT a, b, sum(v), grouping(a, b) FROM (VALUES ('x', 'p', 1), ('x', 'q', 2), ('y', 'p', 4)) AS t(a, b, v) GROUP BY GROUPING SETS ((a, b), (a), ()) ORDER BY a, b
SELECT a, b, sum(v) FROM (VALUES ('x', 'p', 1), ('x', 'q', 2), ('y', 'p', 4)) AS t(a, b, v) GROUP BY ROLLUP (a, b) ORDER BY a, b
SELECT a, b, sum(v) FROM (VALUES ('x', 'p', 1), ('x', 'q', 2), ('y', 'p', 4)) AS t(a, b, v) GROUP BY CUBE (a, b) ORDER BY a, b
SELECT numeric_histogram(2, x) FROM (VALUES 1e0, 1e0, 1e0) AS t(x)
SELECT approx_most_frequent(2, CAST(x AS bigint), 10) FROM (VALUES 1e0, 1e0, 1e0) AS t(x)
SELECT checksum(x) FROM (VALUES 1, 2) AS t(x)
SELECT entropy(x) FROM (VALUES 1, 1) AS t(x)
SELECT x, count(*) FROM (VALUES 1, 2) AS t(x)
SELECT sum(count(*)) FROM (VALUES 1) AS t(x)
SELECT x FROM (VALUES 1, 2) AS t(x) WHERE sum(x) > 1
SELECT DISTINCT x % 2 AS r FROM (VALUES 1, 2, 3) AS t(x) ORDER BY r
SELECT min(x), max(x), min(s), max(s), min(b) FROM (VALUES (1.5e0, 'a', true), (nan(), 'b', false)) AS t(x, s, b)
SELECT avg(x) FROM (VALUES INTERVAL '1' DAY, INTERVAL '3' DAY) AS t(x)
SELECT sum(x) FROM (VALUES INTERVAL '1' DAY, INTERVAL '3' HOUR) AS t(x)

-- Windows
SELECT x, row_number() OVER (ORDER BY x), rank() OVER (ORDER BY x), dense_rank() OVER (ORDER BY x), ntile(2) OVER (ORDER BY x), percent_rank() OVER (ORDER BY x), cume_dist() OVER (ORDER BY x) FROM (VALUES 1, 2, 2, 3) AS t(x) ORDER BY 1, 2
SELECT x, lag(x) OVER (ORDER BY x), lead(x, 2) OVER (ORDER BY x), lag(x, 1, 0) OVER (ORDER BY x), first_value(x) OVER (ORDER BY x), last_value(x) OVER (ORDER BY x), nth_value(x, 2) OVER (ORDER BY x) FROM (VALUES 1, 2, 4) AS t(x) ORDER BY x
SELECT x, sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), avg(x) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), count(*) OVER () FROM (VALUES 1, 2, 4) AS t(x) ORDER BY x
SELECT x, sum(x) OVER (ORDER BY x), sum(x) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING), sum(x) OVER (ORDER BY x GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES 1, 2, 2, 5) AS t(x) ORDER BY x
SELECT k, v, sum(v) OVER (PARTITION BY k ORDER BY v) FROM (VALUES ('a', 1), ('a', 2), ('b', 5)) AS t(k, v) ORDER BY k, v
SELECT x, lag(x) IGNORE NULLS OVER (ORDER BY n), last_value(x) IGNORE NULLS OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM (VALUES (1, 1), (2, NULL), (3, 3)) AS t(n, x) ORDER BY n
SELECT x, sum(x) OVER w, avg(x) OVER w FROM (VALUES 1, 2, 4) AS t(x) WINDOW w AS (ORDER BY x) ORDER BY x
SELECT x / lag(x) OVER (ORDER BY d) - 1 FROM (VALUES (1, 2e0), (2, 3e0)) AS t(d, x) ORDER BY d
SELECT x, stddev(x) OVER (ORDER BY x ROWS 2 PRECEDING), max(x) OVER (ORDER BY x ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM (VALUES 1e0, 2e0, 4e0, 8e0) AS t(x) ORDER BY x
SELECT d, avg(v) OVER (ORDER BY d RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND CURRENT ROW) FROM (VALUES (DATE '2020-01-01', 1e0), (DATE '2020-01-02', 3e0), (DATE '2020-01-09', 5e0)) AS t(d, v) ORDER BY d
SELECT x, array_agg(x) OVER (ORDER BY x) FROM (VALUES 1, 2) AS t(x) ORDER BY x
SELECT row_number() OVER (ORDER BY x DESC) AS n, x FROM (VALUES 1, NULL, 2) AS t(x) ORDER BY n
SELECT sum(x) OVER (ORDER BY x) / 2, rank() OVER (ORDER BY x) / 2 FROM (VALUES 1, 2, 4) AS t(x) ORDER BY 1
SELECT x FROM (VALUES 1, 2) AS t(x) WHERE row_number() OVER () = 1

-- Queries
SELECT x FROM (VALUES 2, NULL, 1) AS t(x) ORDER BY x
SELECT x FROM (VALUES 2, NULL, 1) AS t(x) ORDER BY x DESC
SELECT x FROM (VALUES 2, NULL, 1) AS t(x) ORDER BY x DESC NULLS FIRST
SELECT x FROM (VALUES 1, 2, 3, 4) AS t(x) ORDER BY x OFFSET 1 LIMIT 2
SELECT x FROM (VALUES 1, 2, 3) AS t(x) ORDER BY x FETCH FIRST 2 ROWS ONLY
SELECT x FROM (VALUES 1, 1, 2) AS t(x) ORDER BY x FETCH FIRST 1 ROW WITH TIES
SELECT x FROM (VALUES 1, 2) AS t(x) ORDER BY x LIMIT ALL
VALUES (1, 'a'), (2, 'b')
VALUES 3
SELECT 1 UNION ALL SELECT 1
SELECT x FROM (VALUES 1, 2, 2) AS t(x) UNION SELECT 3 ORDER BY 1
SELECT x FROM (VALUES 1, 2, 2) AS t(x) INTERSECT SELECT 2
SELECT x FROM (VALUES 1, 1, 2) AS t(x) EXCEPT SELECT 2
SELECT 1 UNION ALL SELECT 2.5 ORDER BY 1
SELECT a.x, b.y FROM (VALUES 1, 2) AS a(x) LEFT JOIN (VALUES (1, 'p')) AS b(x, y) ON a.x = b.x ORDER BY 1
SELECT a.x, b.x FROM (VALUES 1, 2) AS a(x) FULL OUTER JOIN (VALUES 2, 3) AS b(x) ON a.x = b.x ORDER BY 1, 2
SELECT * FROM (VALUES (1, 'l')) AS a(x, y) JOIN (VALUES (1, 'r')) AS b(x, z) USING (x)
SELECT a.*, b.* FROM (VALUES 1) AS a(x) CROSS JOIN (VALUES 2) AS b(y)
SELECT * FROM (VALUES (1, 2)) AS a(x, y) NATURAL JOIN (VALUES (1, 3)) AS b(x, z)
WITH t AS (SELECT 1 AS x), u AS (SELECT x + 1 AS y FROM t) SELECT x, y FROM t, u
WITH t(x, y) AS (VALUES (1, 2)) SELECT y FROM t
SELECT r.x, r.y FROM (VALUES ROW(CAST(ROW(1, 'a') AS ROW(x integer, y varchar)))) AS t(r)
WITH RECURSIVE t(n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
SELECT x FROM (VALUES 1, 2, 3) AS t(x) WHERE x IN (SELECT y FROM (VALUES 1, 3) AS u(y)) ORDER BY x
SELECT x FROM (VALUES 1, 2) AS t(x) WHERE EXISTS (SELECT 1 FROM (VALUES 2) AS u(y) WHERE u.y = t.x)
SELECT x, (SELECT max(y) FROM (VALUES 1, 5) AS u(y) WHERE y > x) FROM (VALUES 1, 9) AS t(x) ORDER BY x
SELECT 1 + 1, 2 AS two, 3
SELECT X, "x" FROM (VALUES 1) AS t(x)
SELECT "a b", "select" FROM (VALUES (1, 2)) AS t("a b", "select")
SELECT t.* FROM (SELECT 1 AS a, 2 AS b) AS t
SELECT count(*) FROM (VALUES 1, 2, 3) AS t(x) TABLESAMPLE BERNOULLI (100)
SELECT x, y FROM (VALUES (1, 2)) AS t(x, y) GROUP BY x, y
SELECT 1 AS x WHERE 1 = 2
SELECT DISTINCT a, b FROM (VALUES (1, 2), (1, 2), (NULL, 2)) AS t(a, b) ORDER BY a
SELECT x AS y FROM (VALUES 3, 1) AS t(x) ORDER BY -y
TABLE missing_table
SELECT s FROM (VALUES 'b', 'A', 'a', 'ä') AS t(s) ORDER BY s
SELECT sum(x) AS total FROM (VALUES 1, 2) AS t(x) ORDER BY total
SELECT 1 /* a comment */ -- and another

-- One thing within another
SELECT 17 / 2 / 2
SELECT 1.5 / 2 / 3
SELECT (1.0 / 3) * 3 + 0.5
SELECT regexp_extract(split_part('a-b1', '-', 2), '[0-9]')
SELECT upper(substr(trim('  abc '), 2))
SELECT date_add('day', date_diff('day', DATE '2020-01-01', DATE '2020-01-05'), DATE '2020-02-01')
SELECT ARRAY[1, 2, 3][cardinality(ARRAY[1, 2])]
SELECT split('a,b,c', ',')[length('ab')]
SELECT ARRAY[ARRAY[1, 2], ARRAY[3]][1][2]
SELECT MAP(ARRAY[1, 2], ARRAY['x', 'y'])[2]
SELECT element_at(MAP(ARRAY[1], ARRAY[ARRAY[7, 8]]), 1)[2]
SELECT json_extract_scalar(json_extract('{"a": {"b": [1, 2]}}', '$.a'), '$.b[1]')
SELECT CAST(json_extract('{"a": [1, 2]}', '$.a') AS array(integer))[2]
SELECT transform(ARRAY[1.5, 2.25], x -> x / 2)
SELECT transform(ARRAY[DATE '2020-01-31'], d -> d + INTERVAL '1' MONTH)
SELECT filter(MAP_KEYS(MAP(ARRAY[1, 2], ARRAY[3, 4])), k -> k / 2 = 1)
SELECT transform(ARRAY['2020-01-02'], s -> date_format(CAST(s AS date), '%d'))
SELECT reduce(transform(ARRAY[1, 2, 3], x -> x * x), 0, (s, x) -> s + x, s -> s / 2)
SELECT any_match(transform(ARRAY[1, 2], x -> x / 2), y -> y = 1)
SELECT avg(x) OVER (ORDER BY x) FROM (VALUES 1.10, 2.20, 3.35) AS t(x) ORDER BY 1
SELECT avg(x) FILTER (WHERE x > 2) FROM (VALUES 1.10, 2.20, 3.35) AS t(x)
SELECT avg(DISTINCT x) FROM (VALUES 1.10, 1.10, 3.30) AS t(x)
SELECT avg(x / 2) FROM (VALUES 1.10, 2.20) AS t(x)
SELECT sum(x) OVER (ORDER BY x) FROM (VALUES REAL '1.5', REAL '2.5') AS t(x) ORDER BY 1
SELECT sum(x) FILTER (WHERE x > 1) FROM (VALUES REAL '1.5', REAL '0.5') AS t(x)
SELECT k, sum(v) / count(*), max(v) / sum(v) FROM (VALUES ('a', 1.50), ('a', 2.25), ('b', 4.00)) AS t(k, v) GROUP BY k ORDER BY k
SELECT k, sum(v) * 2 / k FROM (VALUES (2, 3), (2, 5)) AS t(k, v) GROUP BY k
SELECT k FROM (VALUES (1, 1.5), (2, 2.5)) AS t(k, v) GROUP BY k HAVING sum(v) / 2 > 1 ORDER BY k
SELECT x FROM (VALUES 1, 2, 3) AS t(x) ORDER BY x % 2, x / 2 DESC
SELECT x, (SELECT sum(y) / t.x FROM (VALUES 4, 6) AS u(y)) FROM (VALUES 3, 4) AS t(x) ORDER BY x
SELECT x FROM (VALUES DATE '2020-01-01', DATE '2020-02-01') AS t(x) WHERE EXISTS (SELECT 1 FROM (VALUES DATE '2020-01-15') AS u(y) WHERE u.y - t.x > INTERVAL '10' DAY)
SELECT x FROM (VALUES 1) AS t(x) WHERE EXISTS (SELECT 1 FROM (VALUES 'a') AS u(y) WHERE u.y = t.x)
WITH a AS (SELECT 1.5 AS x), b AS (SELECT x / 2 AS y FROM a) SELECT y / 3, typeof(y) FROM b
WITH a AS (SELECT DATE '2020-01-05' AS d) SELECT d - DATE '2020-01-01', d + INTERVAL '2' DAY FROM a
SELECT x + y, typeof(x + y) FROM (VALUES (CAST(1.25 AS decimal(10, 2)), BIGINT '3')) AS t(x, y)
SELECT x * y, typeof(x * y), x - y FROM (VALUES (CAST(1.25 AS decimal(18, 2)), CAST(2.5 AS decimal(18, 1)))) AS t(x, y)
SELECT CAST(1 AS decimal(38, 0)) / 3, CAST(1 AS decimal(38, 10)) / 3
SELECT CAST(x AS varchar) || '%' FROM (VALUES 12.50) AS t(x)
SELECT CAST(x AS varchar) FROM (VALUES 12.5e0, 1e10) AS t(x) ORDER BY 1
SELECT CAST(x AS integer) FROM (VALUES 0.5e0, 1.5e0, -0.5e0) AS t(x) ORDER BY 1
SELECT coalesce(x, 0) / 2 FROM (VALUES 5, NULL) AS t(x) ORDER BY 1
SELECT CASE WHEN x > 1 THEN x / 2.0 ELSE 0 END FROM (VALUES 1, 3) AS t(x) ORDER BY 1
SELECT if(x > 1, x, NULL) / 2 FROM (VALUES 1, 5) AS t(x) ORDER BY 1
SELECT count(*) FROM (SELECT 7 / 2 AS x UNION ALL SELECT 3) AS t WHERE x = 3
SELECT x / 2 FROM (SELECT 7 AS x UNION ALL SELECT 9) AS t ORDER BY 1
SELECT date_trunc('month', d), count(*) FROM (VALUES DATE '2020-01-05', DATE '2020-01-09') AS t(d) GROUP BY date_trunc('month', d)
SELECT date_format(d, '%Y-%m'), sum(x) / 2 FROM (VALUES (DATE '2020-01-05', 3), (DATE '2020-01-09', 4)) AS t(d, x) GROUP BY date_format(d, '%Y-%m')
SELECT max(d) - min(d) > INTERVAL '3' DAY FROM (VALUES DATE '2020-01-05', DATE '2020-01-09') AS t(d)
SELECT TRY(ARRAY[1][5]), TRY(CAST('a' AS date)), TRY(1.5 / 0), TRY(json_parse('{'))
SELECT substr('abc', -5), substr('abc', 2, 0), substr('', 1), split_part('', ',', 1)
SELECT length(''), lpad('', 2, 'x'), replace('aaa', 'a', ''), concat('', 'a')
SELECT a.k, b.v / a.k FROM (VALUES 2) AS a(k) JOIN (VALUES (2, 7)) AS b(k, v) ON a.k = b.k AND b.v / a.k = 3
SELECT x NOT IN (1, 2), x NOT BETWEEN 1 AND 2, NOT x = 1 FROM (VALUES 3) AS t(x)
SELECT sum(x) - 1.5, sum(x) / 2e0, -sum(x) FROM (VALUES 1, 2) AS t(x)
SELECT t.n, u.x / t.n FROM (VALUES (2, ARRAY[5, 7])) AS t(n, xs) CROSS JOIN UNNEST(t.xs) AS u(x) ORDER BY 2
SELECT k, v / 2 FROM (VALUES MAP(ARRAY['a'], ARRAY[3])) AS t(m) CROSS JOIN UNNEST(m) AS u(k, v)
SELECT k, v, n FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) WITH ORDINALITY AS u(k, v, n) ORDER BY n
SELECT id, a / id FROM (VALUES (2, ARRAY[ROW(5, 'x')])) AS t(id, rs) CROSS JOIN UNNEST(rs) AS u(a, b)

-- What fails
SELECT nope FROM (VALUES 1) AS t(x)
SELECT nope(1)
SELECT * FROM missing_table
SELECT * FROM missing_database.missing_table
SELECT 1 FROM
SELECT a FROM (VALUES 1) AS t(a), (VALUES 2) AS u(a)
SELECT 1 1
SELEC 1
SELECT x FROM (VALUES (1, 2)) AS t(x)
SELECT substr('abc')
SELECT 1 UNION SELECT 1, 2
SELECT x FROM (VALUES 1) AS t(x) ORDER BY 2
SELECT json_extract('{}', 'a[')
SELECT sequence(1, 10, 0)
SELECT repeat('a', -1)
SELECT chr(-1)
SELECT from_unixtime(1, 'Nowhere/City')
SELECT TIMESTAMP '2020-01-01 00:00:00' AT TIME ZONE 'Nowhere/City'
SELECT list_sum(ARRAY[1])
SELECT x FROM (VALUES 1) AS t(x) QUALIFY x = 1
SELECT max(DISTINCT) FROM (VALUES 1) AS t(x)
SELECT ARRAY[1]['a']
SELECT width_bucket(1e0, 0e0, 10e0, 0)
SELECT reduce(ARRAY['a'], 0, (s, x) -> s + x, s -> s)

-- A JSON table, a Parquet table and a Hudi table
SELECT count(*), min(date), max(date), sum(volume) FROM raw_prices
SELECT year, month, count(*), round(avg(close_price), 6), max(high_price) FROM raw_prices GROUP BY year, month ORDER BY year, month
SELECT date, close_price FROM raw_prices WHERE year = '2014' AND month = '03' ORDER BY date LIMIT 5
SELECT * FROM raw_prices ORDER BY date LIMIT 1
SELECT count(*) FROM raw_prices WHERE year = 2014
SELECT count(*) FROM raw_prices WHERE date > '2014-01-01'
SELECT date_trunc('quarter', date) AS quarter, sum(volume), sum(volume) / count(*) FROM raw_prices GROUP BY 1 ORDER BY 1
SELECT date, close_price / lag(close_price) OVER (ORDER BY date) - 1 AS change FROM raw_prices ORDER BY date LIMIT 4
SELECT day_of_week(date), count(*), max_by(date, volume) FROM raw_prices GROUP BY 1 ORDER BY 1
SELECT approx_percentile(close_price, 0.5e0), approx_distinct(date), stddev(close_price) FROM raw_prices
SELECT date - lag(date) OVER (ORDER BY date) AS gap FROM raw_prices ORDER BY gap DESC LIMIT 1
SELECT CAST(close_price AS decimal(12, 4)) / 3 FROM raw_prices ORDER BY date LIMIT 3
SELECT typeof(date), typeof(close_price), typeof(volume), typeof(year), typeof(stock_symbol) FROM raw_prices LIMIT 1
SELECT volume / 1000, volume % 1000, volume / 1000.0 FROM raw_prices ORDER BY date LIMIT 2
SELECT listagg(month, ',') WITHIN GROUP (ORDER BY month) FROM (SELECT DISTINCT month FROM raw_prices WHERE year = '2013')
SELECT upper(stock_symbol) || '-' || CAST(date AS varchar) FROM raw_prices ORDER BY date LIMIT 1
SELECT * FROM kinds ORDER BY id
SELECT id, price / id, price * 2 FROM kinds WHERE id = 1
SELECT tags[1], scores['a'], place.x, made + INTERVAL '1' DAY FROM kinds WHERE id = 1
SELECT id, tag FROM kinds CROSS JOIN UNNEST(tags) AS u(tag) ORDER BY id, tag
SELECT typeof(id), typeof(price), typeof(tags), typeof(scores), typeof(place), typeof(made), typeof(day), typeof(ratio) FROM kinds LIMIT 1
SELECT avg(price), sum(price), min(day), max(made), avg(ratio) FROM kinds
SELECT id FROM kinds WHERE price > 1 AND day >= DATE '2020-01-01' AND made < TIMESTAMP '2021-01-01 00:00:00' ORDER BY id
SELECT count(*), sum(volume), max(version) FROM prices
SELECT date, close_price, version FROM prices WHERE version >= 9000 OR date = DATE '2014-06-03' ORDER BY date
SELECT p.date, r.close_price, p.close_price FROM raw_prices r JOIN prices p ON p.stock_symbol = r.stock_symbol AND p.date = r.date WHERE p.close_price <> r.close_price
SELECT year, count(*), max(close_price) FROM prices WHERE stock_symbol = 'NFLX' GROUP BY year ORDER BY year
WITH monthly AS (SELECT date_trunc('month', date) AS m, avg(close_price) AS mean FROM prices GROUP BY 1) SELECT m, round(mean / lag(mean) OVER (ORDER BY m) - 1, 9) FROM monthly ORDER BY m LIMIT 4
SELECT nope FROM prices
SELECT count(*) FROM prices WHERE volume = 'x'
SELECT stock_symbol, date FROM prices WHERE close_price = (SELECT max(close_price) FROM prices)
SELECT count(*) FROM raw_prices WHERE CAST(year AS integer) / 2 = 1006
SELECT count(*) FROM raw_prices WHERE CAST(year AS decimal(10, 2)) / 3 = 671.33 AND month = '02'
SELECT count(*) FROM prices WHERE CAST(year AS integer) % 4 = 2 AND upper(stock_symbol) = 'NFLX'
SELECT month FROM raw_prices WHERE date = (SELECT max(date) - INTERVAL '1' DAY FROM raw_prices)
SELECT p.date FROM prices p WHERE p.volume = (SELECT max(q.volume) FROM prices q WHERE q.year = p.year) ORDER BY 1
