-- The newest %(days)s published bars of each symbol, by symbol and date.
SELECT known.*
FROM unnest(%(symbols)s::text[]) AS wanted (symbol)
CROSS JOIN LATERAL (
    SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, version
    FROM nearcast.prices
    JOIN nearcast.publications USING (stock_symbol, date, version)
    WHERE stock_symbol = symbol AND confirmed_at IS NOT NULL
    ORDER BY date DESC
    LIMIT %(days)s
) AS known
ORDER BY stock_symbol, date
