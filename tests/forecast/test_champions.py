"""The champion changes only for a better model, and goes back step by step."""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from nearcast.cli import cli
from nearcast.errors import ForecastError
from nearcast.forecast import champions, promotion, registry
from nearcast.forecast.bars import COLUMNS
from nearcast.forecast.champions import judge, promote_anyway, promote_if_better, roll_back
from nearcast.forecast.conformal import adapt
from nearcast.forecast.due import training_due
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.registry import CHAMPION_MODEL, load_champion, load_forecaster
from nearcast.forecast.sessions import sessions
from nearcast.forecast.tracking import connect
from nearcast.forecast.windows import samples
from nearcast.schema import QUANTILE_COLUMNS, QUANTILE_LEVELS, SESSIONS_AHEAD
from nearcast.settings import Settings

UNTIL = datetime.date(2015, 5, 20)


@pytest.fixture(scope="module")
def bars(netflix: pd.DataFrame) -> pd.DataFrame:
    """NFLX's first 900 bars: from 2013 to July 2016."""
    return netflix[:900]


@pytest.fixture(scope="module")
def good(tiny_forecaster: QuantileForecaster) -> QuantileForecaster:
    """A forecaster that learned from the first 600 of them."""
    assert tiny_forecaster.trained_until == UNTIL
    return tiny_forecaster


@pytest.fixture(scope="module")
def spoilt(good: QuantileForecaster) -> QuantileForecaster:
    """The same, a part of it three times as wide, and with bands that have not learned of it yet."""
    wide = [one | {"scale_base": one["scale_base"] + np.log(3)} for one in good.mixture.horizons]
    return replace(good, mixture=replace(good.mixture, horizons=wide), calibrated_from=UNTIL)


@pytest.fixture
def add(mlflow_home: Settings, bars: pd.DataFrame) -> Callable[[QuantileForecaster], str]:
    """Registers a forecaster with a run of its own; returns its version."""

    def register(forecaster: QuantileForecaster) -> str:
        client = connect(mlflow_home)
        mlflow.set_experiment("a test")
        with mlflow.start_run():
            return registry.register(forecaster, bars, client)

    return register


def aliases() -> dict[str, str]:
    named = mlflow.MlflowClient().get_registered_model(CHAMPION_MODEL).aliases
    return {alias: str(version) for alias, version in named.items()}


