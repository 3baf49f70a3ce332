-- Means of the last 20, 50 and 200 closes (US dollars); each symbol's last 60 trading days.
WITH averages AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        IF(count(*) OVER last_20 = 20, avg(close_price) OVER last_20) AS mean_20,
        IF(count(*) OVER last_50 = 50, avg(close_price) OVER last_50) AS mean_50,
        IF(count(*) OVER last_200 = 200, avg(close_price) OVER last_200) AS mean_200,
        row_number() OVER (PARTITION BY stock_symbol ORDER BY date DESC) AS age
    FROM prices
    WINDOW
        last_20 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 19 PRECEDING AND CURRENT ROW),
        last_50 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 49 PRECEDING AND CURRENT ROW),
        last_200 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 199 PRECEDING AND CURRENT ROW)
)
SELECT stock_symbol, date, close_price, mean_20, mean_50, mean_200
FROM averages
WHERE age <= 60
ORDER BY stock_symbol, date
