-- Every row of the source in the order of the schema, and whether DynamoDB took its newest version.
SELECT
    prices.stock_symbol, prices.date,
    open_price, high_price, low_price, close_price, volume, prices.version,
    publications.confirmed_at IS NOT NULL AS published
FROM nearcast.prices
LEFT JOIN nearcast.publications
    ON publications.stock_symbol = prices.stock_symbol
    AND publications.date = prices.date
    AND publications.version = prices.version
WHERE %(symbols)s::text[] IS NULL OR prices.stock_symbol = ANY(%(symbols)s)
