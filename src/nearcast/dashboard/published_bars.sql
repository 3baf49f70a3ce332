-- The newest bars of a symbol in the versions that DynamoDB has taken: what may be known by now.
SELECT date, open_price, high_price, low_price, close_price, volume
FROM (
    SELECT prices.*
    FROM nearcast.prices
    JOIN nearcast.publications USING (stock_symbol, date, version)
    WHERE stock_symbol = %(symbol)s AND confirmed_at IS NOT NULL
    ORDER BY date DESC
    LIMIT %(sessions)s
) AS known
ORDER BY date
