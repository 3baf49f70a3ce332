-- Every stored forecast of a horizon, or of each (null), with its outcome, where the outcome was published.
-- Early: stored before its day was first published.
SELECT
    f.stock_symbol, f.date, f.horizon, f.as_of_date, f.model_version, f.last_close,
    f.q025, f.q100, f.q250, f.q500, f.q750, f.q900, f.q975,
    p.close_price AS actual,
    f.made_at < u.first_published_at AS early
FROM nearcast.forecasts AS f
JOIN nearcast.publications AS u USING (stock_symbol, date)
JOIN nearcast.prices AS p USING (stock_symbol, date)
WHERE (%(model_version)s::text IS NULL OR f.model_version = %(model_version)s)
    AND (%(horizon)s::integer IS NULL OR f.horizon = %(horizon)s)
    AND (%(symbols)s::text[] IS NULL OR f.stock_symbol = ANY(%(symbols)s))
    AND (%(since)s::date IS NULL OR f.date >= %(since)s)
ORDER BY f.stock_symbol, f.horizon, f.as_of_date
