-- Volatility over 20 trading days (log return, a year of 252 days); each symbol's last 60 trading days.
--
-- close_to_close knows closes alone; garman_klass (Journal of Business 53, 1980, 67) and rogers_satchell (Annals of
-- Applied Probability 1, 1991, 504) know the day's range and not the night; yang_zhang (Journal of Business 73, 2000,
-- 477) knows both.
WITH logs AS (
    SELECT
        stock_symbol,
        date,
        ln(close_price / lag(close_price) OVER days) AS change,
        ln(open_price / lag(close_price) OVER days) AS night,
        ln(close_price / open_price) AS day,
        ln(high_price / open_price) AS up,
        ln(low_price / open_price) AS down,
        row_number() OVER (PARTITION BY stock_symbol ORDER BY date DESC) AS age
    FROM prices
    WINDOW days AS (PARTITION BY stock_symbol ORDER BY date)
),
variances AS (
    SELECT
        stock_symbol,
        date,
        age,
        count(change) OVER last_20 AS changes,
        var_samp(change) OVER last_20 AS change,
        var_samp(night) OVER last_20 AS night,
        var_samp(day) OVER last_20 AS day,
        avg(power(up - down, 2) / 2 - (2 * ln(2e0) - 1) * power(day, 2)) OVER last_20 AS garman_klass,
        avg(up * (up - day) + down * (down - day)) OVER last_20 AS rogers_satchell,
        34e-2 / (134e-2 + 21e0 / 19e0) AS k
    FROM logs
    WINDOW last_20 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 19 PRECEDING AND CURRENT ROW)
)
SELECT
    stock_symbol,
    date,
    sqrt(252 * change) AS close_to_close,
    sqrt(252 * garman_klass) AS garman_klass,
    sqrt(252 * rogers_satchell) AS rogers_satchell,
    sqrt(252 * (night + k * day + (1 - k) * rogers_satchell)) AS yang_zhang
FROM variances
WHERE changes = 20 AND age <= 60
ORDER BY stock_symbol, date
