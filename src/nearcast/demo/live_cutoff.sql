-- The first of the last N rows, in the order in which rows are published.
SELECT date, stock_symbol
FROM nearcast.prices
WHERE stock_symbol = ANY(%(symbols)s)
ORDER BY date DESC, stock_symbol DESC
OFFSET %(live_rows)s - 1
LIMIT 1
