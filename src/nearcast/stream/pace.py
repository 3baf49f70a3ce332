"""A row at each tick: pacing that goes on over runs, processes and machines, and makes up for missed ticks.

Ticks are stored with what was published at them, by PostgreSQL's clock. A row is due an interval after the one
before, whoever published that. After a pause of up to `CATCH_UP_S` the ticks that fell due in it are made up at
once, each row with its own; after a longer one, or when nothing was pending, the next row is due at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from nearcast.errors import NearcastError
from nearcast.log import get_logger
from nearcast.settings import Settings
from nearcast.stream.cursor import CATCH_UP_S, Bounds, Change
from nearcast.stream.dynamodb import BATCH
from nearcast.stream.publisher import Progress, Publisher, Stop, never, publisher

POLL_S = 0.2
"""How often a waiting run looks for new rows or tries a server that is away, and asks whether to stop."""
OUTAGE_S = 60.0
"""How long PostgreSQL or DynamoDB may be away before a run gives up."""
log = get_logger("pace")


@dataclass(frozen=True)
class PaceReport:
    """What a paced run did.

    Parameters
    ----------
    published
        Changes that DynamoDB took.
    seconds
        How long the run was.
    lateness_p50_s, lateness_p99_s, lateness_max_s
        Seconds from a tick to the moment its row was written down as published, over the ticks of this run; None
        without one. They are the smallest values that at least so many per cent do not exceed.
    caught_up
        Rows, counted in `published`, of ticks that fell due while no run was ready: between runs, or in an outage
        that was longer than boto3's own retries.
    """

    published: int
    seconds: float
    lateness_p50_s: float | None
    lateness_p99_s: float | None
    lateness_max_s: float | None
    caught_up: int


def publish_paced(
    settings: Settings,
    *,
    rate: float = 1.0,
    symbols: Sequence[str] | None = None,
    seconds: float | None = None,
    limit: int | None = None,
    stop: Stop = never,
    on_progress: Progress | None = None,
) -> PaceReport:
    """Publish one change at each tick, and wait for new ones when none is pending.

    PostgreSQL or DynamoDB may go away for up to `OUTAGE_S`: the run goes on when they are back.

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's; `prices_table` names DynamoDB's table.
    rate
        Ticks a second.
    symbols
        Only these; the ticks that are gone on with are theirs, too.
    seconds, limit
        The run ends after so many seconds, or changes; None: no bound.
    stop
        Asked a few times a second, between steps; the run ends when it says so.
    on_progress
        Called with the number of changes that DynamoDB took since the last call.

    Raises
    ------
    NearcastError
        DynamoDB refused or stayed away; what it took is recorded.
    SourceError
        PostgreSQL failed, or stayed away.
    """
    bounds = Bounds(symbols)
    return pace(settings, bounds, rate=rate, limit=limit, seconds=seconds, stop=stop, on_progress=on_progress)


def pace(
    settings: Settings,
    bounds: Bounds,
    *,
    rate: float,
    limit: int | None,
    seconds: float | None = None,
    wait: bool = True,
    stop: Stop = never,
    on_progress: Progress | None = None,
) -> PaceReport:
    """Publish as `publish_paced` does, within ``bounds``; without ``wait`` end when nothing is pending."""
    if not 0 < rate < math.inf:
        raise NearcastError(
            f"A rate of {rate:g} rows a second publishes nothing.", todo="Name a rate above 0."
        )
    run = _Run(1 / rate, limit, seconds, stop, on_progress)
    while True:
        try:
            with publisher(settings, bounds) as push:
                run.follow(push, wait)
                return run.report()
        except NearcastError as error:
            run.outlast(error)
            if run.ended():
                return run.report()


@dataclass
class Ticks:
    """When the next row is due, by PostgreSQL's clock; all in seconds.

    Parameters
    ----------
    interval
        From one tick to the next.
    next_due
        The next tick, since 1970.
    ahead
        PostgreSQL's clock less this process's monotonic one.
    ready
        When this process came to serve ticks, since 1970: earlier ones are made up for.
    """

    interval: float
    next_due: float
    ahead: float
    ready: float

    @classmethod
    def resumed(cls, push: Publisher, interval: float) -> Ticks:
        """Go on from the stored ticks: an interval after the newest, but not before something was pending."""
        before = time.monotonic()
        now, newest, pending_since = push.cursor.ticks()
        following = now if newest is None else max(newest + interval, pending_since or now)
        return cls(interval, following, now - before, now)

    def now(self) -> float:
        """Return PostgreSQL's time."""
        return time.monotonic() + self.ahead

    def due(self) -> int:
        """Return how many ticks are due, and skip those of too long a pause."""
        late = self.now() - self.next_due
        if late < 0:
            return 0
        if late > CATCH_UP_S:
            self.next_due, late = self.now(), 0.0
        return int(late / self.interval) + 1

    def passed(self, changes: Sequence[Change], asked: float, answered: float) -> None:
        """Note what was published, in a statement between two monotonic times."""
        newest = max(change.due or 0.0 for change in changes)
        self.next_due = max(self.next_due, newest + self.interval)
        pushed = changes[0].pushed
        # The clocks' distance stays as it was unless this statement shows that it cannot be.
        self.ahead = min(max(self.ahead, pushed - answered), pushed - asked)


