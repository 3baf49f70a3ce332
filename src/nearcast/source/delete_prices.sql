DELETE FROM nearcast.prices
WHERE stock_symbol = %(symbol)s AND date BETWEEN %(first)s::date AND %(last)s::date;
