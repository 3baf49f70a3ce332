"""Everything that runs on one machine for one NEARCAST_HOME: started, looked at, stopped.

`start` returns as soon as prices can flow: PostgreSQL, the gateway with its stacks, the dashboard. MLflow,
the lake's follower, the forecaster and Airflow may still be coming up then; `wait_for` waits for one of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.local import processes
from nearcast.local.airflow import COMPONENTS
from nearcast.local.home import Note, keep_ports, kept_ports, locked, prepare_home, write_services_file
from nearcast.local.launch import (
    START_DEADLINE_S,
    Launcher,
    await_healthy,
    home_supervisor,
    in_parallel,
    launching,
    stop_everything,
)
from nearcast.local.ports import choose_ports, port_variable
from nearcast.local.secrets import Secrets, load_secrets
from nearcast.local.services import WITH_PORT, Service, local_services
from nearcast.local.supervise import Supervisor
from nearcast.settings import Settings, load_settings

FOLLOWERS = ("mlflow", "lake", "forecaster")
"""Started last and not waited for."""
AIRFLOW = tuple(f"airflow-{component}" for component in COMPONENTS)
"""Started after them, when they are wanted."""


@dataclass(frozen=True)
class ServiceStatus:
    """A service as `nearcast status` shows it.

    ``state`` is running (it answers), starting, restarting, failed, stopped, or unsupervised (it lives on
    after its supervisor was killed; `up` and `down` end it).
    """

    name: str
    state: str
    pid: int | None
    port: int | None
    url: str | None


def start(home: Path, *, note: Note, airflow: bool = True) -> Settings:
    """Start what is not running yet of the services of ``home``, with or without Airflow's; deploy the stacks.

    Returns the settings with which to reach them; a second call finds the first one's services.

    Raises
    ------
    ServiceError
        A service does not become ready (its log's last lines are in the message), a port that is set is in
        use, the home cannot be written, or the disk is full. What this call started is stopped again.
    DeployError
        A stack cannot be made.
    """
    home = prepare_home(home)
    _check_spark(note)
    with locked(home, note):
        supervisor = home_supervisor(home, note)
        ports, secrets = _ports(home, supervisor), load_secrets(home)
        write_services_file(home, ports, secrets)
        services = local_services(home, ports)
        with launching(supervisor, services, note) as launcher:
            by_name = {service.name: service for service in services}
            _start_core(home, by_name, secrets, launcher)
            for name in (*FOLLOWERS, *(AIRFLOW if airflow else ())):
                launcher.start(by_name[name])
            if not launcher.started:
                note("everything was running already")
    return load_settings(home)


def _check_spark(note: Note) -> None:
    """Make sure of Java and of Spark's jars now, where their absence can still be told."""
    from nearcast.local.class_data import archive, ensure_archive
    from nearcast.local.jars import DOWNLOAD_BYTES, jars
    from nearcast.local.java import java_home

    java_home()
    said: set[int] = set()

    def progress(done: int) -> None:
        tenth = 10 * done // DOWNLOAD_BYTES
        if tenth not in said:
            said.add(tenth)
            note(f"fetching Spark's jars: {done / 1e6:.0f} of about {DOWNLOAD_BYTES / 1e6:.0f} MB")

    jars(progress=progress)
    if not archive().exists():
        note("archiving Spark's classes, once, so that it starts faster: half a minute")
        try:
            ensure_archive()
        except ServiceError as error:
            note(f"{error} {error.kept}")


def stop(home: Path, *, note: Note = lambda text: None) -> list[str]:
    """Stop every service of ``home`` in reverse order and make sure that none is left; return their names.

    Raises
    ------
    ServiceError
        A process survived even SIGKILL.
    """
    home = home.resolve()
    if not home.is_dir():
        return []
    with locked(home, note):
        names = sorted({*processes.find(home).values()} - {"supervisor"})
        stop_everything(Supervisor(home))
    return names


def status(home: Path) -> list[ServiceStatus]:
    """Return the state of every service of ``home`` as they start; nothing before the first start."""
    home = home.resolve()
    ports = kept_ports(home)
    return service_states(home, local_services(home, ports)) if {*WITH_PORT} <= {*ports} else []


def service_states(home: Path, services: Sequence[Service]) -> list[ServiceStatus]:
    """Return the state of ``services``: from the supervisor, their own health, and the process table."""
    states = Supervisor(home).states()
    orphans = (
        {} if states else {name: pid for pid, name in sorted(processes.find(home).items(), reverse=True)}
    )
    found = []
    for service in services:
        info = states.get(service.name)
        pid = info.pid if info else orphans.get(service.name)
        state = _state(info.state, service) if info else ("unsupervised" if pid else "stopped")
        found.append(ServiceStatus(service.name, state, pid, service.port, service.url))
    return found


def wait_for(home: Path, name: str, timeout: float = START_DEADLINE_S) -> None:
    """Return when the service ``name`` of ``home`` is ready.

    Raises
    ------
    ServiceError
        It failed, was not ready within ``timeout`` seconds, or nothing was ever started in ``home``.
    """
    home = home.resolve()
    ports = kept_ports(home)
    if not {*WITH_PORT} <= {*ports}:
        raise ServiceError(f"No service was started in {home}.", todo="Run `nearcast up` first.")
    service = next(service for service in local_services(home, ports) if service.name == name)
    await_healthy(Supervisor(home), service, timeout)


def _state(said: str, service: Service) -> str:
    if said in ("STARTING", "RUNNING"):
        return "running" if service.healthy is None or service.healthy() else "starting"
    return {"BACKOFF": "restarting", "FATAL": "failed", "UNKNOWN": "failed"}.get(said, "stopped")


def _ports(home: Path, supervisor: Supervisor) -> Mapping[str, int]:
    """Return the ports of the running services, else choose them and keep them."""
    kept = kept_ports(home)
    if not (supervisor.alive() and {*WITH_PORT} <= {*kept}):
        ports = choose_ports(WITH_PORT, kept)
        keep_ports(home, ports)
        return ports
    for name in WITH_PORT:
        variable = port_variable(name)
        if os.environ.get(variable, "").strip() not in ("", str(kept[name])):
            raise ServiceError(
                f"{variable} is {os.environ[variable]}, but {name} runs on port {kept[name]} already.",
                kept="The services run on.",
                todo=f"Run `nearcast down` first, or unset {variable}.",
            )
    return kept


def _start_core(home: Path, services: Mapping[str, Service], secrets: Secrets, launcher: Launcher) -> None:
    """Start PostgreSQL, the gateway and the dashboard side by side; each with what makes it usable."""

    def postgres() -> None:
        from nearcast.local.postgres import create_database, initialise

        if initialise(home, secrets.postgres_superuser):
            launcher.note("made the PostgreSQL cluster")
        service = services["postgres"]
        launcher.start_and_wait(service)
        assert service.port is not None
        create_database(
            service.port, secrets.postgres_superuser, secrets.postgres_writer, secrets.postgres_reader
        )
        launcher.note("PostgreSQL is ready")

    def gateway() -> None:
        from nearcast.deploy import deploy

        launcher.start_and_wait(services["gateway"])
        deploy(load_settings(home), note=launcher.note)
        launcher.note("the gateway is ready and the stacks are deployed")

    def dashboard() -> None:
        launcher.start_and_wait(services["dashboard"])
        launcher.note(f"the dashboard is at {services['dashboard'].url}")

    in_parallel([postgres, gateway, dashboard])
