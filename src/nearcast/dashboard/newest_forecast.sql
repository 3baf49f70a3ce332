-- Every horizon of a symbol's newest forecast that was made from a day from %(oldest)s to %(newest)s. Its days come
-- after that day, which the primary key can use.
SELECT
    date, horizon, as_of_date, made_at, last_close, model_version, marks,
    q025, q100, q250, q500, q750, q900, q975
FROM nearcast.forecasts
JOIN (
    SELECT as_of_date, model_version
    FROM nearcast.forecasts
    WHERE stock_symbol = %(symbol)s AND date > %(oldest)s AND as_of_date BETWEEN %(oldest)s AND %(newest)s
    ORDER BY as_of_date DESC, made_at DESC
    LIMIT 1
) AS newest USING (as_of_date, model_version)
WHERE stock_symbol = %(symbol)s AND date > %(oldest)s
ORDER BY horizon
