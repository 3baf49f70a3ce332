-- Rows of each symbol that need a look: repeated, impossible, without trade, missing, jumps (counts).
--
-- missing_days: days between its first and its last on which another symbol has a bar. jumps: closes that rose by over
-- a quarter or fell by over a fifth, as they do at an unadjusted split.
WITH bars AS (
    SELECT
        stock_symbol,
        date,
        volume,
        NOT (
            low_price > 0
            AND low_price <= least(open_price, close_price)
            AND high_price >= greatest(open_price, close_price)
            AND volume >= 0
        ) AS impossible,
        close_price / lag(close_price) OVER days NOT BETWEEN 8e-1 AND 125e-2 AS jump
    FROM prices
    WINDOW days AS (PARTITION BY stock_symbol ORDER BY date)
),
calendar AS (
    SELECT date, row_number() OVER (ORDER BY date) AS place FROM prices GROUP BY date
)
SELECT
    bars.stock_symbol,
    count(*) AS bars,
    count(*) - count(DISTINCT bars.date) AS repeated,
    count_if(coalesce(bars.impossible, true)) AS impossible,
    count_if(bars.volume = 0) AS without_trade,
    max(calendar.place) - min(calendar.place) + 1 - count(DISTINCT bars.date) AS missing_days,
    count_if(bars.jump) AS jumps
FROM bars
JOIN calendar ON calendar.date = bars.date
GROUP BY 1
ORDER BY 1
