"""Run the corpus of statements on a real Trino, over the catalog and S3 of a gateway, and record its answers.

``make trino-oracle``; the first time it fetches Trino (821 MB) and a Java for it (30 MB).
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trino_server

from nearcast.errors import NearcastError, ServiceError
from nearcast.output import Output
from tests.conftest import free_port
from tests.local.gateway.athena_client import DATABASE, run
from tests.local.gateway.conftest import REGION, Gateway, make_hudi_table, make_raw_table, running_gateway
from tests.local.gateway.trino_corpus import ANSWERS, KINDS, statements

CATALOG = "awsdatacatalog"
HUDI_CATALOG = "hudi"


def catalogs(gateway: Gateway) -> dict[str, dict[str, str]]:
    """Return the properties of Trino's catalogs, both over the gateway's Glue and S3."""
    shared = {
        "hive.metastore": "glue",
        "hive.metastore.glue.region": REGION,
        "hive.metastore.glue.endpoint-url": gateway.endpoint,
        "hive.metastore.glue.aws-access-key": "000000000000",
        "hive.metastore.glue.aws-secret-key": "local",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": gateway.endpoint,
        "s3.region": REGION,
        "s3.path-style-access": "true",
        "s3.aws-access-key": "000000000000",
        "s3.aws-secret-key": "local",
    }
    hive = {"connector.name": "hive", "hive.hudi-catalog-name": HUDI_CATALOG, **shared}
    return {CATALOG: hive, HUDI_CATALOG: {"connector.name": "hudi", **shared}}


def make_tables(gateway: Gateway, folder: Path) -> None:
    """Make the JSON, Parquet and Hudi tables that the corpus reads."""
    make_raw_table(gateway)
    answer = run(gateway.client("athena"), KINDS)
    if answer.state != "SUCCEEDED":
        raise ServiceError(f"The Parquet table could not be made: {answer.reason}")
    make_hudi_table(gateway, folder)


def record(address: str) -> dict[str, Any]:
    """Run every statement; return the answers in the corpus's order."""
    found = {}
    for place, sql in enumerate(statements(), 1):
        found[sql] = trino_server.query(address, sql, CATALOG, DATABASE)
        if place % 50 == 0:
            print(f"  {place} statements", file=sys.stderr)
    return found


def main() -> None:
    """Record the answers. Exits with 1 when Trino cannot be fetched or started."""
    try:
        trino_server.home(), trino_server.java_home()
        with tempfile.TemporaryDirectory(prefix="nearcast-oracle-") as name:
            folder = Path(name)
            places = {part: folder / part for part in ("gateway", "hudi", "trino")}
            for place in places.values():
                place.mkdir()
            with running_gateway(places["gateway"]) as gateway:
                print("making the tables", file=sys.stderr)
                make_tables(gateway, places["hudi"])
                print("starting Trino", file=sys.stderr)
                with trino_server.running(places["trino"], free_port(), catalogs(gateway)) as address:
                    found = record(address)
    except NearcastError as error:
        Output().error(error)
        sys.exit(1)
    today = datetime.now(UTC).date().isoformat()
    written = {"trino": trino_server.VERSION, "recorded": today, "answers": found}
    lines = json.dumps(written, ensure_ascii=False, indent=0)
    ANSWERS.write_text(lines + "\n")
    errors = sum("error" in answer for answer in found.values())
    print(f"{len(found)} statements, {errors} of them refused by Trino {trino_server.VERSION}: {ANSWERS}")


if __name__ == "__main__":
    main()
