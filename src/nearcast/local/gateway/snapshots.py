"""Snapshots of ministack's whole state, written by a forked child while the gateway goes on.

A snapshot is a folder ``state/N``; the file ``state/current`` names the one that counts. It is replaced in one step
after the folder is complete, and only then does what came before it go, so there is always a whole one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from nearcast.local.gateway.wal import WriteAheadLog
from nearcast.log import get_logger

CHILD_S = 120.0
REST = 10
"""So many times as long as a snapshot took, the next one waits: 100,000 rows take 4 s of a core."""
SETTLE_S = 10.0
POLL_S = 0.005
log = get_logger("snapshots")


@dataclass(frozen=True)
class Current:
    """The snapshot that counts: its number, when it was taken (epoch seconds), whether at a clean stop."""

    number: int = 0
    taken_at: float = 0.0
    clean: bool = True


def read_current(state: Path) -> Current:
    """Return the snapshot that counts; number 0 when there is none."""
    try:
        return Current(**json.loads((state / "current").read_text()))
    except FileNotFoundError:
        return Current()


def current_folder(state: Path) -> Path:
    """Return the folder to load; a home from before there were snapshots has its files in ``state`` itself."""
    number = read_current(state).number
    return state / str(number) if number else state


class SnapshotError(Exception):
    """A snapshot could not be written: what waited for it must not be acknowledged."""


class Snapshots:
    """Takes snapshots on the event loop's thread, one at a time.

    Parameters
    ----------
    state
        The folder of the snapshots.
    log
        The log that each snapshot rotates.
    """

    def __init__(self, state: Path, wal: WriteAheadLog) -> None:
        self.state = state
        self.wal = wal
        self.changes = 0
        self.saved = 0
        self.stacks_saved: dict[object, int] = {}
        self.lock = asyncio.Lock()

    def changed(self) -> None:
        """Count a change that the next snapshot has to hold."""
        self.changes += 1

    async def durable(self) -> None:
        """Return once a snapshot holds every change so far. Raises SnapshotError."""
        wanted = self.changes
        async with self.lock:
            # Whoever waited may have been served by the snapshot that it waited for.
            if self.saved < wanted:
                await self._take()

    async def keep(self, every_s: float) -> None:
        """Take a snapshot every ``every_s`` seconds in which something changed, or more rarely when they are long."""
        pause = every_s
        while True:
            await asyncio.sleep(pause)
            if self.saved >= self.changes:
                continue
            began = time.monotonic()
            try:
                await self.durable()
            except Exception:
                # The log goes on; the next round tries again.
                log.exception("snapshot failed")
            pause = max(every_s, REST * (time.monotonic() - began))

    async def _take(self) -> None:
        await self._stacks_settle()
        changes, stacks, taken_at = self.changes, stack_events(), time.time()
        # From here to the fork nothing else runs on the loop: no write falls between log and snapshot.
        number = self.wal.rotate(read_current(self.state).number + 1)
        child = os.fork()
        if child == 0:
            _in_child(self.state, number)
        await _ended(child)
        self._publish(Current(number, taken_at, clean=False))
        self.saved, self.stacks_saved = changes, stacks

    async def _stacks_settle(self) -> None:
        """Wait while a stack is under way: half of one, restored, could be neither used nor finished."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and stacks_under_way():
            await asyncio.sleep(POLL_S)

    def save_at_stop(self) -> None:
        """Write a snapshot in this process: nothing is served any more."""
        number = self.wal.rotate(read_current(self.state).number + 1)
        write_state(self.state, number)
        self._publish(Current(number, time.time(), clean=True))

    def _publish(self, current: Current) -> None:
        temporary = self.state / "current.tmp"
        with temporary.open("w") as stream:
            json.dump(asdict(current), stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.state / "current")
        self.wal.remove_before(current.number)
        for folder in self.state.iterdir():
            if folder.name.isdecimal() and int(folder.name) != current.number:
                shutil.rmtree(folder, ignore_errors=True)


def stack_events() -> dict[object, int]:
    """Return how many events each CloudFormation stack has had: a number that grows with each change."""
    from ministack.services import cloudformation

    return {key: len(events) for key, events in cloudformation._stack_events.all_items()}


def stacks_under_way() -> bool:
    """Tell whether CloudFormation is working on a stack."""
    from ministack.services import cloudformation

    states = (str(stack.get("StackStatus")) for _, stack in cloudformation._stacks.all_items())
    # A change set that waits for its execution is no work.
    return any(state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS" for state in states)


def write_state(state: Path, number: int) -> None:
    """Write every service's state to ``state/number``. Raises SnapshotError when one cannot be written."""
    from ministack import app
    from ministack.core import persistence
    from ministack.services import lambda_svc

    folder = state / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Read by save_state and by Lambda's get_state, which puts the functions' code beside its own file.
    persistence.STATE_DIR = str(folder)
    lambda_svc.CODE_BLOB_DIR = str(folder / "lambda-blobs")
    for service, get_state in app._build_persistence_save_dict().items():
        held = get_state()
        if held is None:
            continue
        persistence.save_state(service, held)
        if not (folder / f"{service}.json").exists():
            # ministack only logs why.
            raise SnapshotError(f"The state of {service} could not be written")
    _carry_over(current_folder(state), folder)


def _carry_over(old: Path, new: Path) -> None:
    """Copy the state of services that did not come up in this run."""
    for path in old.glob("*.json") if old.is_dir() else ():
        if not (new / path.name).exists():
            shutil.copy2(path, new / path.name)


def _in_child(state: Path, number: int) -> None:
    """Write the snapshot and end at once: no handlers at exit, no finalisers, none of the parent's sockets."""
    status = 1
    try:
        gc.disable()
        # The listening socket must be free for the next gateway, should this one be killed now.
        os.closerange(3, max(int(entry.name) for entry in Path("/dev/fd").iterdir()) + 1)
        write_state(state, number)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


async def _ended(child: int) -> None:
    """Wait for the child. Raises SnapshotError when it failed, or took too long and was killed."""
    deadline = time.monotonic() + CHILD_S
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        await asyncio.sleep(POLL_S)
    if status:
        raise SnapshotError(f"The process that writes the snapshot ended with {status}")
