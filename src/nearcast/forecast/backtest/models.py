"""The models that a backtest knows by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.baselines import last_close_bands
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array, Mask, Model

REFERENCE = "last_close"
"""What every model is compared with; it is in every backtest."""

CHAMPION = "champion"
"""The recipe that makes the forecasts."""

MINIMUM_RETURNS = 60
"""Returns of the past below which the last close has no bands."""


class LastClose:
    """The last close, with bands from the last 500 returns over as many sessions."""

    name = REFERENCE
    horizons = SESSIONS_AHEAD

    def fit(self, bars: pd.DataFrame) -> None:
        """Learn nothing: the bands come from the days before each forecast."""

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return the empirical quantiles of the returns over 1 … 10 sessions up to each day."""
        answer = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        log_close = np.log(bars["close_price"].to_numpy(float))
        for rows in bars.groupby("stock_symbol").indices.values():
            for horizon in range(1, min(self.horizons, len(rows) - MINIMUM_RETURNS) + 1):
                returns = log_close[rows[horizon:]] - log_close[rows[:-horizon]]
                bands = last_close_bands(returns)[MINIMUM_RETURNS - 1 :]
                answer[rows[horizon + MINIMUM_RETURNS - 1 :], horizon - 1] = bands
        return answer[wanted]


QUICK = (REFERENCE,)
"""What is judged unless models are named: the champion, and the baselines that take seconds."""

ALL = "all"


def models() -> dict[str, Callable[[], Model]]:
    """Return what makes each model, by its name."""
    return {REFERENCE: LastClose}


def model_named(name: str) -> Model:
    """Return a new model, not yet fitted: one of `models`, or the class ``module:Class`` of a user's own.

    Raises
    ------
    ForecastError
        When there is none of this name.
    """
    known = models()
    if name in known:
        return known[name]()
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ForecastError(
            f"There is no model {name!r}.",
            todo=f"Choose among {', '.join(known)}, all, and module:Class of a model of your own.",
        )
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ForecastError(
            f"The model {name!r} cannot be made: {error}",
            todo="Name a class without parameters that can be imported, such as my_models:MyModel.",
        ) from error
    return cast("Model", made)


def chosen_models(names: Sequence[str], note: Callable[[str], None]) -> list[str]:
    """Return the names to judge, each once: those named, else `QUICK`; ``all`` is every model that can be made.

    Parameters
    ----------
    note
        Is told why a model of ``all`` cannot be made, such as an extra that is not installed.
    """
    chosen: dict[str, None] = {}
    for name in names or QUICK:
        for one in models() if name == ALL else [name]:
            try:
                model_named(one)
            except ForecastError as error:
                if name != ALL:
                    raise
                note(f"{one} is left out: {error.happened}")
            else:
                chosen[one] = None
    return list(chosen)


def is_leaking(model: Model) -> bool:
    """Return whether a model saw days of the future when it learnt, so that its figures prove nothing."""
    return bool(getattr(model, "leaking", False)) or "levels-shuffled" in model.name
