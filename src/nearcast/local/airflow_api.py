"""The few calls to Airflow's API (airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html) made here."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nearcast.errors import ServiceError
from nearcast.local.airflow import USER
from nearcast.local.home import kept_ports
from nearcast.local.ports import HOST
from nearcast.local.secrets import load_secrets

TIMEOUT_S = 30.0
EARLIER = timedelta(days=1)


class AirflowApi:
    """Airflow's API server of one home, entered with the generated password.

    Raises
    ------
    ServiceError
        It does not answer, or refuses.
    """

    def __init__(self, home: Path) -> None:
        self.port = kept_ports(home)["airflow"]
        self.headers = {"content-type": "application/json"}
        login = {"username": USER, "password": load_secrets(home).airflow_admin}
        self.headers["authorization"] = f"Bearer {self._call('POST', '/auth/token', login)['access_token']}"

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether the DAG processor has read this DAG already."""
        return bool(self._call("GET", f"/api/v2/dags?dag_id_pattern={quote(dag_id)}")["total_entries"])

    def pause(self, dag_id: str) -> None:
        """Pause a DAG, and end its runs: those under way would go on otherwise."""
        dag = f"/api/v2/dags/{quote(dag_id)}"
        self._call("PATCH", dag, {"is_paused": True})
        for state in ("running", "queued"):
            for run in self._call("GET", f"{dag}/dagRuns?state={state}")["dag_runs"]:
                self._call("PATCH", f"{dag}/dagRuns/{quote(run['dag_run_id'])}", {"state": "failed"})

    def start(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run of a continuous DAG with ``conf`` and return its id; the DAG's own runs follow it."""
        self.pause(dag_id)
        dag = f"/api/v2/dags/{quote(dag_id)}"
        # Queued runs start in the order of run_after: this one before the DAG's own.
        now = datetime.now(UTC)
        run_id, run_after = f"nearcast__{now.isoformat()}", (now - EARLIER).isoformat()
        request = {"dag_run_id": run_id, "logical_date": None, "run_after": run_after, "conf": conf}
        self._call("POST", f"{dag}/dagRuns", request)
        self._call("PATCH", dag, {"is_paused": False})
        return run_id

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        answer = self._call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")
        return str(answer["state"])

    def task_starts(self, dag_id: str) -> list[float]:
        """Return when the newest tries of the tasks of every run of a DAG started (epoch seconds)."""
        answer = self._call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns/~/taskInstances")
        started = (item["start_date"] for item in answer["task_instances"])
        return [datetime.fromisoformat(moment).timestamp() for moment in started if moment]

    def _call(self, method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
        # http.client and not urllib: HTTP_PROXY is not meant for the loopback address.
        connection = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT_S)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, self.headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(
                f"Airflow's API server does not answer: {error}",
                kept="What was published stays.",
                todo="See `nearcast status` and the log airflow-api-server.",
            ) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise ServiceError(f"Airflow refused {method} {path}: {response.status} {content[:300]!r}")
        answer: dict[str, Any] = json.loads(content)
        return answer
