-- Rows since the one before the first live row that no forecast is made from yet. That row itself must have
-- one for each symbol, so that the first live day is forecast too. What an earlier run published before its
-- first forecast was history then, and stays it.
WITH begins AS (
    SELECT publications.stock_symbol, greatest(max(publications.date), min(forecasts.as_of_date)) AS date
    FROM nearcast.publications
    LEFT JOIN nearcast.forecasts ON forecasts.stock_symbol = publications.stock_symbol AND horizon = 1
    WHERE NOT deleted
        AND publications.stock_symbol = ANY(%(symbols)s)
        AND (publications.date, publications.stock_symbol) < (%(date)s, %(symbol)s)
    GROUP BY publications.stock_symbol
)
SELECT count(*)
FROM nearcast.publications JOIN begins USING (stock_symbol)
WHERE NOT publications.deleted
    AND publications.date >= begins.date
    AND NOT EXISTS (
        SELECT FROM nearcast.forecasts
        WHERE forecasts.stock_symbol = publications.stock_symbol
            AND forecasts.as_of_date = publications.date
            AND forecasts.horizon = 1
    )
