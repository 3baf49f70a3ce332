-- The next pending rows and deletions, oldest first; they are written down as published before they leave. A repeated
-- push of a version keeps the times of its first push and its tick. The other rows of a paced step (`interval` is not
-- null) are due one after the other from `first_due` (null: now) on. Times are seconds since 1970.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS pushed_at
), batch AS MATERIALIZED (
    SELECT date, stock_symbol, version, deleted
    FROM nearcast.outbox
    WHERE (date, stock_symbol) > (%(after_date)s::date, %(after_symbol)s::text)
        AND date BETWEEN %(since)s::date AND %(until)s::date
        AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]))
    ORDER BY date, stock_symbol
    LIMIT %(limit)s
), ticked AS MATERIALIZED (
    SELECT batch.*, pushed_at,
        coalesce(
            known.due_at,
            coalesce(to_timestamp(%(first_due)s::double precision), pushed_at)
                + (count(*) FILTER (WHERE known.due_at IS NULL) OVER (ORDER BY batch.date, batch.stock_symbol) - 1)
                * make_interval(secs => %(interval)s::double precision)
        ) AS due_at
    FROM batch
    CROSS JOIN clock
    LEFT JOIN nearcast.publications AS known USING (stock_symbol, date, version)
), marked AS (
    INSERT INTO nearcast.publications AS known
        (stock_symbol, date, version, first_published_at, published_at, due_at, deleted)
    SELECT stock_symbol, date, version, pushed_at, pushed_at, due_at, deleted FROM ticked
    ON CONFLICT (stock_symbol, date) DO UPDATE SET
        version = excluded.version,
        published_at = CASE WHEN known.version = excluded.version
            THEN known.published_at ELSE excluded.published_at END,
        confirmed_at = NULL,
        due_at = excluded.due_at,
        deleted = excluded.deleted
)
SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, version, deleted,
    extract(epoch FROM due_at)::double precision, extract(epoch FROM pushed_at)::double precision,
    -- Columns that were added to the table since; a bar without any is not turned into JSON.
    CASE WHEN (
        SELECT count(*) > 10
        FROM pg_attribute
        WHERE attrelid = 'nearcast.prices'::regclass AND attnum > 0 AND NOT attisdropped
    ) THEN to_jsonb(prices) - ARRAY[
        'stock_symbol', 'date', 'open_price', 'high_price', 'low_price', 'close_price', 'volume', 'version',
        'adjusted_close', 'loaded_at'
    ] END
FROM ticked
LEFT JOIN nearcast.prices USING (stock_symbol, date, version)
ORDER BY date, stock_symbol;
