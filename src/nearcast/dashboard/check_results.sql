-- What each check found in the newest run; what found something first.
SELECT check_name, severity, findings, example
FROM nearcast.check_results
WHERE run_id = (SELECT max(id) FROM nearcast.check_runs)
ORDER BY findings = 0, severity = 'warning', severity = 'error', check_name
