-- Scores of the next-day forecasts whose day has come: pinball loss (log return), coverage (fraction).
--
-- By model and symbol. pinball_loss: the mean over seven quantiles (Koenker and Bassett, Econometrica 46, 1978, 33).
-- pinball_ratio: divided by that of the last close with the quantiles of its last 500 returns, on the same days; below
-- 1 is better. A forecast whose as-of day ends fewer than 60 returns is not scored.
WITH returns AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        ln(close_price / lag(close_price) OVER days) AS change,
        row_number() OVER days AS place
    FROM prices
    WINDOW days AS (PARTITION BY stock_symbol ORDER BY date)
),
pasts AS (
    SELECT
        as_of.stock_symbol,
        as_of.date,
        array_sort(array_agg(returns.change)) AS changes
    FROM returns AS as_of
    JOIN returns
        ON returns.stock_symbol = as_of.stock_symbol
        AND returns.place BETWEEN as_of.place - 499 AND as_of.place
    JOIN (SELECT DISTINCT stock_symbol, as_of_date FROM forecasts) AS made
        ON made.stock_symbol = as_of.stock_symbol
        AND made.as_of_date = as_of.date
    WHERE returns.change IS NOT NULL
    GROUP BY 1, 2
    HAVING count(*) >= 60
),
scored AS (
    SELECT
        forecasts.model_version,
        forecasts.stock_symbol,
        forecasts.date,
        came.close_price BETWEEN forecasts.q100 AND forecasts.q900 AS within_80,
        came.close_price BETWEEN forecasts.q025 AND forecasts.q975 AS within_95,
        element_at(ARRAY[25e-3, 1e-1, 25e-2, 5e-1, 75e-2, 9e-1, 975e-3], quantiles.place) AS level,
        ln(came.close_price / element_at(ARRAY[q025, q100, q250, q500, q750, q900, q975], quantiles.place)) AS error,
        ln(came.close_price / forecasts.last_close) AS change,
        pasts.changes
    FROM forecasts
    JOIN prices AS came ON came.stock_symbol = forecasts.stock_symbol AND came.date = forecasts.date
    JOIN pasts ON pasts.stock_symbol = forecasts.stock_symbol AND pasts.date = forecasts.as_of_date
    CROSS JOIN UNNEST(sequence(1, 7)) AS quantiles (place)
    WHERE forecasts.horizon = 1
),
ranked AS (
    -- The quantile of the past lies between two of its sorted changes (Hyndman and Fan's type 7).
    SELECT scored.*, (cardinality(changes) - 1) * level AS rank FROM scored
),
errors AS (
    SELECT
        ranked.*,
        change
            - (1 - rank + floor(rank)) * element_at(changes, CAST(floor(rank) AS integer) + 1)
            - (rank - floor(rank)) * element_at(changes, CAST(ceil(rank) AS integer) + 1) AS baseline_error
    FROM ranked
)
SELECT
    model_version,
    stock_symbol,
    count(*) / 7 AS forecasts,
    avg(greatest(level * error, (level - 1) * error)) AS pinball_loss,
    sum(greatest(level * error, (level - 1) * error))
        / sum(greatest(level * baseline_error, (level - 1) * baseline_error)) AS pinball_ratio,
    avg(IF(within_80, 1e0, 0e0)) AS coverage_80,
    avg(IF(within_95, 1e0, 0e0)) AS coverage_95
FROM errors
GROUP BY 1, 2
ORDER BY 1, 2
