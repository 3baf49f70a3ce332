"""The packaged Lambda in a bare Python process: its start, and a batch of records.

The process has the package and the standard library, nothing else (`python -I -S`): what an execution
environment of AWS Lambda has, less boto3, which the Lambda does not use.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from statistics import median
from typing import Any

from nearcast.bench.rows import bars
from nearcast.cost.record_sizes import change_record
from nearcast.deploy.artifacts import package_transformer
from nearcast.errors import NearcastError
from nearcast.stream.dynamodb import to_item

RUNTIME = (3, 12)
"""The Lambda's Python."""
CHILD = """
import sys, time
out, sys.stdout = sys.stdout, sys.stderr  # the Lambda prints what it refuses
sys.path.insert(0, sys.argv[1])
import json
import transformer
event = json.load(sys.stdin)
first = transformer.lambda_handler({"records": event["records"][:1]}, None)
ready = time.time()
seconds = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    answer = transformer.lambda_handler(event, None)
    seconds.append(time.perf_counter() - start)
own = {"__main__", "transformer", *sys.stdlib_module_names}
foreign = sorted({name.partition(".")[0] for name in sys.modules} - own)
json.dump({"ready": ready, "seconds": seconds, "records": answer["records"], "foreign": foreign}, out)
"""


def find_runtime() -> Path:
    """Return a Python of the Lambda's version: on PATH, or installed beside the one that runs this.

    Raises NearcastError when there is none.
    """
    name = f"python{RUNTIME[0]}.{RUNTIME[1]}"
    code = f"import sys; sys.exit(sys.version_info[:2] != {RUNTIME})"
    beside = Path(sys.base_prefix).parent.glob(f"*/bin/{name}")
    for candidate in (Path(sys.executable), Path(name), *sorted(beside)):
        try:
            if subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:
                return candidate
        except OSError:
            continue
    raise NearcastError(f"There is no {name} here.", todo=f"Install {name}, the version that the Lambda has.")


def change_records(count: int) -> Iterator[dict[str, Any]]:
    """Yield ``count`` records of Firehose's event, each the INSERT of a real bar as DynamoDB reports it."""
    for number, bar in enumerate(bars(count)):
        image = to_item((*astuple(bar)[:7], number + 1))
        data = json.dumps(change_record(image)).encode()
        yield {"recordId": str(number), "data": base64.b64encode(data).decode()}


def run_bare(python: Path, records: list[dict[str, Any]], times: int) -> dict[str, Any]:
    """Run the package on ``records`` in a bare process.

    Returns the Lambda's answer `records`, `foreign` (modules that are neither its own nor the standard
    library's), `cold_s` (from the start of the process to the answer for one record) and `seconds` of each of
    ``times`` batches.
    """
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "transformer.zip"
        package.write_bytes(package_transformer())
        event = json.dumps({"records": records})
        start = time.time()
        done = subprocess.run(
            [python, "-I", "-S", "-c", CHILD, str(package), str(times)],
            input=event,
            capture_output=True,
            text=True,
            check=True,
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return {**answer, "cold_s": answer.pop("ready") - start}


def bench_transformer(records: int, rounds: int) -> dict[str, Any]:
    """Measure in ``rounds`` new processes; times are medians in milliseconds, with the largest beside them."""
    python = find_runtime()
    batch = list(change_records(records))
    runs = [run_bare(python, batch, times=5) for _ in range(rounds)]
    cold = [run["cold_s"] * 1000 for run in runs]
    handled = [seconds * 1000 for run in runs for seconds in run["seconds"]]
    return {
        "python": ".".join(map(str, RUNTIME)),
        "records": records,
        "cold_ms": {"p50": round(median(cold), 1), "max": round(max(cold), 1)},
        "batch_ms": {"p50": round(median(handled), 1), "max": round(max(handled), 1)},
    }
