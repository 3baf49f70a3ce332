-- Whether somebody waits for the publishers' lock (the view pg_locks has a bigint key's lower half as objid).
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %(key)s::bigint::oid AND NOT granted
);
