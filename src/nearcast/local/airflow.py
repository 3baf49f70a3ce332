"""Airflow on one machine: its four services, on the same PostgreSQL, with a role and a database of their own.

``python -m nearcast.local.airflow HOME COMPONENT`` becomes ``airflow COMPONENT`` (api-server, scheduler,
dag-processor, triggerer), with its settings in the environment. The API server brings the database up to date
before it serves; the others wait until it answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.local.health import Check, http_answers
from nearcast.local.home import kept_ports
from nearcast.local.ports import HOST, listen_address
from nearcast.local.secrets import Secrets, load_secrets
from nearcast.settings import load_settings

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DATABASE = "airflow"
ROLE = "nearcast_airflow"
USER = "admin"
PARALLELISM = 4
"""Task processes at a time. Each costs about 100 MB; the default of 32 would keep 32 of them waiting."""
HEARTBEAT_S = 3
LOST_AFTER_S = 15
"""A task whose worker has not been heard of for so long is started again: a killed worker's within 20 s."""
WAIT_S = 300.0
_POLL_S = 0.5


def answers(port: int) -> Check:
    """Return a check: the API server on the loopback ``port`` answers."""
    return http_answers(port, "/api/v2/monitor/health")


def dags_folder() -> Path:
    """Return the folder of the DAGs: in the package when installed from a wheel, else the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "dags"
    return installed if installed.is_dir() else package.parents[1] / "dags"


def create_database(home: Path) -> None:
    """Make Airflow's role and database on the running PostgreSQL of ``home``; safe to repeat.

    Raises
    ------
    ServiceError
        A statement failed.
    """
    from nearcast.local.postgres import run_sql_files, sql_directory

    secrets = load_secrets(home)
    run_sql_files(
        [sql_directory() / "create_airflow.sql"],
        kept_ports(home)["postgres"],
        secrets.postgres_superuser,
        {"NEARCAST_AIRFLOW_PASSWORD": secrets.airflow_postgres},
    )


def environment(home: Path) -> dict[str, str]:
    """Return what Airflow reads from its environment (AIRFLOW__SECTION__KEY, AIRFLOW_CONN_ID)."""
    ports, secrets = kept_ports(home), load_secrets(home)
    folder, url = home / "airflow", f"http://{HOST}:{ports['airflow']}"
    dsn = f"postgresql+psycopg://{ROLE}:{secrets.airflow_postgres}@{HOST}:{ports['postgres']}/{DATABASE}"
    sections: dict[str, dict[str, object]] = {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": PARALLELISM,
            "load_examples": False,
            "dags_folder": dags_folder(),
            "execution_api_server_url": f"{url}/execution/",
            "fernet_key": secrets.airflow_fernet_key,
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": _password_file(home),
        },
        "database": {"sql_alchemy_conn": dsn, "sql_alchemy_conn_async": dsn},
        "api": {
            "host": listen_address(),
            "port": ports["airflow"],
            "base_url": url,
            "workers": 1,
            "secret_key": secrets.airflow_secret_key,
            "instance_name": "Nearcast",
        },
        "api_auth": {"jwt_secret": secrets.airflow_jwt_secret},
        "scheduler": {
            "task_instance_heartbeat_timeout": LOST_AFTER_S,
            "task_instance_heartbeat_timeout_detection_interval": HEARTBEAT_S,
            # What a lost scheduler had running is looked for only so often, and only when it counts as lost.
            "scheduler_heartbeat_sec": HEARTBEAT_S,
            "scheduler_health_check_threshold": 3 * HEARTBEAT_S + 1,
            "orphaned_tasks_check_interval": HEARTBEAT_S,
        },
        # An API server that is away for a minute must not end what runs: a worker gives up after that many.
        "workers": {"min_heartbeat_interval": HEARTBEAT_S, "max_failed_heartbeats": 60 // HEARTBEAT_S},
        "dag_processor": {"min_file_process_interval": 60, "refresh_interval": 10},
        "logging": {"base_log_folder": home / "logs" / "airflow"},
    }
    named = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, values in sections.items()
        for key, value in values.items()
    }
    # Process titles would otherwise be written over the environment, by which a home's processes are found.
    others = {"SPT_NOENV": "1", "AIRFLOW_CONN_AWS_DEFAULT": _aws_connection(home)}
    return {**named, **others, "AIRFLOW_HOME": str(folder)}


def _aws_connection(home: Path) -> str:
    """Return the connection `aws_default`, through which every DAG reaches AWS: here the gateway."""
    settings = load_settings(home)
    return json.dumps(
        {
            "conn_type": "aws",
            "login": settings.need("aws_access_key_id"),
            "password": settings.need("aws_secret_access_key"),
            "extra": {
                "endpoint_url": settings.need("aws_endpoint_url"),
                "region_name": settings.aws_region,
            },
        }
    )


def airflow_login(home: Path) -> str:
    """Return what tells a person how to enter Airflow's page."""
    return f"Airflow's user is {USER}, the password is in {_password_file(home)}"


def _password_file(home: Path) -> Path:
    return home / "airflow" / "passwords.json"


def write_password_file(home: Path, secrets: Secrets) -> None:
    """Write the password of the one user, where Airflow's simple auth manager looks for it."""
    path = _password_file(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump({USER: secrets.airflow_admin}, stream)


def _wait_for_api(port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    answering = answers(port)
    while not answering():
        if time.monotonic() > deadline:
            raise ServiceError(f"Airflow's API server did not answer within {WAIT_S:g} s.")
        time.sleep(_POLL_S)


def prepare(home: Path, component: str) -> None:
    """Do what has to be done before ``airflow COMPONENT`` can run.

    Raises
    ------
    ServiceError
        The database cannot be made, or the API server does not answer.
    """
    if component != "api-server":
        _wait_for_api(kept_ports(home)["airflow"])
        return
    write_password_file(home, load_secrets(home))
    create_database(home)
    migrated, version = home / "airflow" / "migrated", metadata.version("apache-airflow")
    # The check alone takes 5 s, which a killed API server had better spend on serving again.
    if not migrated.exists() or migrated.read_text() != version:
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
        migrated.write_text(version)


def main() -> None:
    """Become a component of Airflow."""
    if len(sys.argv) != 3 or sys.argv[2] not in COMPONENTS:
        sys.exit(f"usage: python -m nearcast.local.airflow HOME {{{','.join(COMPONENTS)}}}")
    home, component = Path(sys.argv[1]).absolute(), sys.argv[2]
    os.environ.update(environment(home))
    try:
        prepare(home, component)
    except (ServiceError, subprocess.CalledProcessError) as error:
        sys.exit(f"airflow {component}: {error}")
    if component == "scheduler":
        subprocess.Popen([sys.executable, "-m", "nearcast.local.airflow_workers", str(os.getpid())])
    # Logs are read from the files; the servers for them would listen on every interface.
    options = ["--skip-serve-logs"] if component in ("scheduler", "triggerer") else []
    os.execv(sys.executable, [sys.executable, "-m", "airflow", component, *options])


if __name__ == "__main__":
    main()
