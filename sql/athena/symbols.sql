-- First and last day of each symbol, trading days, last close (US dollars), change over a year (fraction).
WITH bars AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        close_price / lag(close_price, 252) OVER (PARTITION BY stock_symbol ORDER BY date) - 1 AS year_change
    FROM prices
)
SELECT
    stock_symbol,
    min(date) AS first_day,
    max(date) AS last_day,
    count(*) AS trading_days,
    max_by(close_price, date) AS last_close,
    max_by(year_change, date) AS year_change
FROM bars
GROUP BY 1
ORDER BY 1
