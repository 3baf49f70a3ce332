-- Every row and every deletion of the source in the order of the schema; whether it is a deletion, and whether DynamoDB
-- took its newest version, at least %(settle_s)s seconds ago.
WITH held AS (
    SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, version, false AS deleted
    FROM nearcast.prices
    UNION ALL
    SELECT stock_symbol, date, NULL, NULL, NULL, NULL, NULL, version, true
    FROM nearcast.deletions
)
SELECT
    held.stock_symbol, held.date, open_price, high_price, low_price, close_price, volume, held.version, held.deleted,
    coalesce(confirmed_at <= clock_timestamp() - make_interval(secs => %(settle_s)s::double precision), false)
FROM held
LEFT JOIN nearcast.publications USING (stock_symbol, date, version)
WHERE %(symbols)s::text[] IS NULL OR stock_symbol = ANY(%(symbols)s)
