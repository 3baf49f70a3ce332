"""`nearcast up`, `down` and `status`: the local services of one home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.output import Output


@click.command()
@click.option("--no-airflow", is_flag=True, help="Without Airflow's four services (1 GB of memory).")
@json_option
def up(no_airflow: bool, as_json: bool) -> None:
    """Start the local services and deploy the stacks; what runs already is left alone.

    PostgreSQL, the gateway that stands in for AWS, the dashboard, MLflow, the followers of the lake and
    of the forecasts, and Airflow. They bind 127.0.0.1 only, keep everything in NEARCAST_HOME (default: .nearcast here),
    and run until `nearcast down`. Ports are chosen free at the first start and kept.

    \b
    Examples:
      nearcast up
      NEARCAST_HOME=/data/second nearcast up       another, independent world
      NEARCAST_DASHBOARD_PORT=8501 nearcast up     set a port (POSTGRES, GATEWAY, MLFLOW, DASHBOARD, AIRFLOW)
      nearcast up --no-airflow                     a quick start; publish with `nearcast publish`
    """
    from nearcast.local.airflow import airflow_login
    from nearcast.local.world import start
    from nearcast.output import Output

    output = Output(as_json)
    settings = start(_home(), note=output.note, airflow=not no_airflow)
    _show(output, settings.home)
    if not no_airflow:
        output.note(airflow_login(settings.home))


@click.command()
@json_option
def down(as_json: bool) -> None:
    """Stop every local service of this home; its data stays.

    \b
    Examples:
      nearcast down
      NEARCAST_HOME=/data/second nearcast down --json
    """
    from nearcast.local.world import stop
    from nearcast.output import Output

    output = Output(as_json)
    home = _home()
    stopped = stop(home, note=output.note)
    output.note(f"stopped {', '.join(stopped)}" if stopped else f"nothing was running in {home}")
    _show(output, home)


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show each local service: its state, process, port and address.

    \b
    Examples:
      nearcast status
      nearcast status --json | jq '.services[] | select(.state != "running")'
    """
    from nearcast.output import Output

    _show(Output(as_json), _home())


def _home() -> Path:
    from nearcast.settings import load_settings

    return load_settings().home


def _show(output: Output, home: Path) -> None:
    from nearcast.local.world import status as states

    services: list[dict[str, Any]] = [
        {"name": s.name, "state": s.state, "pid": s.pid, "port": s.port, "url": s.url} for s in states(home)
    ]

    def render(_: Any) -> None:
        if services:
            output.table(
                str(home), ["service", "state", "process", "port", "address"], map(dict.values, services)
            )
        else:
            output.note(f"No service was ever started in {home}. Run `nearcast up`.")

    output.result({"services": services}, render)
