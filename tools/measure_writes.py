"""Rows a second that the gateway takes through DynamoDB, its CDC and its delivery beside it; prints JSON.

``PYTHONPATH=src python tools/measure_writes.py [ROWS]``, in one checkout and in another.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nearcast.aws import client
from nearcast.deploy import deploy
from nearcast.settings import SERVICES_FILE, Settings, load_settings, write_env_file

PORT = 45671
BATCH = 25


def started(home: Path) -> tuple[subprocess.Popen[bytes], Settings]:
    """Start a gateway with the stacks deployed."""
    environment = {**os.environ, "NEARCAST_HOME": str(home), "NEARCAST_GATEWAY_PORT": str(PORT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "nearcast.local.gateway.server"],
        env={**environment, "NEARCAST_GATEWAY_SPARK": "off", "NEARCAST_LOG_LEVEL": "warning"},
        start_new_session=True,
    )
    address = {"aws_endpoint_url": f"http://127.0.0.1:{PORT}", "aws_access_key_id": "000000000000"}
    write_env_file(home / SERVICES_FILE, {**address, "aws_secret_access_key": "local"})
    time.sleep(5)
    deploy(load_settings(home))
    return process, load_settings(home)


def items(rows: int) -> list[dict[str, Any]]:
    """Return as many items of the prices table, each with its own key."""
    numbers = {name: {"N": "123.45"} for name in ("open_price", "high_price", "low_price", "close_price")}
    days = (f"{1000 + n // 336}-{n // 28 % 12 + 1:02d}-{n % 28 + 1:02d}" for n in range(rows))
    fixed = {**numbers, "volume": {"N": "1000"}, "version": {"N": "1"}, "stock_symbol": {"S": "TIME"}}
    return [{**fixed, "date": {"S": day}} for day in days]


def main() -> None:
    """Write the rows in batches of 25, then a tenth of them one by one."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        process, settings = started(Path(folder))
        try:
            dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
            found, begun = items(rows), time.perf_counter()
            for start in range(0, rows, BATCH):
                requests = [{"PutRequest": {"Item": item}} for item in found[start : start + BATCH]]
                dynamodb.batch_write_item(RequestItems={table: requests})
            batched, begun = time.perf_counter() - begun, time.perf_counter()
            for item in found[: rows // 10]:
                dynamodb.put_item(TableName=table, Item=item)
            single = time.perf_counter() - begun
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    print(json.dumps({"batched_rows_s": round(rows / batched), "single_rows_s": round(rows / 10 / single)}))


if __name__ == "__main__":
    main()
