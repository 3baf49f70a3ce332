-- A forecast is stored once and never changed; PostgreSQL's clock says when it was made.
INSERT INTO nearcast.forecasts (
    stock_symbol, date, horizon, as_of_date, model_version, commit_time, last_close,
    q025, q100, q250, q500, q750, q900, q975
) VALUES (
    %(stock_symbol)s, %(date)s, %(horizon)s, %(as_of_date)s, %(model_version)s, %(commit_time)s, %(last_close)s,
    %(q025)s, %(q100)s, %(q250)s, %(q500)s, %(q750)s, %(q900)s, %(q975)s
)
ON CONFLICT DO NOTHING
RETURNING
    stock_symbol, date, horizon, as_of_date, made_at, model_version, commit_time, last_close,
    q025, q100, q250, q500, q750, q900, q975
