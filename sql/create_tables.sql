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

CREATE INDEX IF NOT EXISTS prices_by_date ON nearcast.prices (date, stock_symbol);

-- The version is the server's alone: what a client writes there is replaced. NULL asks for a new one.
CREATE OR REPLACE FUNCTION nearcast.set_price_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.loaded_at := OLD.loaded_at;
        IF NEW.version IS NOT NULL THEN
            NEW.version := OLD.version;
            IF NEW IS NOT DISTINCT FROM OLD THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    NEW.version := nextval('nearcast.price_version');
    NEW.loaded_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER set_price_version BEFORE INSERT OR UPDATE ON nearcast.prices
    FOR EACH ROW EXECUTE FUNCTION nearcast.set_price_version();

-- What was published: the newest version of each key that was written down before it left, and when DynamoDB had
-- taken it. `due_at` is the tick at which a paced row was due.
CREATE TABLE IF NOT EXISTS nearcast.publications (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL,
    first_published_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (stock_symbol, date)
);
ALTER TABLE nearcast.publications ADD COLUMN IF NOT EXISTS due_at timestamptz;
ALTER TABLE nearcast.publications ADD COLUMN IF NOT EXISTS deleted boolean NOT NULL DEFAULT false;
CREATE INDEX IF NOT EXISTS publications_by_due_at ON nearcast.publications (due_at) WHERE due_at IS NOT NULL;

-- Keys that were deleted from `prices` and are not there again.
CREATE TABLE IF NOT EXISTS nearcast.deletions (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL DEFAULT nextval('nearcast.price_version'),
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stock_symbol, date)
);

-- The publisher's cursor: what it has still to do, in its order. Triggers fill it in the transaction of the change;
-- confirming a version takes that version out again.
BEGIN;
SELECT to_regclass('nearcast.outbox') IS NULL AS first_outbox
\gset
CREATE TABLE IF NOT EXISTS nearcast.outbox (
    date date NOT NULL,
    stock_symbol text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (date, stock_symbol)
);

-- After an insert or update of prices. Locks are taken in the order of date and symbol, as the publisher takes them.
CREATE OR REPLACE FUNCTION nearcast.enqueue_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows JOIN nearcast.deletions USING (stock_symbol, date)) THEN
        -- One that waited for a concurrent deletion of its key drew its version first: it needs a newer one.
        UPDATE nearcast.prices SET version = NULL
        FROM new_rows JOIN nearcast.deletions USING (stock_symbol, date)
        WHERE prices.stock_symbol = new_rows.stock_symbol
            AND prices.date = new_rows.date
            AND prices.version <= deletions.version;
        DELETE FROM nearcast.deletions USING new_rows
        WHERE deletions.stock_symbol = new_rows.stock_symbol AND deletions.date = new_rows.date;
    END IF;
    INSERT INTO nearcast.outbox AS known (date, stock_symbol, version, deleted)
    SELECT date, stock_symbol, version, false
    FROM new_rows
    WHERE NOT EXISTS (
        SELECT FROM nearcast.publications
        WHERE publications.stock_symbol = new_rows.stock_symbol
            AND publications.date = new_rows.date
            AND publications.version = new_rows.version
            AND publications.confirmed_at IS NOT NULL
    )
    ORDER BY date, stock_symbol
    ON CONFLICT (date, stock_symbol) DO UPDATE SET version = excluded.version, deleted = false
    WHERE known.version < excluded.version;
    RETURN NULL;
END
$$;

-- After a delete, or an update that changes a key.
CREATE OR REPLACE FUNCTION nearcast.record_deletions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nearcast.deletions (stock_symbol, date)
    SELECT stock_symbol, date
    FROM old_rows
    WHERE NOT EXISTS (
        SELECT FROM nearcast.prices
        WHERE prices.stock_symbol = old_rows.stock_symbol AND prices.date = old_rows.date
    )
    ORDER BY date, stock_symbol
    ON CONFLICT (stock_symbol, date) DO UPDATE SET version = excluded.version, deleted_at = excluded.deleted_at;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION nearcast.enqueue_deletions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nearcast.outbox AS known (date, stock_symbol, version, deleted)
    SELECT date, stock_symbol, version, true
    FROM new_rows
    ORDER BY date, stock_symbol
    ON CONFLICT (date, stock_symbol) DO UPDATE SET version = excluded.version, deleted = true
    WHERE known.version < excluded.version;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER enqueue_inserted AFTER INSERT ON nearcast.prices
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.enqueue_rows();
CREATE OR REPLACE TRIGGER enqueue_updated AFTER UPDATE ON nearcast.prices
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.enqueue_rows();
CREATE OR REPLACE TRIGGER record_deleted AFTER DELETE ON nearcast.prices
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.record_deletions();
CREATE OR REPLACE TRIGGER record_left AFTER UPDATE ON nearcast.prices
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.record_deletions();
CREATE OR REPLACE TRIGGER enqueue_inserted AFTER INSERT ON nearcast.deletions
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.enqueue_deletions();
CREATE OR REPLACE TRIGGER enqueue_updated AFTER UPDATE ON nearcast.deletions
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION nearcast.enqueue_deletions();

