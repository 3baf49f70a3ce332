-- Every daily bar: prices (US dollars), volume (shares), change (fraction), means of closes, volatility (a year's).
--
-- mean_20, mean_50, mean_200: of the last so many closes. The volatilities are of the last 20 trading days, as in
-- volatility.sql. All are null until there are days enough.
WITH logs AS (
    SELECT
        stock_symbol,
        date,
        open_price,
        high_price,
        low_price,
        close_price,
        volume,
        close_price / lag(close_price) OVER days - 1 AS change,
        ln(close_price / lag(close_price) OVER days) AS log_change,
        ln(open_price / lag(close_price) OVER days) AS night,
        ln(close_price / open_price) AS day,
        ln(high_price / open_price) AS up,
        ln(low_price / open_price) AS down,
        34e-2 / (134e-2 + 21e0 / 19e0) AS k
    FROM prices
    WINDOW days AS (PARTITION BY stock_symbol ORDER BY date)
),
windows AS (
    SELECT
        logs.*,
        count(log_change) OVER last_20 AS changes,
        count(*) OVER last_200 AS days,
        avg(close_price) OVER last_20 AS mean_20,
        avg(close_price) OVER last_50 AS mean_50,
        avg(close_price) OVER last_200 AS mean_200,
        var_samp(log_change) OVER last_20 AS change_variance,
        var_samp(night) OVER last_20 AS night_variance,
        var_samp(day) OVER last_20 AS day_variance,
        avg(power(up - down, 2) / 2 - (2 * ln(2e0) - 1) * power(day, 2)) OVER last_20 AS garman_klass,
        avg(up * (up - day) + down * (down - day)) OVER last_20 AS rogers_satchell
    FROM logs
    WINDOW
        last_20 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 19 PRECEDING AND CURRENT ROW),
        last_50 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 49 PRECEDING AND CURRENT ROW),
        last_200 AS (PARTITION BY stock_symbol ORDER BY date ROWS BETWEEN 199 PRECEDING AND CURRENT ROW)
)
SELECT
    stock_symbol,
    date,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    change,
    IF(days >= 20, mean_20) AS mean_20,
    IF(days >= 50, mean_50) AS mean_50,
    IF(days = 200, mean_200) AS mean_200,
    IF(changes = 20, sqrt(252 * change_variance)) AS close_to_close,
    IF(changes = 20, sqrt(252 * garman_klass)) AS garman_klass,
    IF(changes = 20, sqrt(252 * rogers_satchell)) AS rogers_satchell,
    IF(changes = 20, sqrt(252 * (night_variance + k * day_variance + (1 - k) * rogers_satchell))) AS yang_zhang
FROM windows
ORDER BY stock_symbol, date
