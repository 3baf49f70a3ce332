"""What the DAGs in dags/ share: settings from Airflow's connection, alerts, the paced publisher's task."""

PRICES_ASSET = "nearcast://lake/prices"
"""The Asset that `refresh_lake` updates once the lake was brought up to date and checked."""
