-- Published rows whose newest version was not read back from the Hudi table yet.
SELECT count(*)
FROM nearcast.publications
WHERE stock_symbol = ANY(%(symbols)s)
    AND confirmed_at IS NOT NULL
    AND NOT deleted
    AND NOT EXISTS (
        SELECT FROM nearcast.arrivals
        WHERE arrivals.stock_symbol = publications.stock_symbol
            AND arrivals.date = publications.date
            AND arrivals.version = publications.version
    )
