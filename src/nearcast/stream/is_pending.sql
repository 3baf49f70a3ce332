-- Whether anything is pending within the bounds of `take_pending.sql`.
SELECT EXISTS (
    SELECT
    FROM nearcast.outbox
    WHERE date BETWEEN %(since)s::date AND %(until)s::date
        AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]))
);
