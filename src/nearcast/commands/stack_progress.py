"""How far a stack is, on stderr: a line that changes on a terminal, a note now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nearcast.deploy.connection import Progress
    from nearcast.output import Output

NOTE_EVERY_S = 10.0


class StackProgress:
    """Shows progress while it is open as a context.

    Parameters
    ----------
    output
        Where it is shown.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._status: Any = None
        self._noted = time.monotonic()

    def __enter__(self) -> StackProgress:
        """Show nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far a stack is; nothing any more when it has ended, so that a question can be asked."""
        if progress.ended:
            self._stop()
            return
        current = f", in work: {progress.current}" if progress.current else ""
        text = f"{progress.stack}: {progress.done} of {progress.total} resources{current}"
        if not self._output.people.is_terminal:
            if time.monotonic() - self._noted > NOTE_EVERY_S:
                self._noted = time.monotonic()
                self._output.note(text)
        elif self._status is None:
            self._status = self._output.people.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
