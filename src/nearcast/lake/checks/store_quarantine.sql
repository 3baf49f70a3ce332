-- Each finding of an error: new, or seen once more in this run. What a person released stays released.
INSERT INTO nearcast.quarantine AS known
    (stock_symbol, date, version, check_name, reason, first_seen_at, last_seen_at, run_id)
SELECT DISTINCT ON (stock_symbol, date, version, check_name)
    stock_symbol, date, version, check_name, reason, now(), now(), %(run_id)s
FROM unnest(
    %(symbols)s::text[], %(dates)s::date[], %(versions)s::bigint[], %(checks)s::text[], %(reasons)s::text[]
) AS finding (stock_symbol, date, version, check_name, reason)
ON CONFLICT (stock_symbol, date, version, check_name) DO UPDATE
SET reason = excluded.reason, last_seen_at = excluded.last_seen_at, run_id = excluded.run_id
