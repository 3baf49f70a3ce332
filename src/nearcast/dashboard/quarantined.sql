-- The newest %(most)s rows in the quarantine, each with every check that it breaks, and how many there are.
SELECT
    stock_symbol, date, version, string_agg(check_name || ': ' || reason, '; ' ORDER BY check_name) AS reasons,
    min(first_seen_at) AS since, (count(*) OVER ())::bigint AS total
FROM nearcast.quarantined
GROUP BY stock_symbol, date, version
ORDER BY since DESC, stock_symbol, date
LIMIT %(most)s
