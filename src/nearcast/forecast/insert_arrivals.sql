-- Note which row versions were read back from the lake; only those seen first are written.
INSERT INTO nearcast.arrivals (stock_symbol, date, version, commit_time)
SELECT * FROM unnest(%(stock_symbol)s::text[], %(date)s::date[], %(version)s::bigint[], %(commit_time)s::text[])
ON CONFLICT DO NOTHING