\if :first_outbox
-- A home that was made before there was an outbox.
INSERT INTO nearcast.outbox (date, stock_symbol, version, deleted)
SELECT date, stock_symbol, version, false
FROM nearcast.prices
WHERE NOT EXISTS (
    SELECT FROM nearcast.publications
    WHERE publications.stock_symbol = prices.stock_symbol
        AND publications.date = prices.date
        AND publications.version = prices.version
        AND publications.confirmed_at IS NOT NULL
);
\endif
COMMIT;

-- The outbox with the rows' values; those of a deletion are null.
CREATE OR REPLACE VIEW nearcast.pending AS
SELECT outbox.stock_symbol, outbox.date, open_price, high_price, low_price, close_price, volume, adjusted_close,
    outbox.version, loaded_at, outbox.deleted
FROM nearcast.outbox
LEFT JOIN nearcast.prices USING (stock_symbol, date, version);

-- When a version of a row was first read back from the Hudi table.
CREATE TABLE IF NOT EXISTS nearcast.arrivals (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL,
    commit_time text NOT NULL,
    lake_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stock_symbol, date, version)
);

-- `date` is the day that is forecast, `horizon` sessions after `as_of_date`, the newest row used; quantiles are US
-- dollars. `marks` says what is odd about the rows used.
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
    marks text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (stock_symbol, date, horizon, as_of_date, model_version)
);
ALTER TABLE nearcast.forecasts ADD COLUMN IF NOT EXISTS marks text[] NOT NULL DEFAULT '{}';
CREATE INDEX IF NOT EXISTS forecasts_of_next_sessions ON nearcast.forecasts (made_at) WHERE horizon = 1;

-- Runs of the data checks over the lake, with the Hudi commit that they saw; every check has a result in every run.
CREATE TABLE IF NOT EXISTS nearcast.check_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    commit_time text,
    rows bigint NOT NULL CHECK (rows >= 0),
    quarantined bigint NOT NULL CHECK (quarantined BETWEEN 0 AND rows)
);
CREATE TABLE IF NOT EXISTS nearcast.check_results (
    run_id bigint NOT NULL REFERENCES nearcast.check_runs,
    check_name text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('failure', 'error', 'warning')),
    findings bigint NOT NULL CHECK (findings >= 0),
    example text CHECK ((example IS NULL) = (findings = 0)),
    PRIMARY KEY (run_id, check_name)
);

-- Versions of rows that were found to be wrong, each with every check that says so. Those of the newest run are
-- quarantined, unless a person has released them; the others left: corrected, deleted, or no longer found.
CREATE TABLE IF NOT EXISTS nearcast.quarantine (
    stock_symbol text NOT NULL,
    date date NOT NULL,
    version bigint NOT NULL,
    check_name text NOT NULL,
    reason text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    run_id bigint NOT NULL REFERENCES nearcast.check_runs,
    released_at timestamptz,
    PRIMARY KEY (stock_symbol, date, version, check_name)
);
CREATE INDEX IF NOT EXISTS quarantine_by_run ON nearcast.quarantine (run_id);
CREATE OR REPLACE VIEW nearcast.quarantined AS
SELECT stock_symbol, date, version, check_name, reason, first_seen_at, last_seen_at
FROM nearcast.quarantine
WHERE run_id = (SELECT max(id) FROM nearcast.check_runs) AND released_at IS NULL;

-- What a person should know of: failed tasks, late runs, late ticks, quarantined rows.
CREATE TABLE IF NOT EXISTS nearcast.alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source text NOT NULL,
    text text NOT NULL
);

RESET ROLE;
