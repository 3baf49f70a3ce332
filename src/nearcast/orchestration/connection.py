"""Settings whose AWS endpoint and credentials are those of an Airflow connection."""

from __future__ import annotations

from typing import Any

from nearcast.settings import Settings, load_settings

AWS_CONNECTION = "aws_default"


def airflow_settings() -> Settings:
    """Return the settings with the endpoint, region and credentials of Airflow's connection `aws_default`.

    A role that the connection names is assumed by the Amazon provider; its credentials are temporary. Where there is
    no such connection (Amazon MWAA), the provider takes boto3's own chain: the worker's role and region.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    hook = AwsBaseHook(aws_conn_id=AWS_CONNECTION, client_type="sts")
    credentials = hook.get_credentials()
    region = hook.region_name or hook.get_session().region_name
    known: dict[str, Any] = {"aws_region": region} if region else {}
    return load_settings(
        **known,
        aws_endpoint_url=hook.conn_config.endpoint_url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
    )


def setting(field: str) -> str:
    """Return a setting for a template: ``{{ setting('crawler') }}``. Raises NearcastError when it is not set."""
    return load_settings().need(field)
