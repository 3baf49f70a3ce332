-- Bars of each symbol's last 30 trading days: prices (US dollars), volume (shares), change (fraction).
WITH bars AS (
    SELECT
        stock_symbol,
        date,
        open_price,
        high_price,
        low_price,
        close_price,
        volume,
        close_price / lag(close_price) OVER (PARTITION BY stock_symbol ORDER BY date) - 1 AS change,
        row_number() OVER (PARTITION BY stock_symbol ORDER BY date DESC) AS age
    FROM prices
)
SELECT stock_symbol, date, open_price, high_price, low_price, close_price, volume, change
FROM bars
WHERE age <= 30
ORDER BY stock_symbol, date
