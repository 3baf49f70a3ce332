INSERT INTO nearcast.deletions (stock_symbol, date)
SELECT stock_symbol, date
FROM unnest(%(symbols)s::text[], %(dates)s::date[]) AS key (stock_symbol, date)
WHERE NOT EXISTS (
    SELECT FROM nearcast.prices WHERE prices.stock_symbol = key.stock_symbol AND prices.date = key.date
)
ON CONFLICT (stock_symbol, date) DO UPDATE SET version = excluded.version, deleted_at = excluded.deleted_at;
