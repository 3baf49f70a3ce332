-- One forecast for each day after %(after)s, made from days up to %(newest)s alone: the last one that was stored
-- before the day was first published, else the first of the late ones.
SELECT DISTINCT ON (date) date, as_of_date, last_close, model_version, marks, late, q025, q100, q500, q900, q975
FROM (
    SELECT forecasts.*, coalesce(made_at >= first_published_at, false) AS late
    FROM nearcast.forecasts
    LEFT JOIN nearcast.publications USING (stock_symbol, date)
    WHERE stock_symbol = %(symbol)s
        AND horizon = 1
        AND forecasts.date > %(after)s
        AND as_of_date <= %(newest)s
) AS judged
ORDER BY date, late, CASE WHEN late THEN made_at END, made_at DESC
