-- The closes of a symbol up to a day, by date.
SELECT date, close_price
FROM nearcast.prices
WHERE stock_symbol = %(symbol)s AND date <= %(until)s
ORDER BY date
