"""The verdict and the export say the same, and it is what others compute from the export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error  # type: ignore[import-untyped]

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.claims import against, claims
from nearcast.forecast.backtest.export import check_writable, write_export
from nearcast.forecast.backtest.run import Run
from nearcast.schema import QUANTILE_LEVELS

HEADINGS = [f"q{level}" for level in QUANTILE_LEVELS]


@pytest.fixture(scope="module")
def export(run: Run, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The export, as whoever reads the file sees it."""
    path = tmp_path_factory.mktemp("export") / "forecasts.csv"
    rows = write_export(run, path)
    table = pd.read_csv(path, parse_dates=["date"])
    assert len(table) == rows
    assert [file.name for file in path.parent.iterdir()] == ["forecasts.csv"]
    return table


def test_the_export_has_the_promised_columns_and_the_prices_themselves(
    export: pd.DataFrame, two: pd.DataFrame
) -> None:
    assert list(export) == ["symbol", "model", "date", "last_close", "actual", *HEADINGS]
    prices = two.rename(columns={"stock_symbol": "symbol", "close_price": "close"})[
        ["symbol", "date", "close"]
    ]
    prices["before"] = prices.groupby("symbol")["close"].shift()
    joined = export.merge(prices, on=["symbol", "date"], validate="many_to_one")
    assert len(joined) == len(export)
    assert (joined["actual"] == joined["close"]).all()
    assert (joined["last_close"] == joined["before"]).all()
    assert (np.diff(export[HEADINGS].to_numpy(), axis=1) >= 0).all()
    days = [list(rows[["symbol", "date"]].itertuples(index=False)) for _, rows in export.groupby("model")]
    assert all(one == days[0] for one in days), "all models are judged on the same days"


def test_the_figures_can_be_computed_again_from_the_export(
    export: pd.DataFrame, verdict: dict[str, Any]
) -> None:
    losses: dict[str, float] = {}
    for name, rows in export.groupby("model"):
        actual = np.log(rows["actual"] / rows["last_close"])
        quantiles = np.log(rows[HEADINGS].div(rows["last_close"], axis=0))
        model = next(one for one in verdict["models"] if one["name"] == name)
        losses[str(name)] = np.mean(
            [mean_pinball_loss(actual, quantiles[f"q{level}"], alpha=level) for level in QUANTILE_LEVELS]
        )
        assert model["pinball_loss"] == pytest.approx(losses[str(name)], rel=1e-9)
        still = np.zeros(len(actual))
        median = quantiles["q0.5"]
        assert model["mae_ratio"] == pytest.approx(
            mean_absolute_error(actual, median) / mean_absolute_error(actual, still), rel=1e-9
        )
        assert model["rmse_ratio"] == pytest.approx(
            root_mean_squared_error(actual, median) / root_mean_squared_error(actual, still), rel=1e-9
        )
        scaled = [
            (one["actual"] - one["q0.5"]).abs().mean() / (one["actual"] - one["last_close"]).abs().mean()
            for _, one in rows.groupby("symbol")
        ]
        assert model["mase"] == pytest.approx(np.mean(scaled), rel=1e-9)
        for percent, low, high in ((80, "q0.1", "q0.9"), (95, "q0.025", "q0.975")):
            inside = rows["actual"].between(rows[low], rows[high])
            assert model[f"coverage{percent}"] == inside.mean()
            worst = inside.groupby(rows["symbol"]).rolling(125).mean().min()
            found = model[f"worst_coverage{percent}"]
            assert (found is None) == bool(np.isnan(worst))
            assert found is None or found["value"] == pytest.approx(worst)
    for model in verdict["models"]:
        expected = losses[model["name"]] / losses["last_close"]
        assert model["pinball_ratio"]["value"] == pytest.approx(expected, rel=1e-9)


def test_the_verdict_covers_the_folds_the_groups_and_the_horizons(
    verdict: dict[str, Any], export: pd.DataFrame
) -> None:
    days = export["date"].nunique()
    assert verdict["days"] == days == sum(fold["days"] for fold in verdict["folds"])
    assert [fold["year"] for fold in verdict["folds"]] == [2021, 2022, 2023]
    assert verdict["forecasts"] == len(export) / 4
    for model in verdict["models"]:
        for by in ("by_symbol", "by_year"):
            assert sum(one["forecasts"] for one in model[by]) == verdict["forecasts"]
        assert set(model["pinball_ratios"]) == {one["name"] for one in verdict["models"]} - {model["name"]}
    first = {one["name"]: one for one in verdict["by_horizon"][0]["models"]}
    for model in verdict["models"]:
        assert first[model["name"]]["pinball_ratio"] == model["pinball_ratio"]
        assert first[model["name"]]["diebold_mariano"] == model["diebold_mariano"].get(
            "last_close", {"statistic": None, "p_value": None}
        )
    assert [one["horizon"] for one in verdict["by_horizon"]] == list(range(1, 11))


def test_the_last_close_is_one_against_itself(verdict: dict[str, Any]) -> None:
    own = verdict["models"][-1]
    assert own["name"] == "last_close"
    for ratio in ("pinball_ratio", "crps_ratio", "winkler80_ratio", "winkler95_ratio"):
        assert own[ratio] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_sentence_claims_no_more_than_its_interval() -> None:
    def said(low: float, high: float) -> str:
        return against({"value": (low + high) / 2, "low": low, "high": high}, "x", "CRPS").split(" by ")[0]

    assert said(0.90, 0.9999) == "ahead of x"
    assert said(0.90, 1.0) == said(0.95, 1.05) == said(1.0, 1.1) == "in a tie with x"
    assert said(1.0001, 1.1) == "behind x"


def test_of_a_model_that_saw_the_future_nothing_is_claimed(verdict: dict[str, Any]) -> None:
    about = [sentence for sentence in claims(verdict) if sentence.startswith("prophet")]
    assert about == [
        "prophet (leaking) saw days of the future when it learnt: its figures prove nothing.",
    ]
    assert all("prophet (leaking)" in sentence for sentence in claims(verdict) if "prophet" in sentence)


def test_an_export_that_cannot_be_written_is_an_error_before_the_work(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "x.csv"):
        with pytest.raises(ForecastError) as caught:
            check_writable(path)
        assert caught.value.todo
    check_writable(tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
