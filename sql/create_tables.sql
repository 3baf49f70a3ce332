-- The tables of the source. Run by psql after create_schema.sql; running it again changes nothing.
\set ON_ERROR_STOP on
\connect nearcast
SET client_min_messages = warning;
SET ROLE nearcast_owner;

CREATE SEQUENCE IF NOT EXISTS nearcast.price_version;

-- Prices are US dollars, volume is shares. `< 'Infinity'` refuses NaN too, which sorts above it.
CREATE TABLE IF NOT EXISTS nearcast.prices (
    stock_symbol text NOT NULL CHECK (stock_symbol <> ''),
    date date NOT NULL,
    open_price double precision NOT NULL,
    high_price double precision NOT NULL CHECK (high_price < 'Infinity'),
    low_price double precision NOT NULL CHECK (low_price > 0),
    close_price double precision NOT NULL,
    volume bigint NOT NULL CHECK (volume >= 0),
    adjusted_close double precision CHECK (adjusted_close > 0 AND adjusted_close < 'Infinity'),
    version bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stock_symbol, date),
    CONSTRAINT open_in_range CHECK (open_price BETWEEN low_price AND high_price),
    CONSTRAINT close_in_range CHECK (close_price BETWEEN low_price AND high_price)
);

-- The publisher reads in this order.
CREATE INDEX IF NOT EXISTS prices_by_date ON nearcast.prices (date, stock_symbol);

-- The version is the server's alone: what a client writes there is replaced.
CREATE OR REPLACE FUNCTION nearcast.set_price_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version;
        NEW.loaded_at := OLD.loaded_at;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    NEW.version := nextval('nearcast.price_version');
    NEW.loaded_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER set_price_version BEFORE INSERT OR UPDATE ON nearcast.prices
    FOR EACH ROW EXECUTE FUNCTION nearcast.set_price_version();

-- The publisher's cursor: a row of `prices` is pending until its version is confirmed here.
CREATE TABLE IF NOT EXISTS nearcast.publications (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL,
    first_published_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (stock_symbol, date)
);

-- What the publisher has still to do.
CREATE OR REPLACE VIEW nearcast.pending AS
SELECT prices.*
FROM nearcast.prices
WHERE NOT EXISTS (
    SELECT FROM nearcast.publications
    WHERE publications.stock_symbol = prices.stock_symbol
        AND publications.date = prices.date
        AND publications.version = prices.version
        AND publications.confirmed_at IS NOT NULL
);

-- When a version of a row was first read back from the Hudi table.
CREATE TABLE IF NOT EXISTS nearcast.arrivals (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL,
    commit_time text NOT NULL,
    lake_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stock_symbol, date, version)
);

-- `date` is the day that is forecast, `as_of_date` the newest row used; quantiles are US dollars.
CREATE TABLE IF NOT EXISTS nearcast.forecasts (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    horizon integer NOT NULL CHECK (horizon > 0),
    as_of_date date NOT NULL CHECK (as_of_date < date),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    model_version text NOT NULL,
    commit_time text NOT NULL,
    last_close double precision NOT NULL,
    q025 double precision NOT NULL,
    q100 double precision NOT NULL,
    q250 double precision NOT NULL,
    q500 double precision NOT NULL,
    q750 double precision NOT NULL,
    q900 double precision NOT NULL,
    q975 double precision NOT NULL,
    PRIMARY KEY (stock_symbol, date, horizon, as_of_date, model_version)
);

RESET ROLE;
