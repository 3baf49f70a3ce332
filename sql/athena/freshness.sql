-- Seconds of the 1000 newest rows from hop to hop: DynamoDB, raw object, Hudi commit, forecast.
--
-- change: DynamoDB took the row. object: Firehose wrote it to S3; its name tells that to the whole second, so that the
-- hop before it may seem up to a second shorter than it was, and the one after it longer. commit: the Hudi job began
-- its commit. forecast: the first one that uses the row was stored. A percentile is the smallest value that at least
-- so many per cent of the values do not exceed. What the crawler has not seen (nearcast lake crawl) is left out.
WITH newest AS (
    SELECT
        stock_symbol,
        date,
        version,
        to_unixtime(date_parse(substr(_hoodie_commit_time, 1, 14), '%Y%m%d%H%i%s'))
            + CAST(substr(_hoodie_commit_time, 15) AS double) / 1000 AS commit_s
    FROM prices
    ORDER BY _hoodie_commit_time DESC, date DESC, stock_symbol
    LIMIT 1000
),
delivered AS (
    SELECT
        newest.stock_symbol,
        newest.date,
        newest.commit_s,
        min(to_unixtime(from_iso8601_timestamp(raw.event_time))) AS change_s,
        min(to_unixtime(date_parse(
            regexp_extract(raw."$path", '-(\d{4}(-\d\d){5})-[^/]*$', 1), '%Y-%m-%d-%H-%i-%s'
        ))) AS object_s
    FROM newest
    JOIN raw_prices AS raw
        ON raw.stock_symbol = newest.stock_symbol
        AND CAST(raw.date AS date) = newest.date
        AND raw.version = newest.version
    WHERE NOT raw.deleted
    GROUP BY 1, 2, 3
),
moments AS (
    SELECT
        delivered.stock_symbol,
        delivered.date,
        delivered.commit_s,
        delivered.change_s,
        delivered.object_s,
        min(to_unixtime(from_iso8601_timestamp(forecasts.made_at))) AS forecast_s
    FROM delivered
    LEFT JOIN forecasts
        ON forecasts.stock_symbol = delivered.stock_symbol
        AND forecasts.as_of_date = delivered.date
        AND forecasts.horizon = 1
        AND to_unixtime(from_iso8601_timestamp(forecasts.made_at)) >= delivered.commit_s
    GROUP BY 1, 2, 3, 4, 5
),
seconds AS (
    SELECT
        element_at(
            ARRAY[
                '1 change to raw object',
                '2 raw object to commit',
                '3 commit to forecast',
                '4 change to commit',
                '5 change to forecast'
            ],
            hops.place
        ) AS hop,
        element_at(
            ARRAY[
                object_s - change_s,
                commit_s - object_s,
                forecast_s - commit_s,
                commit_s - change_s,
                forecast_s - change_s
            ],
            hops.place
        ) AS value
    FROM moments
    CROSS JOIN UNNEST(sequence(1, 5)) AS hops (place)
)
SELECT
    hop,
    count(*) AS measured_rows,
    round(element_at(array_sort(array_agg(value)), (count(*) * 50 + 99) / 100), 3) AS p50,
    round(element_at(array_sort(array_agg(value)), (count(*) * 95 + 99) / 100), 3) AS p95,
    round(max(value), 3) AS slowest
FROM seconds
WHERE value IS NOT NULL
GROUP BY 1
ORDER BY 1
