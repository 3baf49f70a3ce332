"""The models that a backtest knows by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from nearcast.errors import ForecastError

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Model

REFERENCE = "last_close"
"""What every model is compared with; it is in every backtest."""

CHAMPION = "champion"
"""The recipe that makes the forecasts."""

QUICK = (CHAMPION, REFERENCE, "ewma", "garch_t", "har_t", "har_mix", "lightgbm")
"""What is judged unless models are named: the champion, and the baselines that take seconds."""

ALL = "all"


def models() -> dict[str, Callable[[], Model]]:
    """Return what makes each model, by its name."""
    from nearcast.forecast.backtest.champion import KINDS
    from nearcast.forecast.baselines import baselines

    return {kind.name: kind for kind in KINDS} | dict(baselines())


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
