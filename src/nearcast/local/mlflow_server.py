"""The MLflow tracking server of one home, in one process.

``python -m nearcast.local.mlflow_server HOME PORT`` serves what ``mlflow server --workers 1`` serves, from
the same application and the same settings. MLflow's own command imports itself three times (command, server,
job runner) and starts seven consumers of a job queue that nothing here uses.

Files of runs and models lie on S3, in the stacks' bucket of artifacts; in the home while there are no stacks.
Clients name them ``mlflow-artifacts:/…`` and get them through the server, so that they may move.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from nearcast.local.ports import listen_address
from nearcast.settings import Settings, load_settings

PREFIX = "mlflow"


def local_artifacts(home: Path) -> Path:
    """Return the folder that holds the files while there is no bucket."""
    return home / "mlflow" / "artifacts"


def server_environment(settings: Settings) -> dict[str, str]:
    """Return what MLflow's application reads from its environment (names: ``mlflow.server.constants``)."""
    home, bucket = settings.home, settings.artifacts_bucket
    database = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    destination = f"s3://{bucket}/{PREFIX}" if bucket else local_artifacts(home).as_uri()
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": destination,
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **aws_environment(settings),
    }


def aws_environment(settings: Settings) -> dict[str, str]:
    """Return what MLflow's own S3 client reads from its environment; what is not set is left to boto3's chain."""
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    values = {
        "MLFLOW_S3_ENDPOINT_URL": settings.aws_endpoint_url,
        "AWS_DEFAULT_REGION": settings.aws_region,
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else None,
        "AWS_SESSION_TOKEN": token.get_secret_value() if token else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def move_artifacts(settings: Settings) -> int:
    """Move the files of a home from before it had a bucket to S3; return how many.

    The folder goes when every file is there: after a stop in between, all are put again.
    """
    from nearcast.aws import client

    folder, bucket = local_artifacts(settings.home), settings.need("artifacts_bucket")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        key = f"{PREFIX}/{path.relative_to(folder).as_posix()}"
        client("s3", settings).upload_file(str(path), bucket, key)
    shutil.rmtree(folder, ignore_errors=True)
    return len(files)


def serve(home: Path, port: int) -> None:
    """Make or upgrade the database, then serve on ``port`` of `listen_address` until SIGTERM."""
    settings = load_settings(home)
    (home / "mlflow").mkdir(parents=True, exist_ok=True)
    if settings.artifacts_bucket and (moved := move_artifacts(settings)):
        print(f"moved {moved} files to s3://{settings.artifacts_bucket}/{PREFIX}", file=sys.stderr)
    environment = server_environment(settings)
    os.environ.update(environment)  # before the import: the application reads it while it is made

    import uvicorn
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    database = environment["_MLFLOW_SERVER_FILE_STORE"]
    initialize_backend_stores(database, database, environment["_MLFLOW_SERVER_ARTIFACT_ROOT"])
    uvicorn.run(app, host=listen_address(), port=port, log_level="warning", access_log=False)


def main() -> None:
    """Run from the command line."""
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        sys.exit("usage: python -m nearcast.local.mlflow_server HOME PORT")
    serve(Path(sys.argv[1]).absolute(), int(sys.argv[2]))


if __name__ == "__main__":
    main()
