"""The Glue job operator for a job that has one slot, and somebody else who uses it too."""

from __future__ import annotations

import time
from typing import Any

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from botocore.exceptions import ClientError

POLL_S = 0.1
TIMEOUT_S = 300.0


class GlueJobSlotOperator(GlueJobOperator):
    """Airflow's own operator, which shares the job's one slot instead of failing.

    While the local services run, a continuous run has the slot: then this waits until that one has emptied the
    queue. Behind another drain run it waits for the slot.
    """

    def execute(self, context: Any) -> str:
        """Have the queue emptied; return the run's id, or what did it instead."""
        from nearcast.lake.upsert import has_continuous_run, waiting_objects
        from nearcast.orchestration.connection import airflow_settings

        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return str(super().execute(context))
            except ClientError as error:
                refused = error.response["Error"]["Code"]
                if refused != "ConcurrentRunsExceededException" or time.monotonic() > deadline:
                    raise
            if has_continuous_run(self.hook.conn, self.job_name) and not waiting_objects(airflow_settings()):
                return "the continuous run has emptied the queue"
            time.sleep(POLL_S)
