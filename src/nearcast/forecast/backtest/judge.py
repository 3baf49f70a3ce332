"""The verdict of a backtest: every figure that it reports, as one document of plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.diebold_mariano import daily_means, diebold_mariano
from nearcast.forecast.backtest.direction import direction
from nearcast.forecast.backtest.interval_score import winkler_score
from nearcast.forecast.backtest.losses import BANDS, MEDIAN, Common, Losses, common
from nearcast.forecast.backtest.models import CHAMPION, REFERENCE
from nearcast.forecast.backtest.rolling_coverage import worst_coverage
from nearcast.forecast.bootstrap import ratio_interval
from nearcast.schema import SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.backtest.model import Array
    from nearcast.forecast.backtest.run import Answered, Run

    Document = dict[str, Any]


def judge(run: Run) -> Document:
    """Return the verdict on a backtest.

    All losses are of log returns. The models' figures are of horizon 1, and each of their ratios is taken on
    the same days; ``by_horizon`` has the others.

    Returns
    -------
    dict
        ``models``, ``folds``, ``symbols``, ``days``, ``forecasts``, ``left_out``, ``unanswered`` and
        ``by_horizon``.

    Raises
    ------
    ForecastError
        When there is no day on which every model answered, or a symbol's closes never move.
    """
    first, *later = (common(run, horizon) for horizon in range(1, SESSIONS_AHEAD + 1))
    if not len(first.rows):
        silent = [name for name, days in first.unanswered.items() if days == first.left_out]
        raise ForecastError(
            f"There is no day on which every model answered; {', '.join(silent) or 'together they'} left all out.",
            todo="Leave models out with --model, or load more history.",
        )
    days = run.days
    _check_moves(run, first)
    return {
        "models": [_model(run, model, first) for model in run.models],
        "folds": _folds(run, first),
        "symbols": [str(name) for name in np.unique(days.symbol[first.rows])],
        "days": len(np.unique(days.session[first.rows])),
        "forecasts": len(first.rows),
        "left_out": first.left_out,
        "unanswered": first.unanswered,
        "by_horizon": [_horizon(run, one) for one in (first, *later) if len(one.rows)],
    }


def _check_moves(run: Run, first: Common) -> None:
    """Raise for a symbol against whose last close nothing can be compared."""
    symbol, moved = run.days.symbol[first.rows], run.days.outcome[first.rows, 0] != 0
    still = sorted(set(symbol) - set(symbol[moved]))
    if still:
        raise ForecastError(
            f"The closes of {', '.join(still)} never change; there is nothing to forecast.",
            todo="Correct them, or choose others with --symbol.",
        )


def _folds(run: Run, first: Common) -> list[Document]:
    fold, session = run.days.fold[first.rows], run.days.session[first.rows]
    return [
        {
            "year": int(year),
            "first": str(session[fold == year].min()),
            "last": str(session[fold == year].max()),
            "days": len(np.unique(session[fold == year])),
        }
        for year in np.unique(fold)
    ]


def _model(run: Run, model: Answered, first: Common) -> Document:
    mine, reference = first.losses[model.name], first.losses[REFERENCE]
    days = run.days.as_of[first.rows]
    others = {name: losses for name, losses in first.losses.items() if name != model.name}
    return {
        "name": model.name,
        "leaking": model.leaking,
        **_points(run, mine, first.rows),
        "pinball_loss": float(mine.pinball.mean()),
        "pinball_ratio": _ratio(mine.pinball, reference.pinball, days),
        "pinball_ratios": {name: _ratio(mine.pinball, one.pinball, days) for name, one in others.items()},
        "crps": float(mine.crps.mean()),
        "crps_ratio": _ratio(mine.crps, reference.crps, days),
        "crps_ratios": {name: _ratio(mine.crps, one.crps, days) for name, one in others.items()},
        **_bands(run, mine, reference, first.rows),
        "direction": asdict(direction(mine.actual, mine.quantiles[:, MEDIAN])),
        "diebold_mariano": {
            name: _equal(mine.pinball, others[name].pinball, days)
            for name in (REFERENCE, CHAMPION)
            if name in others
        },
        "by_symbol": _groups(mine, reference, days, run.days.symbol[first.rows]),
        "by_year": _groups(mine, reference, days, run.days.fold[first.rows]),
        "seconds": round(model.seconds, 2),
    }


def _points(run: Run, mine: Losses, rows: npt.NDArray[np.int64]) -> Document:
    """Return errors of the median against those of the last close itself, a return of 0."""
    moved = np.abs(mine.actual)
    last_close, symbol = run.days.last_close[rows], run.days.symbol[rows]
    dollars = last_close * np.abs(np.exp(mine.actual) - np.exp(mine.quantiles[:, MEDIAN]))
    moved_dollars = last_close * np.abs(np.expm1(mine.actual))
    ratio = _ratio(mine.absolute, moved, run.days.as_of[rows])
    return {
        "mae": float(mine.absolute.mean()),
        "mae_ratio": ratio["value"],
        "mae_ratio_low": ratio["low"],
        "mae_ratio_high": ratio["high"],
        "rmse_ratio": float(np.sqrt(mine.squared.mean() / (mine.actual**2).mean())),
        "mase": float(
            np.mean(
                [
                    dollars[symbol == name].sum() / moved_dollars[symbol == name].sum()
                    for name in np.unique(symbol)
                ]
            )
        ),
    }


def _bands(run: Run, mine: Losses, reference: Losses, rows: npt.NDArray[np.int64]) -> Document:
    document: Document = {}
    for percent, (low, high) in BANDS.items():
        score, other = (
            winkler_score(one.actual, one.quantiles[:, low], one.quantiles[:, high], percent / 100)
            for one in (mine, reference)
        )
        inside = mine.inside(percent)
        worst = worst_coverage(inside, run.days.symbol[rows], run.days.session[rows])
        document |= {
            f"coverage{percent}": float(inside.mean()),
            f"worst_coverage{percent}": worst and asdict(worst),
            f"winkler{percent}": float(score.mean()),
            f"winkler{percent}_ratio": _ratio(score, other, run.days.as_of[rows]),
        }
    return document


def _groups(mine: Losses, reference: Losses, days: npt.NDArray[np.datetime64], group: Any) -> list[Document]:
    """Return figures by symbol or by year."""
    return [
        {
            "group": str(name),
            "forecasts": int((group == name).sum()),
            "pinball_ratio": _ratio(
                mine.pinball[group == name], reference.pinball[group == name], days[group == name]
            ),
            "coverage80": float(mine.inside(80)[group == name].mean()),
            "coverage95": float(mine.inside(95)[group == name].mean()),
        }
        for name in np.unique(group)
    ]


def _horizon(run: Run, one: Common) -> Document:
    days, reference = run.days.as_of[one.rows], one.losses[REFERENCE]
    return {
        "horizon": one.horizon,
        "forecasts": len(one.rows),
        "left_out": one.left_out,
        "models": [
            {
                "name": name,
                "pinball_ratio": _ratio(mine.pinball, reference.pinball, days),
                "crps_ratio": float(mine.crps.sum() / reference.crps.sum()),
                "mae_ratio": float(mine.absolute.sum() / np.abs(mine.actual).sum()),
                "coverage80": float(mine.inside(80).mean()),
                "coverage95": float(mine.inside(95).mean()),
                "diebold_mariano": _equal(mine.pinball, reference.pinball, days, one.horizon),
            }
            for name, mine in one.losses.items()
        ],
    }


def _ratio(mine: Array, other: Array, days: npt.NDArray[np.datetime64]) -> Document:
    return asdict(ratio_interval(mine, other, days))


def _equal(mine: Array, other: Array, days: npt.NDArray[np.datetime64], horizon: int = 1) -> Document:
    """Return the test of equal daily mean losses; None for a figure that there is not."""
    test = asdict(diebold_mariano(daily_means(mine, days), daily_means(other, days), horizon))
    return {name: value if np.isfinite(value) else None for name, value in test.items()}
