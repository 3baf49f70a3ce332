-- Seconds from the push of each live row of this run to the lake, and to the forecast that uses it.
SELECT
    publications.stock_symbol,
    publications.date,
    publications.version,
    publications.first_published_at,
    extract(epoch FROM arrivals.lake_at - publications.first_published_at)::double precision AS lake_s,
    extract(epoch FROM min(forecasts.made_at) - publications.first_published_at)::double precision AS forecast_s
FROM nearcast.publications
JOIN nearcast.arrivals USING (stock_symbol, date, version)
LEFT JOIN nearcast.forecasts
    ON forecasts.stock_symbol = publications.stock_symbol
    AND forecasts.as_of_date = publications.date
    AND forecasts.horizon = 1
WHERE publications.stock_symbol = ANY(%(symbols)s)
    AND NOT publications.deleted
    AND (publications.date, publications.stock_symbol) >= (%(date)s, %(symbol)s)
    AND publications.first_published_at >= %(since)s
GROUP BY publications.stock_symbol, publications.date, publications.version,
    publications.first_published_at, arrivals.lake_at
