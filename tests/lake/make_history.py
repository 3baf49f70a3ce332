"""Write Hudi tables with Spark and keep what each commit left: ``make_history FOLDER HISTORIES``.

HISTORIES is a JSON file: by table name, ``merge_on_read`` and the ``commits``, each a list of rows
[symbol, day, version, deleted]. Prices follow from the version. A commit whose index is in ``rolled_back`` is
taken back before the next. FOLDER gets ``<table>/<index>/prices``, the table after each commit; the writer
cleans after each commit, keeps two, and archives soon after.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Any

from nearcast.lake import hudi_job
from nearcast.local import spark_host

EAGER = {
    "hoodie.clean.trigger.max.commits": "1",
    "hoodie.clean.commits.retained": "2",
    "hoodie.keep.min.commits": "4",
    "hoodie.keep.max.commits": "5",
    "hoodie.datasource.write.reconcile.schema": "true",
}
MERGE_ON_READ = {
    "hoodie.datasource.write.table.type": "MERGE_ON_READ",
    "hoodie.compact.inline": "true",
    "hoodie.compact.inline.max.delta.commits": "3",
}
SCHEMA = f"{hudi_job.SPARK_SCHEMA}, {hudi_job.DELETED} boolean"
NEW_COLUMN_FROM = 5
"""Index of the first commit whose rows have another column, ``adjusted_close``."""


def values(symbol: str, day: str, version: int, deleted: bool) -> tuple[Any, ...]:
    """Return a row's values in the order of SCHEMA."""
    bar = (None,) * 5 if deleted else (*(version + part for part in (0.25, 0.5, 0.125, 0.375)), version * 10)
    return (symbol, date.fromisoformat(day), *bar, version, day[:4], deleted)


def write(spark: Any, table: Path, history: dict[str, Any], states: Path) -> None:
    """Write a history's commits, and keep the table after each."""
    job = hudi_job.Job("", table.as_uri(), "", "prices")
    options = hudi_job.hudi_options(job) | EAGER | (MERGE_ON_READ if history["merge_on_read"] else {})
    for index, rows in enumerate(history["commits"]):
        schema, listed = SCHEMA, [values(*row) for row in rows]
        if index >= NEW_COLUMN_FROM:
            schema, listed = f"{SCHEMA}, adjusted_close double", [(*row, float(row[7])) for row in listed]
        frame = spark.createDataFrame(listed, schema).coalesce(1)
        frame.write.format("hudi").options(**options).mode("append").save(job.table_path)
        if index in history["rolled_back"]:
            roll_back(spark, job, options)
        shutil.copytree(table, states / str(index) / "prices", copy_function=link)


def roll_back(spark: Any, job: hudi_job.Job, options: dict[str, str]) -> None:
    """Take back the newest commit."""
    chosen = spark._jvm.java.util.HashMap()
    for name, value in options.items():
        chosen.put(name, value)
    create = spark._jvm.org.apache.hudi.DataSourceUtils.createHoodieClient
    client = create(spark._jsc, "", job.table_path, job.table, chosen)
    timeline = Path(job.table_path.removeprefix("file://")) / ".hoodie"
    assert client.rollback(max(path.stem for path in timeline.glob("*.*commit")))
    client.close()


def link(source: str, target: str) -> None:
    """Link a data file, which never changes; copy a file of the timeline."""
    (shutil.copy2 if ".hoodie" in Path(source).parts else os.link)(source, target)


def main() -> None:
    """Make the tables."""
    folder, histories = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    # The session is told of an S3 that nothing here calls: the tables are written to the folder.
    os.environ.update(
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
    )
    spark = spark_host.session(folder / "work")
    for name, history in histories.items():
        write(spark, folder / "work" / name, history, folder / name)
    spark.stop()


if __name__ == "__main__":
    main()
