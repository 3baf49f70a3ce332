-- Grants each role just what it needs, then checks that it has that and nothing else. Run by psql after
-- create_tables.sql. A right beyond those listed here is an error: it is named, and nothing is granted.
\set ON_ERROR_STOP on
\connect nearcast
SET client_min_messages = warning;
BEGIN;

-- What PostgreSQL grants by default.
REVOKE ALL ON DATABASE nearcast FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON FUNCTION nearcast.set_price_version(), nearcast.enqueue_rows(), nearcast.record_deletions(),
    nearcast.enqueue_deletions() FROM PUBLIC;

-- A load goes through a temporary table.
GRANT CONNECT, TEMPORARY ON DATABASE nearcast TO nearcast_writer;
GRANT CONNECT ON DATABASE nearcast TO nearcast_reader;
GRANT USAGE ON SCHEMA nearcast TO nearcast_writer, nearcast_reader;
GRANT USAGE ON SEQUENCE nearcast.price_version TO nearcast_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON nearcast.prices TO nearcast_writer;
GRANT SELECT, INSERT, UPDATE ON nearcast.publications TO nearcast_writer;
-- Its changes of the prices fill these two.
GRANT SELECT, INSERT, UPDATE, DELETE ON nearcast.deletions, nearcast.outbox TO nearcast_writer;
GRANT SELECT, INSERT ON nearcast.arrivals, nearcast.forecasts, nearcast.alerts TO nearcast_writer;
GRANT SELECT, INSERT ON nearcast.check_runs, nearcast.check_results TO nearcast_writer;
GRANT SELECT, INSERT, UPDATE ON nearcast.quarantine TO nearcast_writer;
GRANT SELECT ON nearcast.pending, nearcast.quarantined TO nearcast_writer;
GRANT SELECT ON nearcast.prices, nearcast.publications, nearcast.deletions, nearcast.outbox, nearcast.pending,
    nearcast.arrivals, nearcast.forecasts, nearcast.alerts, nearcast.check_runs, nearcast.check_results,
    nearcast.quarantine, nearcast.quarantined TO nearcast_reader;

-- The rights that must hold, and those that do: all of this database, its schemas and what is in ours.
CREATE TEMPORARY TABLE wanted_right ON COMMIT DROP AS
SELECT grantee, object, privilege
FROM (VALUES
    ('nearcast_writer', 'database nearcast', '{CONNECT,TEMPORARY}'::text[]),
    ('nearcast_writer', 'schema nearcast', '{USAGE}'),
    ('nearcast_writer', 'nearcast.price_version', '{USAGE}'),
    ('nearcast_writer', 'nearcast.prices', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('nearcast_writer', 'nearcast.publications', '{SELECT,INSERT,UPDATE}'),
    ('nearcast_writer', 'nearcast.deletions', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('nearcast_writer', 'nearcast.outbox', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('nearcast_writer', 'nearcast.pending', '{SELECT}'),
    ('nearcast_writer', 'nearcast.arrivals', '{SELECT,INSERT}'),
    ('nearcast_writer', 'nearcast.forecasts', '{SELECT,INSERT}'),
    ('nearcast_writer', 'nearcast.alerts', '{SELECT,INSERT}'),
    ('nearcast_writer', 'nearcast.check_runs', '{SELECT,INSERT}'),
    ('nearcast_writer', 'nearcast.check_results', '{SELECT,INSERT}'),
    ('nearcast_writer', 'nearcast.quarantine', '{SELECT,INSERT,UPDATE}'),
    ('nearcast_writer', 'nearcast.quarantined', '{SELECT}'),
    ('nearcast_reader', 'database nearcast', '{CONNECT}'),
    ('nearcast_reader', 'schema nearcast', '{USAGE}'),
    ('nearcast_reader', 'nearcast.prices', '{SELECT}'),
    ('nearcast_reader', 'nearcast.publications', '{SELECT}'),
    ('nearcast_reader', 'nearcast.deletions', '{SELECT}'),
    ('nearcast_reader', 'nearcast.outbox', '{SELECT}'),
    ('nearcast_reader', 'nearcast.pending', '{SELECT}'),
    ('nearcast_reader', 'nearcast.arrivals', '{SELECT}'),
    ('nearcast_reader', 'nearcast.forecasts', '{SELECT}'),
    ('nearcast_reader', 'nearcast.alerts', '{SELECT}'),
    ('nearcast_reader', 'nearcast.check_runs', '{SELECT}'),
    ('nearcast_reader', 'nearcast.check_results', '{SELECT}'),
    ('nearcast_reader', 'nearcast.quarantine', '{SELECT}'),
    ('nearcast_reader', 'nearcast.quarantined', '{SELECT}')
) AS listed (grantee, object, privileges), unnest(privileges) AS privilege;

CREATE TEMPORARY VIEW actual_right AS
WITH object (name, owner, acl) AS (
    SELECT 'database ' || datname, datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema ' || nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname IN ('nearcast', 'public')
    UNION ALL
    SELECT relnamespace::regnamespace || '.' || relname, relowner,
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
    FROM pg_class
    WHERE relnamespace IN ('nearcast'::regnamespace, 'public'::regnamespace) AND relkind IN ('r', 'v', 'm', 'p', 'f', 'S')
    UNION ALL
    SELECT attrelid::regclass || '.' || attname, relowner, attacl
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'nearcast'::regnamespace AND attacl IS NOT NULL
    UNION ALL
    SELECT 'function ' || proname, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = 'nearcast'::regnamespace
)
SELECT
    CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END AS grantee,
    object.name AS object,
    granted.privilege_type || CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS privilege
FROM object, aclexplode(object.acl) AS granted
WHERE granted.grantee <> object.owner;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(concat_ws(' ', grantee, kind, privilege, 'on', object), '; ' ORDER BY grantee, object)
    INTO wrong
    FROM (
        SELECT 'must not have' AS kind, surplus.* FROM (TABLE actual_right EXCEPT TABLE wanted_right) AS surplus
        UNION ALL
        SELECT 'lacks', lacking.* FROM (TABLE wanted_right EXCEPT TABLE actual_right) AS lacking
    ) AS difference;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'rights differ from those listed: %', wrong;
    END IF;

    SELECT string_agg(rolname, ', ' ORDER BY rolname) INTO wrong
    FROM pg_roles
    WHERE rolname IN ('nearcast_owner', 'nearcast_writer', 'nearcast_reader')
        AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
            OR rolcanlogin <> (rolname <> 'nearcast_owner'));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these roles have attributes that they must not have: %', wrong;
    END IF;

    SELECT string_agg(member::regrole || ' in ' || roleid::regrole, ', ') INTO wrong
    FROM pg_auth_members
    WHERE member::regrole::text IN ('nearcast_owner', 'nearcast_writer', 'nearcast_reader');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these roles must be members of no role: %', wrong;
    END IF;

    SELECT string_agg(concat_ws(' of ', name, owner), ', ') INTO wrong
    FROM (
        SELECT 'schema ' || nspname AS name, nspowner::regrole::text AS owner
        FROM pg_namespace WHERE nspname = 'nearcast'
        UNION ALL
        SELECT relname::text, relowner::regrole::text
        FROM pg_class WHERE relnamespace = 'nearcast'::regnamespace AND relkind IN ('r', 'S')
    ) AS owned
    WHERE owner <> 'nearcast_owner';
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'not owned by nearcast_owner: %', wrong;
    END IF;
END
$$;

DROP VIEW actual_right;
COMMIT;
