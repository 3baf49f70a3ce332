"""The walk-forward run: no model sees a fold before its time, and a stop costs nothing but the running folds."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nearcast.errors import ForecastError
from nearcast.forecast.backtest import answers
from nearcast.forecast.backtest.code_version import code_version
from nearcast.forecast.backtest.days import forecast_days
from nearcast.forecast.backtest.fold import answer
from nearcast.forecast.backtest.judge import judge
from nearcast.forecast.backtest.losses import common
from nearcast.forecast.backtest.models import CHAMPION, QUICK, chosen_models, model_named, models
from nearcast.forecast.backtest.run import Run, walk_forward
from nearcast.schema import QUANTILE_LEVELS
from tests.forecast.backtest import tiny
from tests.forecast.backtest.conftest import FIRST, NAMES

YEARS = (2021, 2022, 2023)


class Watching(tiny.Normal):
    """Notes what it is given."""

    def fit(self, bars: pd.DataFrame) -> None:
        super().fit(bars)
        self.learnt = bars

    def quantiles(self, bars: pd.DataFrame, wanted: np.ndarray) -> np.ndarray:
        self.seen, self.wanted = bars, wanted
        return super().quantiles(bars, wanted)


@dataclass(frozen=True)
class Scaled(tiny.Normal):
    """A model with a parameter."""

    factor: float = 1.0


def same(one: Run, other: Run) -> bool:
    mine = {model.name: model.quantiles for model in one.models}
    theirs = {model.name: model.quantiles for model in other.models}
    return mine.keys() == theirs.keys() and all(
        mine[name].tobytes() == theirs[name].tobytes() for name in mine
    )


def test_each_fold_learns_from_the_bars_before_it_and_sees_none_after_its_last_day(two: pd.DataFrame) -> None:
    for year, start in zip(YEARS, ("2021-06-01", "2022-01-01", "2023-01-01"), strict=True):
        model = Watching()
        answer(model, two, year, FIRST)
        pd.testing.assert_frame_equal(model.learnt, two[two["date"] < start].reset_index(drop=True))
        wanted = model.seen[model.wanted]
        assert model.seen["date"].max() == wanted["date"].max()
        # as-of days: from the last before the first session on, to the last before the last session
        assert (wanted.groupby("stock_symbol")["date"].min() < start).all()
        assert (wanted["date"] < start).sum() == 2
        assert (wanted["date"] >= f"{year + 1}-01-01").sum() == 0


def test_every_session_is_forecast_once_with_the_returns_that_came(two: pd.DataFrame, run: Run) -> None:
    days = run.days
    for symbol in ("AAPL", "NFLX"):
        mine = two[two["stock_symbol"] == symbol].set_index("date")["close_price"]
        known = (days.symbol == symbol) & ~np.isnat(days.session)
        assert days.session[known].tolist() == [
            day.date() for day in mine.index if day >= pd.Timestamp(FIRST)
        ]
        at = int(np.flatnonzero(known)[100])
        as_of = int(mine.index.searchsorted(pd.Timestamp(days.as_of[at])))
        expected = [np.log(mine.iloc[as_of + h] / mine.iloc[as_of]) for h in range(1, 11)]
        assert days.outcome[at] == pytest.approx(expected, rel=1e-12)
        newest = int(np.flatnonzero(days.symbol == symbol)[-1])
        assert np.isnat(days.session[newest])
        assert np.isnan(days.outcome[newest]).all()
        assert np.isfinite(days.outcome[newest - 3]).tolist() == [True] * 3 + [False] * 7


def test_the_last_close_has_the_quantiles_of_the_past_returns_over_as_many_sessions(
    two: pd.DataFrame,
) -> None:
    wanted = np.zeros(len(two), dtype=bool)
    wanted[[30, 700, 1_200]] = True
    quantiles = model_named("last_close").quantiles(two, wanted)
    close = two["close_price"].to_numpy()
    assert np.isnan(quantiles[0]).all()
    for row, t in ((1, 700), (2, 1_200)):
        for horizon in (1, 4, 10):
            past = np.log(close[horizon : t + 1] / close[: t + 1 - horizon])[-500:]
            assert quantiles[row, horizon - 1] == pytest.approx(np.quantile(past, QUANTILE_LEVELS), rel=1e-9)


def test_one_process_and_another_order_give_the_same(two: pd.DataFrame, run: Run, tmp_path: Path) -> None:
    serial = walk_forward(tmp_path, two, NAMES[::-1], FIRST, jobs=1)
    assert same(run, serial)
    mine, theirs = judge(run), judge(serial)
    by_name = {model["name"]: without_seconds(model) for model in mine["models"]}
    assert {model["name"]: without_seconds(model) for model in theirs["models"]} == by_name
    assert [model["name"] for model in theirs["models"]] == ["prophet", "short", "normal", "last_close"]


def without_seconds(model: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name != "seconds"}


def test_what_is_kept_is_not_answered_again_unless_it_is_asked_for(
    two: pd.DataFrame, run: Run, home_of_run: Path
) -> None:
    started: list[str] = []

    def note(running: Any, done: int, total: int) -> None:
        started.extend(str(task) for task in running)

    assert same(run, walk_forward(home_of_run, two, NAMES, FIRST, progress=note))
    assert started == []
    last = np.datetime64("2023-01-01")
    walk_forward(home_of_run, two, [], last, progress=note)
    assert started == [], "the fold 2023 is the same one whenever the backtest begins"
    walk_forward(home_of_run, two, [], last, fresh=True, progress=note)
    assert started == ["last_close 2023"]


def test_a_change_of_a_bar_is_answered_again_from_its_fold_on(
    two: pd.DataFrame, run: Run, home_of_run: Path
) -> None:
    started: list[str] = []

    def note(running: Any, done: int, total: int) -> None:
        started.extend(str(task) for task in running)

    changed = two.copy()
    later = (changed["date"] == "2022-06-01") & (changed["stock_symbol"] == "AAPL")
    changed.loc[later, "close_price"] *= 1.001
    other = walk_forward(home_of_run, changed, [], FIRST, jobs=1, progress=note)
    assert started == ["last_close 2023", "last_close 2022"]
    mine, theirs = (one.models[-1].quantiles for one in (run, other))
    before = run.days.as_of < np.datetime64("2022-06-01")
    assert mine[before].tobytes() == theirs[before].tobytes()
    assert mine[~before].tobytes() != theirs[~before].tobytes()


def test_the_code_of_a_model_is_its_module_what_that_imports_and_its_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "mine_for_a_test.py"
    file.write_text("class Mine:\n    name = 'mine'\n")
    model = importlib.import_module("mine_for_a_test").Mine()
    first = code_version(model)
    assert code_version(model) == first
    file.write_text("class Mine:\n    name = 'mine'  # changed\n")
    assert code_version(model) != first
    sys.modules.pop("mine_for_a_test")
    assert code_version(Scaled(factor=2.0)) != code_version(Scaled(factor=3.0))


def test_a_change_of_a_module_that_a_model_imports_is_another_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nearcast"
    sources = {
        "schema.py": "from nearcast.inner import used",  # what the model imports
        "inner/__init__.py": "",
        "inner/used.py": "def lazy():\n    import nearcast.late\n",
        "late.py": "",
        "other.py": "",
    }
    for name, text in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr("nearcast.forecast.backtest.code_version.PACKAGE", package)
    model = tiny.Normal()
    first = code_version(model)
    (package / "other.py").write_text("# not imported by it")
    assert code_version(model) == first
    for name in ("late.py", "inner/used.py", "schema.py"):
        before = code_version(model)
        (package / name).write_text(sources[name] + "\n# changed")
        assert code_version(model) != before


def test_a_day_counts_only_where_every_model_answered_that_forecasts_so_far_ahead(
    run: Run, two: pd.DataFrame, verdict: dict[str, Any]
) -> None:
    days = run.days
    rows_of = two.groupby("stock_symbol").cumcount()
    at = pd.MultiIndex.from_arrays([days.symbol, days.as_of.astype("datetime64[ns]")])
    history = rows_of.set_axis(pd.MultiIndex.from_frame(two[["stock_symbol", "date"]])).loc[at].to_numpy()
    expected = np.flatnonzero((history >= 1_250) & ~np.isnat(days.session))
    first, second = common(run, 1), common(run, 2)
    assert first.rows.tolist() == expected.tolist()
    assert 0 < len(expected) < len(days)
    assert first.left_out == len(days) - 2 - len(expected) == verdict["left_out"]
    assert first.unanswered == {"normal": 0, "short": first.left_out, "prophet": 0, "last_close": 0}
    assert len(second.rows) == len(days) - 4
    assert "short" not in second.losses
    assert [one["left_out"] for one in verdict["by_horizon"]] == [first.left_out] + [0] * 9


def test_answers_are_stored_whole(tmp_path: Path) -> None:
    quantiles = np.random.default_rng(0).normal(size=(5, 10, 7))
    kept = answers.Answer(quantiles, 1.5, [{"train_loss": 0.25}])
    answers.save(tmp_path / "a" / "b.npz", kept)
    read = answers.load(tmp_path / "a" / "b.npz")
    assert read.quantiles.tobytes() == quantiles.tobytes()
    assert (read.seconds, read.history) == (1.5, kept.history)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.npz"]


def test_errors_say_what_to_do(two: pd.DataFrame, tmp_path: Path) -> None:
    def fails(names: list[str], first: str, bars: pd.DataFrame = two) -> str:
        with pytest.raises(ForecastError) as caught:
            judge(walk_forward(tmp_path, bars, names, np.datetime64(first)))
        assert caught.value.todo
        return caught.value.happened

    assert "no model 'nonsense'" in fails(["nonsense"], "2023-01-01")
    assert "cannot be made" in fails(["no_such_module:Model"], "2023-01-01")
    assert "Two models have the name normal" in fails(
        [f"{tiny.HERE}:Normal", f"{Watching.__module__}:Watching"], "2023-01-01"
    )
    assert "No session from 2023-04-01 on" in fails([], "2023-04-01")
    assert "at most 251 bars of a symbol before 2018-01-01; the first fit needs 300" in fails(
        [], "2018-01-01"
    )
    assert "A process ended while" in fails([f"{tiny.HERE}:Dying"], "2023-01-01")
    with pytest.raises(ForecastError, match="crossing returned quantiles that cross in the fold 2023"):
        answer(tiny.Crossing(), two, 2023, FIRST)


def test_days_on_which_nothing_can_be_compared_are_an_error(run: Run) -> None:
    silent = replace(run.models[0], quantiles=np.full_like(run.models[0].quantiles, np.nan))
    with pytest.raises(ForecastError, match="no day on which every model answered; normal left all out"):
        judge(replace(run, models=[silent, run.models[-1]]))
    netflix = run.days.symbol == "NFLX"
    still = np.where(netflix[:, None], 0 * run.days.outcome, run.days.outcome)
    with pytest.raises(ForecastError, match="closes of NFLX never change"):
        judge(replace(run, days=replace(run.days, outcome=still)))


def test_forecast_days_leave_out_a_symbol_without_a_session_in_the_range(two: pd.DataFrame) -> None:
    gone = two[(two["stock_symbol"] == "AAPL") | (two["date"] < "2020-01-01")].reset_index(drop=True)
    assert set(forecast_days(gone, FIRST).symbol) == {"AAPL"}


def test_models_are_chosen_once_each_and_all_is_every_one() -> None:
    notes: list[str] = []
    assert chosen_models([], notes.append) == list(QUICK) and {CHAMPION, "last_close"} < set(QUICK)
    assert chosen_models([NAMES[0], "last_close", NAMES[0]], notes.append) == [NAMES[0], "last_close"]
    everything = chosen_models(["all"], notes.append)
    assert set(QUICK) < set(everything) <= set(models())
    assert len(notes) == len(models()) - len(everything)
    assert [model_named(name).name for name in everything] == everything
