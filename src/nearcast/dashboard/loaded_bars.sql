-- The newest bars of a symbol while nothing at all was published: there is no replay that they could spoil.
SELECT date, open_price, high_price, low_price, close_price, volume
FROM (
    SELECT *
    FROM nearcast.prices
    WHERE stock_symbol = %(symbol)s AND NOT EXISTS (SELECT FROM nearcast.publications)
    ORDER BY date DESC
    LIMIT %(sessions)s
) AS loaded
ORDER BY date
