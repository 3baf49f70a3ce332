-- Rows that are not published yet and come before the live ones.
SELECT count(*)
FROM nearcast.pending
WHERE stock_symbol = ANY(%(symbols)s) AND (date, stock_symbol) < (%(date)s, %(symbol)s)
