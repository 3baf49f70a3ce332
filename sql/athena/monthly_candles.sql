-- Monthly candles of each symbol: open, high, low, close (US dollars), volume (shares), trading days.
SELECT
    stock_symbol,
    date_trunc('month', date) AS month,
    min_by(open_price, date) AS open_price,
    max(high_price) AS high_price,
    min(low_price) AS low_price,
    max_by(close_price, date) AS close_price,
    sum(volume) AS volume,
    count(*) AS trading_days
FROM prices
GROUP BY 1, 2
ORDER BY 1, 2