def test_only_a_better_model_replaces_the_champion_and_a_rollback_restores_it(
    mlflow_home: Settings,
    bars: pd.DataFrame,
    good: QuantileForecaster,
    spoilt: QuantileForecaster,
    add: Callable[[QuantileForecaster], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = add(spoilt)
    assert aliases() == {"challenger": first}
    with pytest.raises(ForecastError, match="no champion"):
        load_champion(mlflow_home)
    assert promote_if_better(mlflow_home, CHAMPION_MODEL, first, bars).reason.startswith("the first")
    assert aliases() == {"champion": first}

    double = add(spoilt)
    decision = promote_if_better(mlflow_home, CHAMPION_MODEL, double, bars)
    assert (decision.decision, decision.ratio) == ("challenger", 1.0)
    assert aliases() == {"champion": first, "challenger": double}

    better = add(good)
    assert judge(mlflow_home, CHAMPION_MODEL, better, bars).decision == "promoted"
    assert aliases() == {"champion": first, "challenger": better}
    decision = promote_if_better(mlflow_home, CHAMPION_MODEL, better, bars)
    assert decision.decision == "promoted"
    assert decision.high is not None
    assert decision.high < 1
    days, ratio = unseen(good, spoilt, bars)
    assert decision.days == days
    assert decision.ratio == pytest.approx(ratio, rel=1e-6)
    assert aliases() == {"champion": better, "previous": first}
    version = mlflow.MlflowClient().get_model_version(CHAMPION_MODEL, better)
    run = mlflow.get_run(version.run_id).data
    assert (version.tags["decision"], version.tags["champion"]) == ("promoted", first)
    assert float(version.tags["ratio"]) == run.metrics["promotion_ratio"] == decision.ratio
    assert run.metrics["promotion_days"] == decision.days
    assert run.tags["decision_reason"] == version.tags["reason"] == decision.reason
    assert version.tags["trained_until"] == UNTIL.isoformat()
    assert int(version.tags["complexity"]) == good.complexity

    again = promote_if_better(mlflow_home, CHAMPION_MODEL, better, bars)
    assert (again.decision, aliases()["previous"]) == ("champion", first)
    worse = promote_if_better(mlflow_home, CHAMPION_MODEL, first, bars)
    assert worse.decision == "challenger"
    assert worse.low is not None
    assert worse.low > 1

    assert load_champion(mlflow_home).model_version == f"{CHAMPION_MODEL}/{better}"
    done = roll_back(mlflow_home, CHAMPION_MODEL)
    assert (done.champion, done.replaced) == (first, better)
    assert aliases() == {"champion": first}
    assert load_champion(mlflow_home).predict(bars).tolist() == spoilt.predict(bars).tolist()
    with pytest.raises(ForecastError, match=f"no champion before version {first}"):
        roll_back(mlflow_home, CHAMPION_MODEL)
    assert aliases() == {"champion": first}

    # an alias set by hand is the champion as well, and one deleted is passed over
    forced = promote_anyway(mlflow_home, CHAMPION_MODEL, double, "a try")
    assert (forced.decision, forced.reason) == ("promoted", "forced: a try")
    mlflow.MlflowClient().set_registered_model_alias(CHAMPION_MODEL, "champion", better)
    mlflow.MlflowClient().delete_model_version(CHAMPION_MODEL, double)
    assert roll_back(mlflow_home, CHAMPION_MODEL).champion == first
    with pytest.raises(ForecastError, match="no version 99"):
        promote_anyway(mlflow_home, CHAMPION_MODEL, "99", "a try")

    # the one that stays challenger keeps the next training away for a day
    stub = mlflow_home.model_copy(update={"postgres_dsn": None})
    assert training_due(stub) is None
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: now + 86_500)
        assert f"of version {better}" in str(training_due(stub))


def unseen(one: QuantileForecaster, other: QuantileForecaster, bars: pd.DataFrame) -> tuple[int, float]:
    """Return the number of days after the training, and the ratio of the losses, from the forecasts of all days."""
    every, losses = samples(bars, one.recipe.window), []
    outcome = every.log_return[:, 0]
    after = (every.date >= np.datetime64(UNTIL)) & np.isfinite(outcome)
    for model in (one, other):
        quantiles = model.uncalibrated(every)[:, 0]
        since = every.date >= np.datetime64(model.calibrated_from)
        quantiles[since] = adapt(quantiles[since], outcome[since], 1)
        losses.append(pinball_loss(outcome[after], quantiles[after], np.array(QUANTILE_LEVELS)).sum())
    return int(after.sum()), float(losses[0] / losses[1])


def test_two_that_want_to_be_champion_at_once_are_compared_one_after_the_other(
    mlflow_home: Settings,
    bars: pd.DataFrame,
    good: QuantileForecaster,
    spoilt: QuantileForecaster,
    add: Callable[[QuantileForecaster], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, third = add(spoilt), add(good), add(good)
    promote_anyway(mlflow_home, CHAMPION_MODEL, first, "a start")
    inside, most = [0], [0]

    def slowly(*arguments: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.2)
        inside[0] -= 1
        return promotion.compare(*arguments)

    monkeypatch.setattr(champions, "compare", slowly)
    decisions = {}

    def promote(version: str) -> None:
        decisions[version] = promote_if_better(mlflow_home, CHAMPION_MODEL, version, bars, good)

    threads = [threading.Thread(target=promote, args=(version,)) for version in (second, third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner, other = sorted(decisions, key=lambda version: decisions[version].decision != "promoted")
    assert decisions[winner].decision == "promoted"
    assert decisions[other].decision == "challenger"  # it met the winner, whose copy it is
    assert decisions[other].champion == winner
    assert most == [1]
    assert aliases()["champion"] == winner


def test_the_logged_model_has_an_example_and_answers_for_each_symbol_and_horizon(
    mlflow_home: Settings,
    all_bars: pd.DataFrame,
    good: QuantileForecaster,
    add: Callable[[QuantileForecaster], str],
) -> None:
    version = add(good)
    logged = mlflow.pyfunc.load_model(f"models:/{CHAMPION_MODEL}/{version}")
    example = logged.input_example
    assert len(example) >= MINIMUM_HISTORY
    answer = logged.predict(example)
    assert answer[list(QUANTILE_COLUMNS)].to_numpy() == pytest.approx(good.predict(example))
    three = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX", "NVDA"])]
    recent = three[three["date"] >= "2019-01-01"]
    ragged = recent[(recent["stock_symbol"] != "NFLX") | (recent["date"] < "2020-01-01")][COLUMNS]
    answer = logged.predict(ragged.sample(frac=1, random_state=1))
    assert list(answer.columns) == [
        "stock_symbol",
        "as_of_date",
        "horizon",
        "date",
        *QUANTILE_COLUMNS,
    ]
    assert answer["stock_symbol"].unique().tolist() == ["AAPL", "NFLX", "NVDA"]
    for symbol, rows in answer.groupby("stock_symbol"):
        mine = ragged[ragged["stock_symbol"] == symbol]
        as_of = mine["date"].max()
        assert rows["horizon"].tolist() == list(range(1, SESSIONS_AHEAD + 1))
        assert rows["as_of_date"].tolist() == [as_of] * SESSIONS_AHEAD
        following = sessions()[sessions() > as_of.to_datetime64()][:SESSIONS_AHEAD]
        assert (rows["date"].to_numpy() == following).all()
        assert rows[list(QUANTILE_COLUMNS)].to_numpy() == pytest.approx(good.predict(mine))
    with pytest.raises(ForecastError, match="no answer for NFLX"):
        logged.unwrap_python_model().predict(None, ragged[ragged["stock_symbol"] == "NFLX"][:59])


def test_a_champion_that_cannot_be_compared_gives_way(
    mlflow_home: Settings,
    bars: pd.DataFrame,
    good: QuantileForecaster,
    add: Callable[[QuantileForecaster], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = add(good), add(good)
    promote_anyway(mlflow_home, CHAMPION_MODEL, old, "a start")
    assert load_forecaster(CHAMPION_MODEL, old).trained_until == UNTIL
    monkeypatch.setattr(QuantileForecaster, "load", classmethod(lambda cls, path: cls(gone=path)))
    decision = promote_if_better(mlflow_home, CHAMPION_MODEL, new, bars, good)
    assert (decision.decision, decision.ratio) == ("promoted", None)
    assert "can no longer make forecasts" in decision.reason
    assert aliases()["champion"] == new
    with pytest.raises(ForecastError, match=f"Version {old} of {CHAMPION_MODEL} cannot be loaded"):
        roll_back(mlflow_home, CHAMPION_MODEL)
    assert aliases()["champion"] == new


def test_the_commands_print_one_document_and_refuse_what_is_not_better(
    mlflow_home: Settings,
    bars: pd.DataFrame,
    good: QuantileForecaster,
    spoilt: QuantileForecaster,
    add: Callable[[QuantileForecaster], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEARCAST_HOME", str(mlflow_home.home))
    monkeypatch.setenv("NEARCAST_MLFLOW_TRACKING_URI", mlflow_home.need("mlflow_tracking_uri"))
    monkeypatch.setattr("nearcast.commands.models._newest_bars", lambda settings: bars)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ("models", *arguments))

    def document(*arguments: str) -> Any:
        return json.loads(run(*arguments, "--json").stdout)

    assert document("list") == {"models": []}
    assert "no challenger" in str(run("compare").exception)
    first, second = add(good), add(spoilt)
    assert document("promote", first)["decision"] == "promoted"
    assert document("promote", first)["decision"] == "champion"
    assert document("compare")["version"] == second
    refused = run("promote", second).exception
    assert document("list")["models"][0]["ratio"] > 1
    assert isinstance(refused, ForecastError)
    assert "was not promoted: worse" in refused.happened
    assert run("promote", second, "--force").exit_code == 2
    assert run("promote", second, "--reason", "x").exit_code == 2
    assert document("promote", second, "--force", "--reason", "a drill")["decision"] == "promoted"
    listed = document("list")["models"]
    assert [(one["version"], one["aliases"]) for one in listed] == [
        (second, ["champion"]),
        (first, ["previous"]),
    ]
    assert (listed[0]["reason"], listed[0]["ratio"]) == ("forced: a drill", None)
    assert document("rollback") == {"champion": first, "replaced": second}
    assert "is champion again" not in run("rollback").stdout  # there is nothing before the first
    assert "champion" in run("list").stdout
    for command in ("list", "compare", "promote", "rollback"):
        assert "Example" in run(command, "--help").stdout
