"""Slow values, computed in a thread of their own, so that no refresh of the page waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from nearcast.log import get_logger

Value = TypeVar("Value")


class Background(Generic[Value]):
    """Holds the last result of ``compute`` and renews it when asked for, at most every ``every_s`` seconds.

    Parameters
    ----------
    compute
        Runs in a thread; it returns its expected failures as values.
    every_s
        Seconds between the starts of two computations.
    """

    def __init__(self, compute: Callable[[], Value], every_s: float) -> None:
        self._compute = compute
        self._every_s = every_s
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._depends_on: object = None
        self._next_start = 0.0
        self._running = False

    def latest(self, depends_on: object = None) -> Value | None:
        """Return the last result at once, None before the first, and renew it in the background when due.

        Parameters
        ----------
        depends_on
            While this equals what it was at the last computation there is nothing to renew; None: there is.
        """
        with self._lock:
            same = depends_on is not None and depends_on == self._depends_on
            if not (same or self._running or time.monotonic() < self._next_start):
                self._running = True
                self._depends_on = depends_on
                self._next_start = time.monotonic() + self._every_s
                threading.Thread(target=self._renew, daemon=True).start()
            return self._value

    def _renew(self) -> None:
        try:
            self._value = self._compute()
        except Exception:
            self._depends_on = None  # so that it is tried again
            get_logger("dashboard").exception("a background computation failed")
        finally:
            self._running = False
