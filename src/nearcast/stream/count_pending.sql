-- How many rows are pending within the bounds of `take_pending.sql`.
SELECT count(*)
FROM nearcast.pending
WHERE (date, stock_symbol) > (%(after_date)s::date, %(after_symbol)s::text)
    AND date <= %(until)s::date
    AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]));
