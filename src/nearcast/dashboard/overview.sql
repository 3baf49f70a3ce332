-- Rows at each hop, forecasts of a next session, and the seconds from a row's push to the lake and to the forecast
-- made from it, over the newest %(last)s of them. A percentile is the smallest value that at least so many per cent do not exceed.
-- Each large table is read once; LATERAL makes the two delays use the primary key of `publications`.
WITH hop AS (
    SELECT
        count(prices.version) AS source_rows,
        max(prices.loaded_at) AS newest_loaded_at,
        (SELECT count(*) FROM nearcast.outbox) AS pending_rows,
        count(confirmed_at) FILTER (WHERE NOT deleted) AS published_rows,
        max(published_at) AS newest_published_at,
        count(lake_at) AS lake_rows,
        max(commit_time) AS newest_commit
    FROM nearcast.prices
    FULL JOIN nearcast.publications USING (stock_symbol, date)
    LEFT JOIN nearcast.arrivals
        ON arrivals.stock_symbol = publications.stock_symbol
        AND arrivals.date = publications.date
        AND arrivals.version = publications.version
), lake_delay AS (
    SELECT
        percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS lake_p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS lake_p95
    FROM (SELECT * FROM nearcast.arrivals ORDER BY lake_at DESC LIMIT %(last)s) AS newest
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM newest.lake_at - published_at)::double precision AS seconds
        FROM nearcast.publications
        WHERE stock_symbol = newest.stock_symbol AND date = newest.date AND version = newest.version
        OFFSET 0
    ) AS delay
), forecast_delay AS (
    SELECT
        percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS forecast_p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS forecast_p95
    FROM (
        SELECT stock_symbol, as_of_date, min(made_at) AS made_at
        FROM (SELECT * FROM nearcast.forecasts WHERE horizon = 1 ORDER BY made_at DESC LIMIT %(last)s) AS newest
        GROUP BY stock_symbol, as_of_date
    ) AS first_made
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM first_made.made_at - published_at)::double precision AS seconds
        FROM nearcast.publications
        WHERE stock_symbol = first_made.stock_symbol
            AND date = first_made.as_of_date
            AND published_at <= first_made.made_at
        OFFSET 0
    ) AS delay
), judged AS (
    SELECT
        count(*) AS forecasts,
        max(made_at) AS newest_made_at,
        count(*) FILTER (WHERE made_at < first_published_at) AS early,
        count(*) FILTER (WHERE made_at >= first_published_at) AS late
    FROM nearcast.forecasts LEFT JOIN nearcast.publications USING (stock_symbol, date)
    WHERE horizon = 1
)
SELECT
    hop.*,
    coalesce(newest_published_at > clock_timestamp() - make_interval(secs => %(live_s)s), false) AS live,
    lake_delay.*,
    forecast_delay.*,
    judged.*
FROM hop, lake_delay, forecast_delay, judged
