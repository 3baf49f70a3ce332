-- A symbol's forecasts of one as-of day. A forecast is stored once and never changed; PostgreSQL's clock says when it
-- was made.
INSERT INTO nearcast.forecasts (
    stock_symbol, date, horizon, as_of_date, model_version, commit_time, last_close,
    q025, q100, q250, q500, q750, q900, q975, marks
)
SELECT
    %(stock_symbol)s, date, horizon, %(as_of_date)s, %(model_version)s, %(commit_time)s, %(last_close)s,
    q025, q100, q250, q500, q750, q900, q975, %(marks)s::text[]
FROM unnest(
    %(date)s::date[], %(horizon)s::integer[], %(q025)s::float8[], %(q100)s::float8[], %(q250)s::float8[],
    %(q500)s::float8[], %(q750)s::float8[], %(q900)s::float8[], %(q975)s::float8[]
) AS ahead (date, horizon, q025, q100, q250, q500, q750, q900, q975)
ON CONFLICT DO NOTHING
RETURNING
    stock_symbol, date, horizon, as_of_date, made_at, model_version, commit_time, last_close,
    q025, q100, q250, q500, q750, q900, q975, marks
