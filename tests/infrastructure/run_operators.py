"""Runs Airflow's operators of the DAG refresh_lake, with their requests recorded.

``python -m tests.infrastructure.run_operators`` needs Airflow's settings and Nearcast's in the environment; its last
line on standard output is a JSON document: [[service, operation, parameters, what is wrong], …].
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from unittest.mock import MagicMock

from tests.infrastructure.recorder import recording

DAG = Path(__file__).parents[2] / "dags" / "refresh_lake.py"


def main() -> None:
    from airflow.providers.amazon.aws.operators.athena import AthenaOperator

    with recording() as recorder:
        from nearcast.orchestration.connection import airflow_settings

        settings = airflow_settings()
        dag = runpy.run_path(str(DAG))
        crawl, repair_partitions, upsert = (dag[name] for name in ("crawl", "repair_partitions", "upsert"))
        context = MagicMock()
        context.get.return_value = None  # no store of what an earlier try has begun
        crawl.crawler_name = settings.need("crawler")
        repair_partitions.database = settings.database
        repair_partitions.workgroup = settings.need("workgroup")
        upsert.job_name = settings.need("hudi_job")
        with recorder.of("LakeOperator"):
            crawl.execute(context)
            repair_partitions.execute(context)
            upsert.execute(context)
            killed = AthenaOperator(
                task_id="t", query="SELECT 1", workgroup=settings.need("workgroup"), sleep_time=1
            )
            killed.execute(context)
            killed.on_kill()
    rows = [[one.service, one.operation, one.parameters, one.wrong] for one in recorder.requests]
    print("\n" + json.dumps(rows, default=str))


if __name__ == "__main__":
    main()
