"""The MLflow server that runs and models go to: that of the settings, or a DagsHub repository's."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError

if TYPE_CHECKING:
    from nearcast.settings import Settings

RETRIES = 2
TIMEOUT_S = 10
DAGSHUB_SETTINGS = ("dagshub_owner", "dagshub_repository", "dagshub_token")


def connect(settings: Settings) -> Any:
    """Point MLflow at the tracking server of the settings and return a client.

    A server that is away is reported after seconds, not after MLflow's default of minutes.

    Raises
    ------
    ForecastError
        DagsHub's settings are not complete, or DagsHub refuses them.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    # no bars between log lines, and no lock file of whatever folder the command runs in beside the model
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    # stdout is for results
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    uri = tracking_uri(settings)
    if uses_dagshub(settings):
        _enter_dagshub(
            settings.dagshub_host.rstrip("/"), *(settings.need(field) for field in DAGSHUB_SETTINGS)
        )
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


def tracking_uri(settings: Settings) -> str:
    """Return the address of the MLflow server; asks nobody.

    Raises
    ------
    ForecastError
        DagsHub's settings are not complete.
    """
    if not uses_dagshub(settings):
        return settings.need("mlflow_tracking_uri")
    owner, repository = settings.need("dagshub_owner"), settings.need("dagshub_repository")
    return f"{settings.dagshub_host.rstrip('/')}/{owner}/{repository}.mlflow"


def uses_dagshub(settings: Settings) -> bool:
    """Tell whether owner, repository and token of DagsHub are set.

    Raises
    ------
    ForecastError
        Some of the three are, and some are not.
    """
    missing = [field for field in DAGSHUB_SETTINGS if getattr(settings, field) is None]
    if missing and len(missing) < len(DAGSHUB_SETTINGS):
        raise ForecastError(
            f"DagsHub needs {' and '.join(f'NEARCAST_{field.upper()}' for field in missing)} too.",
            kept="Nothing was sent anywhere.",
            todo="Set owner, repository and token, or none of them.",
        )
    return not missing


@lru_cache(maxsize=1)  # what it sets is the process's: other settings have to set it again
def _enter_dagshub(host: str, owner: str, repository: str, token: str) -> None:
    """Check token and repository, once a process, and give MLflow the token's user and the token.

    `dagshub.init` would make a repository that is not there, and ask a person for a token that it lacks:
    a misspelt name must do neither.
    """
    os.environ["DAGSHUB_USER_TOKEN"], os.environ["DAGSHUB_CLIENT_HOST"] = token, host
    import dagshub
    import httpx
    from dacite import DaciteError
    from dagshub.common import config
    from dagshub.common.api.repo import RepoAPI, RepoNotFoundError

    # read from the environment when it was imported, which may be long ago
    config.set_host(host)
    config.token, config.quiet = token, True
    name = f"{owner}/{repository}"
    try:
        RepoAPI(name, host=host).get_repo_info()
        dagshub.init(repo_owner=owner, repo_name=repository, host=host, mlflow=True)
    except RepoNotFoundError:
        raise _refused(f"{host} has no repository {name} that this token may see.") from None
    except RuntimeError as error:
        raise _refused(f"{host} refused the token, or {name}: {error}") from None
    except (httpx.HTTPError, DaciteError, ValueError) as error:
        raise _refused(f"{host} does not answer as DagsHub does: {error}") from error


def _refused(happened: str) -> ForecastError:
    return ForecastError(
        happened,
        kept="Nothing was sent, and no repository was made.",
        todo="Check NEARCAST_DAGSHUB_OWNER, _REPOSITORY, _TOKEN and _HOST, or unset them.",
    )


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Turn MLflow's failures within this block into a ForecastError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        dagshub = uses_dagshub(settings)
        raise ForecastError(
            f"MLflow at {tracking_uri(settings)} failed: {str(error).splitlines()[0][:300]}",
            kept="The champion is the one it was.",
            todo="Check the token and its rights on DagsHub, then try again."
            if dagshub
            else "See `nearcast status`, start it with `nearcast up`, then try again.",
        ) from error
