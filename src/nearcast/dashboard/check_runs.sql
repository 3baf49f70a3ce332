-- The newest %(most)s runs of the data checks, oldest first, with the findings of each severity.
SELECT
    id, stored_at, rows, quarantined,
    (sum(findings) FILTER (WHERE severity = 'failure'))::bigint AS differences,
    (sum(findings) FILTER (WHERE severity = 'warning'))::bigint AS warnings
FROM (SELECT * FROM nearcast.check_runs ORDER BY id DESC LIMIT %(most)s) AS newest
JOIN nearcast.check_results ON run_id = id
GROUP BY id, stored_at, rows, quarantined
ORDER BY id
