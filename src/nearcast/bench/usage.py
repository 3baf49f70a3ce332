"""CPU seconds and peak memory of the processes at work, sampled while they run."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

SAMPLE_S = 0.1


@dataclass(frozen=True)
class Usage:
    """CPU seconds spent, and the largest resident memory seen, in megabytes (10⁶ bytes)."""

    cpu_s: float
    peak_rss_mb: float


class Sampler:
    """Samples named processes and their children from its start to its stop.

    Children of the gateway are the Lambda's workers, and forks that write a snapshot. CPU that a process spent
    after its last sample before it ended is not seen.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)
        self.first: dict[tuple[str, int], float] = {}
        self.last: dict[tuple[str, int], float] = {}
        self.peak: defaultdict[str, float] = defaultdict(float)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._sample(starting=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self._sample()

    def watch(self, name: str, pid: int) -> None:
        """Sample one more process."""
        self.pids[name] = pid

    def usage(self) -> dict[str, Usage]:
        """Return what each name's processes used in all."""
        spent: defaultdict[str, float] = defaultdict(float)
        for key, cpu in self.last.items():
            spent[key[0]] += cpu - self.first.get(key, 0.0)
        return {name: Usage(round(cpu, 3), round(self.peak[name], 1)) for name, cpu in spent.items()}

    def _run(self) -> None:
        while not self.ended.wait(SAMPLE_S):
            self._sample()

    def _sample(self, starting: bool = False) -> None:
        import psutil

        resident: defaultdict[str, float] = defaultdict(float)
        for name, pid in list(self.pids.items()):
            try:
                root = psutil.Process(pid)
                family = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            for process in family:
                try:
                    group = _group(name, process) if process.pid != pid else name
                    cpu, memory = sum(process.cpu_times()[:2]), process.memory_info().rss / 1e6
                except psutil.NoSuchProcess:
                    continue
                self.last[group, process.pid] = cpu
                if starting:
                    self.first[group, process.pid] = cpu
                resident[group] += memory
        for group, memory in resident.items():
            self.peak[group] = max(self.peak[group], memory)


def _group(name: str, child: psutil.Process) -> str:
    """Return what a child counts as: a fork that writes a snapshot has the gateway's own command."""
    if name != "gateway":
        return name
    return "lambda" if "_worker.py" in " ".join(child.cmdline()) else "snapshot"
