"""The Spark process of the gateway: kept warm, given scripts to run, one at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nearcast.local.gateway.calls import ACCOUNT
from nearcast.log import get_logger

log = get_logger("spark")


class SparkHost:
    """A child process with a Spark session (nearcast.local.spark_host); a new one when it dies.

    The two talk through the child's standard input and output, a JSON document a line.
    """

    def __init__(self, home: Path, port: int, region: str) -> None:
        self.home = home
        self.port = port
        self.region = region
        self.process: subprocess.Popen[str] | None = None
        self.one_at_a_time = threading.Lock()
        self.starting = threading.Lock()
        self.current: str | None = None
        self.cancelled: set[str] = set()
        self.stopping = False

    def start(self) -> None:
        """Warm a session in the background, unless NEARCAST_GATEWAY_SPARK is ``off`` (then: at first use)."""
        if os.environ.get("NEARCAST_GATEWAY_SPARK") != "off":
            threading.Thread(target=self._ensure, name="gateway-spark-start", daemon=True).start()

    def stop(self) -> None:
        """End the process and everything in its group."""
        self.stopping = True
        self._kill()

    def cancel(self, run_id: str) -> None:
        """End the run ``run_id``: at once when it runs, before it starts when it waits."""
        self.cancelled.add(run_id)
        if self.current == run_id:
            self._kill()

    def run(
        self,
        run_id: str,
        script: Path,
        argv: list[str],
        log_file: Path,
        timeout_s: float,
        on_running: Callable[[], None],
    ) -> tuple[str, str]:
        """Run a script to its end; return Glue's state of the run and its error ("" when none)."""
        with self.one_at_a_time:
            if run_id in self.cancelled:
                return "STOPPED", ""
            process = self._ensure()
            self.current = run_id
            on_running()
            timed_out = threading.Event()

            def expire() -> None:
                timed_out.set()
                self._kill()

            timer = threading.Timer(timeout_s, expire)
            timer.start()
            try:
                answer = self._ask(process, {"script": str(script), "argv": argv, "log": str(log_file)})
            finally:
                timer.cancel()
                self.current = None
            if answer is not None:
                return answer["state"], answer["error"]
            if timed_out.is_set():
                return "TIMEOUT", f"The run took longer than {timeout_s / 60:.0f} minutes"
            code = process.wait()
            self.start()
            return "FAILED", f"The Spark process ended with code {code}; see {log_file.name}"

    def _ask(self, process: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any] | None:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):
            return None
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def _ensure(self) -> subprocess.Popen[str]:
        """Return the running process, started now if there is none; it reports when its session is ready."""
        with self.starting:
            if self.stopping:
                raise RuntimeError("The gateway is stopping")
            if self.process is None or self.process.poll() is not None:
                return self._spawn()
            return self.process

    def _spawn(self) -> subprocess.Popen[str]:
        logs = self.home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "spark.log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "nearcast.local.spark_host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self._environment(),
                start_new_session=True,
            )
        self.process = process
        assert process.stdout
        ready = process.stdout.readline()
        if not ready:
            raise RuntimeError(f"Spark did not start; see {logs / 'spark.log'}")
        log.info("spark session ready", pid=process.pid, **json.loads(ready))
        return process

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NEARCAST_HOME": str(self.home),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": self.region,
        }

    def _kill(self) -> None:
        process = self.process
        if process is None or process.poll() is not None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.info("spark had already ended", pid=process.pid)
        process.wait()
