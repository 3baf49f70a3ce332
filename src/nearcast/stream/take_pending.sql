-- The next pending rows after the one taken last, oldest first; they are written down as published before they
-- leave. A repeated push of a version keeps the time of its first push.
WITH batch AS (
    SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, version,
        clock_timestamp() AS pushed_at
    FROM nearcast.pending
    WHERE (date, stock_symbol) > (%(after_date)s::date, %(after_symbol)s::text)
        AND date <= %(until)s::date
        AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]))
    ORDER BY date, stock_symbol
    LIMIT %(limit)s
), marked AS (
    INSERT INTO nearcast.publications AS known (stock_symbol, date, version, first_published_at, published_at)
    SELECT stock_symbol, date, version, pushed_at, pushed_at FROM batch
    ON CONFLICT (stock_symbol, date) DO UPDATE SET
        version = excluded.version,
        published_at = CASE WHEN known.version = excluded.version
            THEN known.published_at ELSE excluded.published_at END,
        confirmed_at = NULL
)
SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, version
FROM batch
ORDER BY date, stock_symbol;
