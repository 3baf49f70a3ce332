"""The Hudi job, killed with -9 at random moments: no row lost, repeated or torn, and the next run needs no hand."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from nearcast.aws import client
from nearcast.bench.world import World, throw_away_world
from nearcast.errors import LakeError
from nearcast.lake.counts import RAW_PREFIX
from nearcast.lake.snapshot import read_snapshot
from nearcast.lake.sync import sync
from nearcast.lake.upsert import ACTIVE, run_job, waiting_objects
from nearcast.schema import HUDI_TABLE, PRICE_COLUMNS

SYMBOLS = ("AAA", "BBB", "CCC")
FIRST_DAY = date(2023, 11, 1)
DAYS = 120
ROWS_A_ROUND = 30
POLL_S = 0.005
VISIBILITY_S = "10"
Key = tuple[str, str]
Note = Callable[[str], None]


def bench_kills(kills: int, seed: int, note: Note) -> dict[str, Any]:
    """Kill the job so often, and compare the table with a dictionary after the next run each time.

    Raises
    ------
    LakeError
        A row was lost, repeated or torn, or the run after a kill did not succeed.
    """
    with throw_away_world() as world:
        return _Rounds(world, random.Random(seed), note).run(kills)


class _Rounds:
    def __init__(self, world: World, chance: random.Random, note: Note) -> None:
        self.settings, self.chance, self.note = world.settings, chance, note
        self.s3, self.glue = client("s3", self.settings), client("glue", self.settings)
        self.oracle: dict[Key, dict[str, Any] | None] = {}
        self.version = 0

    def run(self, kills: int) -> dict[str, Any]:
        """Return how many kills found a commit half done, and how long the next runs took."""
        # What a killed run had taken comes back after this; a minute by default.
        client("sqs", self.settings).set_queue_attributes(
            QueueUrl=self.settings.need("raw_queue_url"), Attributes={"VisibilityTimeout": VISIBILITY_S}
        )
        self._put()
        run_job(self.settings)
        self._put()
        started = time.monotonic()
        run_job(self.settings)
        whole = time.monotonic() - started
        self._compare()
        half, repeated, recoveries = 0, 0, []
        for number in range(1, kills + 1):
            self._put()
            self._kill(self.chance.uniform(0, whole))
            half += self._is_half_done()
            repeated += waiting_objects(self.settings)
            started = time.monotonic()
            run_job(self.settings)
            recoveries.append(time.monotonic() - started)
            while waiting_objects(self.settings):
                time.sleep(1)
                run_job(self.settings)
            self._compare()
            self.note(f"kill {number} of {kills}: the table is the oracle's, {len(self.oracle)} keys")
        return {
            "kills": kills,
            "in_the_middle_of_a_commit": half,
            "messages_left_by_killed_runs": repeated,
            "next_run_s": {"max": round(max(recoveries), 1)},
            "lost": 0,
            "repeated": 0,
            "torn": 0,
        }

    def _put(self) -> None:
        """Store a raw object of new rows, corrections, late events and deletions; the oracle takes them in."""
        lines = []
        for _ in range(ROWS_A_ROUND):
            self.version += 1
            symbol = self.chance.choice(SYMBOLS)
            day = (FIRST_DAY + timedelta(days=self.chance.randrange(DAYS))).isoformat()
            version = self.version if self.chance.random() < 0.8 else self.chance.randrange(self.version)
            deleted = self.chance.random() < 0.15
            values = dict.fromkeys((*PRICE_COLUMNS, "volume"))
            if not deleted:
                values = {name: version + 0.25 * place for place, name in enumerate(PRICE_COLUMNS, 1)}
                values["volume"] = version
            line = {"stock_symbol": symbol, "date": day, **values, "version": version, "deleted": deleted}
            lines.append(json.dumps(line))
            self._remember((symbol, day), line)
        key = f"{RAW_PREFIX}year=2023/month=11/{self.version:09d}"
        body = "\n".join(lines).encode()
        self.s3.put_object(Bucket=self.settings.need("raw_bucket"), Key=key, Body=body)

    def _remember(self, key: Key, line: dict[str, Any]) -> None:
        held = self.oracle.get(key)
        rank = (line["version"], line["deleted"])
        if held is None or rank > (held["version"], held["deleted"]):
            self.oracle[key] = line

    def _kill(self, after_s: float) -> None:
        """Start a run, and kill its Spark process so long after it began to work."""
        name = self.settings.need("hudi_job")
        run_id = self.glue.start_job_run(JobName=name)["JobRunId"]
        while self._state(name, run_id) == "STARTING":
            time.sleep(POLL_S)
        time.sleep(after_s)
        # The local BatchStopJobRun is a SIGKILL of the whole Spark process.
        self.glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
        while self._state(name, run_id) in ACTIVE:
            time.sleep(POLL_S)

    def _state(self, name: str, run_id: str) -> str:
        return str(self.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]["JobRunState"])

    def _is_half_done(self) -> bool:
        """Tell whether the timeline ends with a commit that was requested and not completed."""
        prefix = f"{HUDI_TABLE}/.hoodie/"
        listed = self.s3.list_objects_v2(
            Bucket=self.settings.need("hudi_bucket"), Prefix=prefix, Delimiter="/"
        )
        names = [item["Key"].removeprefix(prefix) for item in listed.get("Contents", [])]
        asked = {name.partition(".")[0] for name in names if name.endswith(".commit.requested")}
        return bool(asked - {name.partition(".")[0] for name in names if name.endswith(".commit")})

    def _compare(self) -> None:
        """Raise LakeError unless the table's rows are the oracle's, each once and with its own version's values."""
        sync(self.settings)
        rows = read_snapshot(self.settings).to_pylist()
        found = {(row["stock_symbol"], row["date"].isoformat()): row for row in rows}
        expected = {key: line for key, line in self.oracle.items() if line and not line["deleted"]}
        names = (*PRICE_COLUMNS, "volume", "version")
        wrong = {
            "repeated": len(rows) - len(found),
            "lost": len(expected.keys() - found.keys()),
            "extra": len(found.keys() - expected.keys()),
            "torn": sum(
                any(found[key][name] != expected[key][name] for name in names)
                for key in found.keys() & expected.keys()
            ),
        }
        if any(wrong.values()):
            raise LakeError(f"After a kill the table is not the oracle's: {wrong}.")
