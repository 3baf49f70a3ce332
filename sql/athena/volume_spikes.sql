-- Newest 100 days with a volume (shares) over 3 standard deviations above the 20 trading days before.
WITH volumes AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        volume,
        count(*) OVER before AS days,
        avg(volume) OVER before AS usual,
        stddev_samp(volume) OVER before AS deviation
    FROM prices
    WINDOW before AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
)
SELECT
    stock_symbol,
    date,
    close_price,
    volume,
    volume / usual AS times_usual,
    (volume - usual) / deviation AS deviations
FROM volumes
WHERE days = 20 AND volume > usual + 3 * deviation
ORDER BY date DESC, stock_symbol
LIMIT 100
