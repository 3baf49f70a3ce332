"""Write Hudi tables of two commits with Spark and the Glue job's own upsert: ``make_hudi_table FOLDER ROWS``.

ROWS is a JSON file: of ``copy-on-write`` and ``merge-on-read`` the commits, each a list of rows in the order of the
job's SPARK_SCHEMA. In FOLDER is then a table of each type.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path

from nearcast.lake import hudi_job
from nearcast.local import spark_host


def main() -> None:
    """Make the table."""
    folder, rows = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    # The session is told of an S3 that nothing here calls: the table is written to the folder.
    os.environ.update(
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
    )
    spark = spark_host.session(folder)
    for table_type, commits in rows.items():
        kind = table_type.upper().replace("-", "_")
        job = hudi_job.Job("", (folder / table_type).as_uri(), "", "prices", table_type=kind)
        for commit in commits:
            hudi_job.upsert(
                spark, job, [(row[0], date.fromisoformat(row[1]), *row[2:], {}) for row in commit]
            )
    spark.stop()


if __name__ == "__main__":
    main()
