"""Asking a service whether it is ready."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from nearcast.errors import ServiceError
from nearcast.local.ports import HOST

Check = Callable[[], bool]
_PROBE_TIMEOUT_S = 2.0


def http_answers(port: int, path: str) -> Check:
    """Return a check: GET ``path`` on the loopback ``port`` answers 200."""

    def check() -> bool:
        # http.client and not urllib: HTTP_PROXY is not meant for the loopback address.
        connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False  # refused, reset, too slow, or no HTTP at all: not ready
        finally:
            connection.close()

    return check


def postgres_answers(port: int) -> Check:
    """Return a check: PostgreSQL takes connections on the loopback ``port``."""

    def check() -> bool:
        from nearcast.local.postgres import wait_ready

        try:
            wait_ready(port, timeout=0.0)
        except ServiceError:
            return False
        return True

    return check
