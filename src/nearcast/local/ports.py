"""Loopback ports: chosen free at the first start, kept for later ones, or set by NEARCAST_<SERVICE>_PORT."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from nearcast.errors import ServiceError

HOST = "127.0.0.1"


def listen_address() -> str:
    """Return the address that servers bind: loopback, or what NEARCAST_LISTEN_ADDRESS says.

    A container sets it, since a port is published from the container's own address and never from its loopback.
    """
    return os.environ.get("NEARCAST_LISTEN_ADDRESS", "").strip() or HOST


def port_variable(service: str) -> str:
    """Return the name of the environment variable that sets the port of ``service``."""
    return f"NEARCAST_{service.upper()}_PORT"


def choose_ports(services: Iterable[str], kept: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for each service: the one that is set, else the one kept, else the system's choice.

    Raises
    ------
    ServiceError
        A port that is set is no port number, is set twice, or is in use; the message names its process.
    """
    names = list(services)
    fixed = {name: port for name in names if (port := _set_port(name)) is not None}
    for name, port in fixed.items():
        _check_set_port(name, port, fixed)
    ports = dict(fixed)
    with ExitStack() as held:
        for name in names:
            if name not in ports:
                taken = set(ports.values())
                old = kept.get(name)
                ports[name] = old if old and old not in taken and is_free(old) else _ask_system(held, taken)
    return ports


def is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket() as probe:
        # As servers do: a connection of an earlier server that is still closing is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def owner(port: int) -> str:
    """Return ``"NAME (process PID)"`` of what listens on ``port``, or ``"another process"``."""
    import psutil

    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        ]
        pid = next(pid for pid in listeners if pid)
        return f"{psutil.Process(pid).name()} (process {pid})"
    except (StopIteration, psutil.Error):
        return "another process"  # of another user, or gone


def _set_port(service: str) -> int | None:
    text = os.environ.get(port_variable(service), "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ServiceError(
            f"{port_variable(service)}={text} is no port number.",
            todo="Set it to 1024 to 65535, or unset it.",
        )
    return int(text)


def _check_set_port(service: str, port: int, fixed: Mapping[str, int]) -> None:
    variable = port_variable(service)
    twins = [port_variable(name) for name, other in fixed.items() if other == port and name != service]
    if twins:
        raise ServiceError(f"{variable} and {twins[0]} are both {port}.", todo="Give each its own port.")
    if not is_free(port):
        raise ServiceError(
            f"Port {port}, which {variable} sets for {service}, is in use by {owner(port)}.",
            kept="Nothing was started.",
            todo=f"Stop that process, set {variable} to a free port, or unset it to have one chosen.",
        )


def _ask_system(held: ExitStack, taken: set[int]) -> int:
    """Return a port of the system's choice; its socket stays open in ``held`` so that no other gets it."""
    while True:
        probe = held.enter_context(socket.socket())
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        if port not in taken:
            return port
