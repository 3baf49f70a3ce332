-- Rows since the one before the first live row that no forecast is made from yet. That row itself must have
-- one for each symbol, so that the first live day is forecast too.
WITH newest_before AS (
    SELECT stock_symbol, max(date) AS date
    FROM nearcast.publications
    WHERE stock_symbol = ANY(%(symbols)s) AND (date, stock_symbol) < (%(date)s, %(symbol)s)
    GROUP BY stock_symbol
)
SELECT count(*)
FROM nearcast.publications JOIN newest_before USING (stock_symbol)
WHERE publications.date >= newest_before.date
    AND NOT EXISTS (
        SELECT FROM nearcast.forecasts
        WHERE forecasts.stock_symbol = publications.stock_symbol
            AND forecasts.as_of_date = publications.date
    )
