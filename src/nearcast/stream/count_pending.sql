-- How many rows and deletions are pending within the bounds of `take_pending.sql`.
SELECT count(*)
FROM nearcast.outbox
WHERE date BETWEEN %(since)s::date AND %(until)s::date
    AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]));
