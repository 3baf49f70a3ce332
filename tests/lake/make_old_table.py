"""Write a Hudi table as the job did before deletions, then delete and insert with today's: ``FOLDER``."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

from nearcast.lake import hudi_job
from nearcast.local import spark_host


def row(symbol: str, day: date, version: int, price: float | None = 1.5) -> tuple[Any, ...]:
    """Return one of the job's rows; without a price it is a deletion."""
    values = (None,) * 5 if price is None else (price,) * 4 + (10,)
    return (symbol, day, *values, version, str(day.year), {})


def main() -> None:
    """Make the table: three rows in three partitions, of which the second commit touches one."""
    folder = Path(sys.argv[1])
    # The session is told of an S3 that nothing here calls: the table is written to the folder.
    os.environ.update(
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
    )
    spark = spark_host.session(folder.parent)
    job = hudi_job.Job("", folder.as_uri(), "", "prices")
    first, second = date(2020, 1, 2), date(2021, 1, 4)
    rows = [row("A", first, 1), row("A", second, 2), row("B", first, 3)]
    frame = spark.createDataFrame([one[:-1] for one in rows], hudi_job.SPARK_SCHEMA).coalesce(1)
    frame.write.format("hudi").options(**hudi_job.hudi_options(job)).mode("append").save(job.table_path)
    late, deletion = row("B", first, 2, None), row("A", second, 4, None)
    hudi_job.upsert(spark, job, [late, deletion, row("A", date(2021, 1, 5), 5)])
    spark.stop()


if __name__ == "__main__":
    main()
