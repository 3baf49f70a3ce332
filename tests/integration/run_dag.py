"""Runs one DAG in this process with `dag.test()`: ``python -m tests.integration.run_dag DAG_ID CONF``.

Needs Airflow's settings in the environment. The last line on standard output is a JSON document: the states of the
run and of its tasks, and the URIs of the assets that it updated.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    dag_id, conf = sys.argv[1], json.loads(sys.argv[2])
    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    dag = bag.dags[dag_id]
    dag.deadline = None  # Airflow 3.3.2 looks for the stored alert of a DAG that `test` has not stored
    for task in dag.tasks:
        task.retries = 0  # a task that fails here fails again
    run = dag.test(run_conf=conf)
    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == run.run_id)
        assets = [event.asset.uri for event in events]
    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    print("\n" + json.dumps({"state": str(run.state), "tasks": states, "assets": assets}))


if __name__ == "__main__":
    main()
