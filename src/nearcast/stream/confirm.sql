-- DynamoDB has taken these versions: they are pending no more, unless there is a newer one by now.
WITH taken AS MATERIALIZED (
    SELECT *
    FROM unnest(%(symbols)s::text[], %(dates)s::date[], %(versions)s::bigint[]) AS row (stock_symbol, date, version)
), confirmed AS (
    UPDATE nearcast.publications
    SET confirmed_at = clock_timestamp()
    FROM taken
    WHERE publications.stock_symbol = taken.stock_symbol
        AND publications.date = taken.date
        AND publications.version = taken.version
), done AS MATERIALIZED (
    -- Locked in the order in which a load locks them, so that the two never wait for each other.
    SELECT date, stock_symbol
    FROM nearcast.outbox JOIN taken USING (stock_symbol, date, version)
    ORDER BY date, stock_symbol
    FOR UPDATE OF outbox
)
DELETE FROM nearcast.outbox USING done
WHERE outbox.date = done.date AND outbox.stock_symbol = done.stock_symbol;
