-- How many forecasts are stored, with the same choice as in stored.sql.
SELECT count(*)
FROM nearcast.forecasts AS f
WHERE (%(model_version)s::text IS NULL OR f.model_version = %(model_version)s)
    AND (%(horizon)s::integer IS NULL OR f.horizon = %(horizon)s)
    AND (%(symbols)s::text[] IS NULL OR f.stock_symbol = ANY(%(symbols)s))
    AND (%(since)s::date IS NULL OR f.date >= %(since)s)
