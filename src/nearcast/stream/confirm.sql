-- DynamoDB has taken these versions.
UPDATE nearcast.publications
SET confirmed_at = clock_timestamp()
FROM unnest(%(symbols)s::text[], %(dates)s::date[], %(versions)s::bigint[]) AS taken (stock_symbol, date, version)
WHERE publications.stock_symbol = taken.stock_symbol
    AND publications.date = taken.date
    AND publications.version = taken.version;