@dataclass
class _Run:
    """The state of a run, over the connections that it needs."""

    interval: float
    limit: int | None
    seconds: float | None
    stop: Stop
    on_progress: Progress | None
    published: int = 0
    caught_up: int = 0
    lateness: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    worked: bool = False
    away_since: float | None = None

    def ended(self) -> bool:
        """Tell whether a bound was reached, or the caller wants the run to end."""
        if self.limit is not None and self.published >= self.limit:
            return True
        if self.seconds is not None and time.monotonic() - self.started >= self.seconds:
            return True
        return self.stop()

    def follow(self, push: Publisher, wait: bool) -> None:
        """Publish at the ticks until a bound is reached; without ``wait`` until nothing is pending."""
        ticks = Ticks.resumed(push, self.interval)
        while not self.ended():
            due = ticks.due()
            if not due:
                self._sleep(ticks.next_due - ticks.now())
            elif not self._step(push, ticks, due):
                if not wait:
                    return
                self._wait_for_rows(push, ticks)

    def _step(self, push: Publisher, ticks: Ticks, due: int) -> bool:
        """Publish what is due, as much as fits into one batch; return whether anything was pending."""
        most = BATCH if self.limit is None else min(BATCH, self.limit - self.published)
        asked = time.monotonic()
        changes = push.step(min(due, most), self.interval, ticks.next_due)
        self.worked, self.away_since = True, None
        if not changes:
            return False
        ticks.passed(changes, asked, time.monotonic())
        self._count(changes, ticks.ready)
        return True

    def _count(self, changes: Sequence[Change], ready: float) -> None:
        late = [change.pushed - (change.due or 0.0) for change in changes if (change.due or 0.0) >= ready]
        self.lateness += late
        self.caught_up += len(changes) - len(late)
        self.published += len(changes)
        if self.on_progress:
            self.on_progress(len(changes))

    def _wait_for_rows(self, push: Publisher, ticks: Ticks) -> None:
        """Wait until something is pending, which is due at once then."""
        while not self.ended():
            if push.cursor.is_pending():
                ticks.next_due = ticks.now()
                return
            self._sleep(POLL_S)

    def _sleep(self, seconds: float) -> None:
        if self.seconds is not None:
            seconds = min(seconds, self.started + self.seconds - time.monotonic())
        time.sleep(max(0.0, min(seconds, POLL_S)))

    def outlast(self, error: NearcastError) -> None:
        """Wait before the next attempt; raise ``error`` when waiting does not mend it, or has not."""
        now = time.monotonic()
        if self.away_since is None:
            self.away_since = now
            log.warning("waiting", reason=error.happened, at_most_s=OUTAGE_S)
        if not self.worked or not _is_outage(error) or now - self.away_since > OUTAGE_S:
            raise error
        self._sleep(POLL_S)

    def report(self) -> PaceReport:
        """Return what was done."""
        seconds = time.monotonic() - self.started
        late = sorted(self.lateness)
        p50, p99, most = (
            late[math.ceil(share * len(late)) - 1] if late else None for share in (0.5, 0.99, 1)
        )
        return PaceReport(self.published, seconds, p50, p99, most, self.caught_up)


def _is_outage(error: NearcastError) -> bool:
    """Tell whether a server did not answer, or said that it cannot now; a refusal stays one."""
    import psycopg
    from botocore.exceptions import BotoCoreError, ClientError

    cause = error.__cause__
    if isinstance(cause, ClientError):
        return int(cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500
    return isinstance(cause, (psycopg.OperationalError, BotoCoreError))
