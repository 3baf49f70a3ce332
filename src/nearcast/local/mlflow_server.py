"""The MLflow tracking server of one home, in one process.

``python -m nearcast.local.mlflow_server HOME PORT`` serves what ``mlflow server --workers 1`` serves, from
the same application and the same settings. MLflow's own command imports itself three times (command, server,
job runner) and starts seven consumers of a job queue that nothing here uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def server_environment(home: Path) -> dict[str, str]:
    """Return what MLflow's application reads from its environment (names: ``mlflow.server.constants``)."""
    database = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (home / "mlflow" / "artifacts").as_uri(),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def serve(home: Path, port: int) -> None:
    """Make or upgrade the database, then serve on 127.0.0.1:``port`` until SIGTERM."""
    (home / "mlflow" / "artifacts").mkdir(parents=True, exist_ok=True)
    environment = server_environment(home)
    os.environ.update(environment)  # before the import: the application reads it while it is made

    import uvicorn
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    database = environment["_MLFLOW_SERVER_FILE_STORE"]
    initialize_backend_stores(database, database, environment["_MLFLOW_SERVER_ARTIFACT_ROOT"])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def main() -> None:
    """Run from the command line."""
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        sys.exit("usage: python -m nearcast.local.mlflow_server HOME PORT")
    serve(Path(sys.argv[1]).absolute(), int(sys.argv[2]))


if __name__ == "__main__":
    main()
