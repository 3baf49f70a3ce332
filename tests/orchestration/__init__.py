"""Tests of the DAGs apart from the services."""
