-- The symbols that were loaded. A loose index scan: one step in the primary key for each symbol.
WITH RECURSIVE found (stock_symbol) AS (
    (SELECT stock_symbol FROM nearcast.prices ORDER BY stock_symbol LIMIT 1)
    UNION ALL
    SELECT (
        SELECT prices.stock_symbol FROM nearcast.prices
        WHERE prices.stock_symbol > found.stock_symbol
        ORDER BY prices.stock_symbol LIMIT 1
    )
    FROM found
    WHERE found.stock_symbol IS NOT NULL
)
SELECT stock_symbol FROM found WHERE stock_symbol IS NOT NULL
