UPDATE nearcast.prices SET version = NULL
FROM unnest(%(symbols)s::text[], %(dates)s::date[]) AS key (stock_symbol, date)
WHERE prices.stock_symbol = key.stock_symbol AND prices.date = key.date;
