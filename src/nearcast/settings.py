"""The settings of a run: from the environment (NEARCAST_…), then from the files in NEARCAST_HOME.

`nearcast up` writes ``services.env`` (addresses and passwords of local services) and `nearcast deploy`
writes ``stacks.env`` (the outputs of the CloudFormation stacks) there; both are readable by their owner only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from nearcast.errors import NearcastError
from nearcast.schema import DATABASE

SERVICES_FILE = "services.env"
STACKS_FILE = "stacks.env"


class Settings(BaseSettings):
    """Where everything is. Fields without a value are not known yet: ask for them with `need`."""

    model_config = SettingsConfigDict(env_prefix="NEARCAST_", frozen=True, extra="ignore")

    home: Path = Path(".nearcast")
    environment: str = "dev"

    postgres_dsn: SecretStr | None = None
    """Connection string of the writer role: loads, publishes, stores forecasts."""
    postgres_reader_dsn: SecretStr | None = None
    """Connection string of the reader role: the dashboard."""

    target: Literal["local", "aws"] = "local"
    """Where requests may go: `local` to a loopback address only, `aws` to an account."""
    aws_endpoint_url: str | None = None
    """A loopback address: the local gateway. None with the target `aws`: AWS itself."""
    aws_region: str = "us-east-1"
    aws_account_id: str | None = None
    """The account that this home was deployed to; None with the target `local`."""
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    """Of temporary credentials, such as those of an assumed role."""

    prices_table: str | None = None
    stream_name: str | None = None
    delivery_stream: str | None = None
    transformer: str | None = None
    """Name of the delivery stream's Lambda."""
    raw_bucket: str | None = None
    hudi_bucket: str | None = None
    artifacts_bucket: str | None = None
    raw_queue_url: str | None = None
    crawler: str | None = None
    hudi_job: str | None = None
    table_type: Literal["COPY_ON_WRITE", "MERGE_ON_READ"] = "COPY_ON_WRITE"
    """How a new Hudi table keeps changes; one that is there keeps its type."""
    workgroup: str | None = None
    database: str = DATABASE
    """The catalog's."""

    refresh_schedule: str = "*/10 * * * *"
    """When Airflow's `refresh_lake` runs: each start of the crawler and the job is billed in an AWS account."""

    calendar: str = "XNYS"
    """The exchange whose sessions the data checks hold the rows to, by its name in exchange-calendars."""

    report_dates: Path | None = None
    """CSV of the sessions that react to the companies' reports (columns symbol and date); None: inferred."""

    mlflow_tracking_uri: str | None = None
    dagshub_owner: str | None = None
    """With `dagshub_repository` and `dagshub_token`: runs and models go there, and the champion comes from there."""
    dagshub_repository: str | None = None
    dagshub_token: SecretStr | None = None
    dagshub_host: str = "https://dagshub.com"
    dashboard_url: str | None = None
    airflow_url: str | None = None

    def need(self, field: str) -> str:
        """Return a field's value, or raise a NearcastError that says how to get one."""
        value = getattr(self, field)
        if value is None:
            raise NearcastError(
                f"NEARCAST_{field.upper()} is not set, and {self.home} does not name it.",
                todo="Run `nearcast up` (local services and stacks) or `nearcast deploy` first, or set it in the "
                "environment.",
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings of ``home`` (default: NEARCAST_HOME, else ``.nearcast`` in the current folder)."""
    chosen = Path(home or os.environ.get("NEARCAST_HOME") or ".nearcast").absolute()
    files = tuple(chosen / name for name in (SERVICES_FILE, STACKS_FILE))
    return Settings(_env_file=files, home=chosen, **overrides)  # type: ignore[call-arg]


def write_env_file(path: Path, values: dict[str, str]) -> None:
    """Write NEARCAST_* lines to ``path``, readable by its owner only, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.writelines(f"NEARCAST_{name.upper()}='{value}'\n" for name, value in sorted(values.items()))
    temporary.replace(path)
