"""supervisord's configuration file (https://supervisord.org/configuration.html)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from nearcast.local.processes import SERVICE_VARIABLE
from nearcast.local.services import Service


def configuration(services: Iterable[Service], socket: Path) -> str:
    """Return the configuration of one home's supervisor: its socket, its logs, and a program a service.

    No service starts by itself (`nearcast up` decides the order), and each is restarted when it ends. Paths are
    relative to the daemon's working folder, the home: supervisord expands a % in some of them up to three times.
    """
    sections = [
        _section("unix_http_server", file=socket, chmod="0600"),
        _section(
            "supervisord",
            pidfile="supervisor/supervisord.pid",
            logfile="logs/supervisor.log",
            logfile_maxbytes="1MB",
            logfile_backups=1,
            childlogdir="logs",
            identifier="nearcast",
        ),
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    return "\n".join([*sections, *(_program(service) for service in services)])


def _program(service: Service) -> str:
    environment = {**service.environment, SERVICE_VARIABLE: service.name}
    return _section(
        f"program:{service.name}",
        command=shlex.join(service.command),
        directory="/",
        environment=",".join(f'{name}="{value}"' for name, value in sorted(environment.items())),
        priority=service.priority,
        autostart="false",
        autorestart="true",
        startsecs=3,
        startretries=service.start_retries,
        stopsignal=service.stop_signal,
        stopwaitsecs=service.stop_seconds,
        stopasgroup=str(service.stop_signal == "TERM").lower(),
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=f"logs/{service.name}.log",
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=3,
    )


def _section(title: str, **options: object) -> str:
    # A % begins an expansion in supervisord's values.
    lines = [f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items()]
    return "\n".join([f"[{title}]", *lines, ""])
