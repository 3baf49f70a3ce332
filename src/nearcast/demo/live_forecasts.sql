-- Each live row, and the first forecast of its day that was made from rows before it alone.
SELECT
    publications.stock_symbol,
    publications.date,
    publications.first_published_at,
    min(forecasts.made_at) AS made_at,
    (array_agg(forecasts.as_of_date ORDER BY forecasts.made_at))[1] AS as_of_date,
    (array_agg(forecasts.commit_time ORDER BY forecasts.made_at))[1] AS commit_time,
    (array_agg(forecasts.model_version ORDER BY forecasts.made_at))[1] AS model_version
FROM nearcast.publications
LEFT JOIN nearcast.forecasts
    ON forecasts.stock_symbol = publications.stock_symbol
    AND forecasts.date = publications.date
    AND forecasts.horizon = 1
    AND forecasts.as_of_date < publications.date
WHERE publications.stock_symbol = ANY(%(symbols)s)
    AND NOT publications.deleted
    AND (publications.date, publications.stock_symbol) >= (%(date)s, %(symbol)s)
GROUP BY publications.stock_symbol, publications.date, publications.first_published_at
ORDER BY publications.date, publications.stock_symbol
