"""The Glue job operator for a job that has one slot, and somebody else who uses it too."""

from __future__ import annotations

import time
from typing import Any

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from botocore.exceptions import ClientError

POLL_S = 0.05
TIMEOUT_S = 300.0


class GlueJobSlotOperator(GlueJobOperator):
    """Airflow's own operator, which waits for the job's one slot instead of failing.

    While the local services run, `nearcast lake follow` starts a run whenever objects wait, so the slot is free
    for a moment only.
    """

    def submit_job(self, context: Any) -> str:
        """Start the run as soon as no other is under way; return its id."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return str(super().submit_job(context))
            except ClientError as error:
                refused = error.response["Error"]["Code"]
                if refused != "ConcurrentRunsExceededException" or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)
