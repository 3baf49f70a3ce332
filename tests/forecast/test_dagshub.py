"""With owner, repository and token of DagsHub set, the same runs go there and the champion comes from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import requests
from pydantic import SecretStr

from nearcast.errors import ForecastError
from nearcast.forecast import tracking
from nearcast.forecast.registry import CHAMPION_MODEL, load_champion
from nearcast.forecast.train import train
from nearcast.settings import Settings
from tests.conftest import free_port
from tests.forecast.conftest import TINY
from tests.forecast.dagshub_stand_in import ADMIN, OWNER, REPOSITORY, TOKENS, StandIn, running_dagshub
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"
SET_BY_DAGSHUB = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "DAGSHUB_USER_TOKEN",
    "DAGSHUB_CLIENT_HOST",
)


@pytest.fixture(scope="module")
def dagshub(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Iterator[StandIn]:
    """The stand-in with its MLflow server."""
    with running_dagshub(tmp_path_factory.mktemp("dagshub"), empty_mlflow) as running:
        yield running


@pytest.fixture
def settings(dagshub: StandIn, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Ana's settings, without another MLflow server; what a process keeps of DagsHub is forgotten afterwards."""
    from dagshub.common import config

    for name in SET_BY_DAGSHUB:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(config, "token", None)
    tracking._enter_dagshub.cache_clear()
    dagshub.asked.clear()
    yield home.model_copy(
        update={
            "mlflow_tracking_uri": None,
            "dagshub_owner": OWNER,
            "dagshub_repository": REPOSITORY,
            "dagshub_token": SecretStr(TOKENS["ana"]),
            "dagshub_host": f"{dagshub.host}/",
        }
    )
    tracking._enter_dagshub.cache_clear()
    for name in SET_BY_DAGSHUB:  # so that monkeypatch's own undoing is the last word
        monkeypatch.delenv(name, raising=False)


def test_a_run_goes_there_and_the_champion_is_read_back_by_who_may(
    settings: Settings,
    dagshub: StandIn,
    table: HudiTable,
    netflix: pd.DataFrame,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    table.commit(COMMIT, netflix[:420])
    said: list[str] = []
    report = train(settings, TINY, ["NFLX"], said.append)
    champion = load_champion(settings)
    assert champion.model_version == f"{CHAMPION_MODEL}/{report.model_version}"
    assert report.promotion.decision == "promoted"
    logged = mlflow.pyfunc.load_model(f"models:/{CHAMPION_MODEL}@champion")
    quantiles = logged.unwrap_python_model().forecaster.predict(netflix[:420])
    assert champion.predict(netflix[:420]).tolist() == quantiles.tolist()

    # what the MLflow server itself says, past the stand-in
    def held(call: str, **asked: str) -> dict[str, dict[str, object]]:
        answer = requests.get(f"{dagshub.mlflow}/api/2.0/mlflow/{call}", params=asked, auth=ADMIN, timeout=30)
        document: dict[str, dict[str, object]] = answer.json()
        return document

    run = held("runs/get", run_id=report.run_id)["run"]
    assert {"key": "hudi_commit", "value": COMMIT} in run["data"]["tags"]  # type: ignore[index]
    version = held("registered-models/alias", name=CHAMPION_MODEL, alias="champion")["model_version"]
    assert (version["version"], version["run_id"]) == (report.model_version, report.run_id)

    own = {call for call in dagshub.asked if ".mlflow/" not in call[1]}
    assert own == {("GET", "/api/v1/user"), ("GET", f"/api/v1/repos/{OWNER}/{REPOSITORY}")}
    assert any(dagshub.host in line for line in said)
    everything = "".join([*capfd.readouterr(), *said, caplog.text, repr(settings)])
    assert TOKENS["ana"] not in everything

    ben = settings.model_copy(update={"dagshub_token": SecretStr(TOKENS["ben"])})
    assert load_champion(ben).model_version == champion.model_version
    with pytest.raises(ForecastError, match="failed") as refused:
        take_over(ben, report.model_version)
    assert TOKENS["ben"] not in str(refused.value)
    take_over(settings, report.model_version)


def take_over(settings: Settings, version: str) -> None:
    with tracking.answering(settings):
        tracking.connect(settings).set_registered_model_alias(CHAMPION_MODEL, "champion", version)


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        ({"dagshub_token": SecretStr("a-wrong-token")}, "refused the token"),
        ({"dagshub_repository": "stokcs"}, "has no repository ana/stokcs"),
        ({"dagshub_owner": None}, "NEARCAST_DAGSHUB_OWNER too"),
        ({"dagshub_repository": None, "dagshub_token": None}, "REPOSITORY and NEARCAST_DAGSHUB_TOKEN too"),
        ({"dagshub_host": None}, "does not answer as DagsHub does"),
    ],
    ids=["token", "repository", "owner missing", "two missing", "host"],
)
def test_what_is_wrong_is_one_clear_error_and_nothing_is_made(
    settings: Settings, dagshub: StandIn, changes: dict[str, object], happened: str
) -> None:
    if "dagshub_host" in changes:
        changes = {"dagshub_host": f"http://127.0.0.1:{free_port()}"}
    wrong = settings.model_copy(update=changes)
    with pytest.raises(ForecastError, match=happened) as error:
        load_champion(wrong)
    assert error.value.todo
    assert "a-wrong-token" not in str(vars(error.value))
    assert all(method == "GET" for method, _ in dagshub.asked)
    # the next try asks again
    tracking.connect(settings)


def test_a_token_that_is_revoked_later_is_a_clear_error(
    settings: Settings, dagshub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.connect(settings)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "revoked")
    with pytest.raises(ForecastError, match="failed") as error:
        load_champion(settings)
    assert "Check the token" in error.value.todo
