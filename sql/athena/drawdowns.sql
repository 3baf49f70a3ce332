-- Deepest fall of each symbol below its highest close so far, and the fall now (fractions, US dollars).
WITH peaks AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        max(close_price) OVER (PARTITION BY stock_symbol ORDER BY date) AS peak_price
    FROM prices
),
falls AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        peak_price,
        close_price / peak_price - 1 AS drawdown,
        max(IF(close_price = peak_price, date)) OVER (PARTITION BY stock_symbol ORDER BY date) AS peak_date
    FROM peaks
)
SELECT
    stock_symbol,
    min(drawdown) AS deepest,
    min_by(peak_date, drawdown) AS peak_date,
    min_by(peak_price, drawdown) AS peak_price,
    min_by(date, drawdown) AS trough_date,
    min_by(close_price, drawdown) AS trough_price,
    max_by(drawdown, date) AS drawdown_now
FROM falls
GROUP BY 1
ORDER BY 2, 1
