-- Roles, the database and its schema. Run by psql as a superuser, connected to any database:
--   NEARCAST_WRITER_PASSWORD=… NEARCAST_READER_PASSWORD=… \
--   psql -d postgres -f create_schema.sql -f create_tables.sql -f grant_and_check.sql
-- Passwords come from the environment, so that they show in no process list. Running it again changes nothing
-- but the two passwords.
\set ON_ERROR_STOP on
\getenv writer_password NEARCAST_WRITER_PASSWORD
\getenv reader_password NEARCAST_READER_PASSWORD
SET client_min_messages = warning;
-- The statements below carry passwords: keep them out of the server's log, even when they fail.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';

SELECT format('CREATE ROLE %I', name)
FROM (VALUES ('nearcast_owner'), ('nearcast_writer'), ('nearcast_reader')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE nearcast_owner NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOLOGIN;
ALTER ROLE nearcast_writer NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    LOGIN PASSWORD :'writer_password';
ALTER ROLE nearcast_reader NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    LOGIN PASSWORD :'reader_password';

SELECT 'CREATE DATABASE nearcast OWNER nearcast_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'nearcast')
\gexec

\connect nearcast
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS nearcast AUTHORIZATION nearcast_owner;
