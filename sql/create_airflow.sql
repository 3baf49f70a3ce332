-- Airflow's own role and database on the same server. Run by psql as a superuser, connected to any database:
--   NEARCAST_AIRFLOW_PASSWORD=… psql -d postgres -f create_airflow.sql
-- Running it again changes nothing but the password.
\set ON_ERROR_STOP on
\getenv airflow_password NEARCAST_AIRFLOW_PASSWORD
SET client_min_messages = warning;
-- The statements below carry a password: keep them out of the server's log, even when they fail.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';

SELECT 'CREATE ROLE nearcast_airflow' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nearcast_airflow')
\gexec

ALTER ROLE nearcast_airflow NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    LOGIN PASSWORD :'airflow_password';
-- What a killed scheduler held must not hold up the next one.
ALTER ROLE nearcast_airflow SET idle_in_transaction_session_timeout = '20s';

SELECT 'CREATE DATABASE airflow OWNER nearcast_airflow'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'airflow')
\gexec

REVOKE ALL ON DATABASE airflow FROM PUBLIC;
