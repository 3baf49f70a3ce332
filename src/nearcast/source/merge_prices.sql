-- Staged rows into the prices, oldest first, so that versions grow with the dates. A file without adjusted closes
-- leaves those that are there. Returns how many rows were inserted and updated.
WITH merged AS (
    INSERT INTO nearcast.prices AS known
        (stock_symbol, date, open_price, high_price, low_price, close_price, volume, adjusted_close)
    SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, adjusted_close
    FROM staged
    ORDER BY date, stock_symbol
    ON CONFLICT (stock_symbol, date) DO UPDATE SET
        open_price = excluded.open_price,
        high_price = excluded.high_price,
        low_price = excluded.low_price,
        close_price = excluded.close_price,
        volume = excluded.volume,
        adjusted_close = coalesce(excluded.adjusted_close, known.adjusted_close)
    WHERE (known.open_price, known.high_price, known.low_price, known.close_price, known.volume,
            known.adjusted_close)
        IS DISTINCT FROM
            (excluded.open_price, excluded.high_price, excluded.low_price, excluded.close_price, excluded.volume,
            coalesce(excluded.adjusted_close, known.adjusted_close))
    RETURNING xmax = 0 AS inserted  -- xmax is set where a row existed before
)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM merged;
