-- Rows of the Hudi table that cannot be a true trading day.
SELECT count(*)
FROM prices
WHERE high_price < greatest(open_price, close_price, low_price)
    OR low_price > least(open_price, close_price)
    OR low_price <= 0
    OR volume < 0
