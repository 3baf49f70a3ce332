-- The newest alerts of the last day.
SELECT raised_at, source, text
FROM nearcast.alerts
WHERE raised_at > clock_timestamp() - interval '1 day'
ORDER BY id DESC
LIMIT %(most)s
