-- Differs from its last value whenever there is something new to draw. A forecast or an arrival is only ever
-- added, and every new version of a price comes from one sequence, so counts and newest times tell. The quarantine
-- changes with a run of the checks, or when a person releases a row.
SELECT
    (SELECT (count(*), max(version))::text FROM nearcast.prices) AS prices,
    (SELECT (count(confirmed_at), max(published_at))::text FROM nearcast.publications)
        AS publications,
    (SELECT (count(*), max(lake_at))::text FROM nearcast.arrivals) AS arrivals,
    (SELECT (count(*), max(made_at))::text FROM nearcast.forecasts WHERE horizon = 1) AS forecasts,
    (SELECT max(id)::text FROM nearcast.alerts) AS alerts,
    (SELECT (max(id), (SELECT max(released_at) FROM nearcast.quarantine))::text FROM nearcast.check_runs) AS checks,
    (SELECT max(published_at) > clock_timestamp() - make_interval(secs => %(live_s)s) FROM nearcast.publications)
        AS live
