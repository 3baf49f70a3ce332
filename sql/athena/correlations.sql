-- Correlation of each two symbols' daily log returns over the newest 250 trading days.
WITH returns AS (
    SELECT
        stock_symbol,
        date,
        ln(close_price / lag(close_price) OVER (PARTITION BY stock_symbol ORDER BY date)) AS change
    FROM prices
),
newest AS (
    SELECT date FROM prices GROUP BY date ORDER BY date DESC LIMIT 250
)
SELECT
    one.stock_symbol,
    other.stock_symbol AS other_symbol,
    corr(one.change, other.change) AS correlation,
    count(*) AS days
FROM returns AS one
JOIN returns AS other ON other.date = one.date AND other.stock_symbol > one.stock_symbol
WHERE one.date IN (SELECT date FROM newest) AND one.change IS NOT NULL AND other.change IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
