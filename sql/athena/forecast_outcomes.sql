-- Every forecast: its quantiles and last close (US dollars) and, once its day has come, what it was worth.
--
-- actual: the close that came (US dollars). pinball_loss (log return): the mean over the seven quantiles;
-- baseline_loss: that of the last close with the quantiles of the last 500 returns over as many sessions, null below
-- 60 of them. inside_80, inside_95: 1 where the close lies in the band, else 0. newest: 1 for the forecast of a day
-- and horizon that was stored last, else 0.
WITH bars AS (
    SELECT
        stock_symbol,
        date,
        close_price,
        row_number() OVER (PARTITION BY stock_symbol ORDER BY date) AS place
    FROM prices
),
pasts AS (
    SELECT
        made.stock_symbol,
        made.as_of_date,
        made.horizon,
        array_sort(array_agg(ln(ended.close_price / began.close_price))) AS changes
    FROM (SELECT DISTINCT stock_symbol, as_of_date, horizon FROM forecasts) AS made
    JOIN bars AS as_of ON as_of.stock_symbol = made.stock_symbol AND as_of.date = made.as_of_date
    JOIN bars AS ended
        ON ended.stock_symbol = made.stock_symbol
        AND ended.place BETWEEN as_of.place - 499 AND as_of.place
    JOIN bars AS began ON began.stock_symbol = made.stock_symbol AND began.place = ended.place - made.horizon
    GROUP BY 1, 2, 3
    HAVING count(*) >= 60
),
baselines AS (
    -- A quantile of the past lies between two of its sorted changes (Hyndman and Fan's type 7).
    SELECT
        stock_symbol,
        as_of_date,
        horizon,
        transform(
            transform(ARRAY[25e-3, 1e-1, 25e-2, 5e-1, 75e-2, 9e-1, 975e-3], x -> x * (cardinality(changes) - 1)),
            rank -> (1 - rank + floor(rank)) * element_at(changes, CAST(floor(rank) AS integer) + 1)
                + (rank - floor(rank)) * element_at(changes, CAST(ceil(rank) AS integer) + 1)
        ) AS quantiles
    FROM pasts
),
errors AS (
    SELECT
        forecasts.*,
        came.close_price AS actual,
        transform(
            ARRAY[q025, q100, q250, q500, q750, q900, q975], quantile -> ln(came.close_price / quantile)
        ) AS errors,
        transform(
            baselines.quantiles, quantile -> ln(came.close_price / forecasts.last_close) - quantile
        ) AS baseline_errors
    FROM forecasts
    LEFT JOIN prices AS came ON came.stock_symbol = forecasts.stock_symbol AND came.date = forecasts.date
    LEFT JOIN baselines
        ON baselines.stock_symbol = forecasts.stock_symbol
        AND baselines.as_of_date = forecasts.as_of_date
        AND baselines.horizon = forecasts.horizon
)
SELECT
    stock_symbol,
    date,
    horizon,
    as_of_date,
    model_version,
    last_close,
    q025,
    q100,
    q500,
    q900,
    q975,
    actual,
    reduce(
        zip_with(
            ARRAY[25e-3, 1e-1, 25e-2, 5e-1, 75e-2, 9e-1, 975e-3],
            errors,
            (level, error) -> greatest(level * error, (level - 1) * error)
        ),
        0e0, (total, loss) -> total + loss, total -> total / 7
    ) AS pinball_loss,
    reduce(
        zip_with(
            ARRAY[25e-3, 1e-1, 25e-2, 5e-1, 75e-2, 9e-1, 975e-3],
            baseline_errors,
            (level, error) -> greatest(level * error, (level - 1) * error)
        ),
        0e0, (total, loss) -> total + loss, total -> total / 7
    ) AS baseline_loss,
    IF(actual IS NOT NULL, IF(actual BETWEEN q100 AND q900, 1, 0)) AS inside_80,
    IF(actual IS NOT NULL, IF(actual BETWEEN q025 AND q975, 1, 0)) AS inside_95,
    IF(row_number() OVER (PARTITION BY stock_symbol, date, horizon ORDER BY made_at DESC) = 1, 1, 0) AS newest
FROM errors
ORDER BY stock_symbol, date, horizon, model_version
