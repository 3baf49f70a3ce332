"""One trial of a tuning: a configuration of the recipe, fitted and judged on days before the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe
from nearcast.forecast.search_space import configured

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.windows import Samples

SCORE = "validation_pinball_ratio"
CONFIG_TAG = "config"
"""Tag of a trial's run: its configuration as JSON."""
BEST_TAG = "best_run_id"
"""Tag of a tuning's run: the run of its best trial."""
BEST_SCORE = "best_validation_pinball_ratio"
"""The smallest of the epochs so far; the smaller the better."""


@dataclass(frozen=True)
class Parts:
    """Samples to learn from and to be judged on, all before the test."""

    learn: Samples
    judge: Samples


def tuning_parts(bars: pd.DataFrame, recipe: Recipe, before: str | None) -> Parts:
    """Split the samples before the test into those to fit and, the last of them, those to be judged on.

    Parameters
    ----------
    before
        First day of the test, ISO; None: the one of the recipe's own split.

    Raises
    ------
    ForecastError
        When there are fewer than 300 days of samples before the test.
    """
    import numpy as np

    from nearcast.forecast.train import MINIMUM_DAYS
    from nearcast.forecast.windows import samples

    both = recipe.train + recipe.validation
    days = np.unique(samples(bars, recipe).date)
    first_test = np.datetime64(before) if before else days[int(both * len(days))]
    # what comes later is not even there
    everything = samples(bars[bars["date"] < str(first_test)], recipe)
    days = np.unique(everything.date)
    if len(days) < MINIMUM_DAYS:
        raise ForecastError(
            f"Tuning needs {MINIMUM_DAYS} days of samples before {first_test}; there are {len(days)}.",
            todo="Load and publish more history, or name a later day with --before.",
        )
    first = days[int(recipe.train / both * len(days))]
    learn, judge = everything.date < first, everything.date >= first
    return Parts(everything.take(np.flatnonzero(learn)), everything.take(np.flatnonzero(judge)))


def fit_and_report(config: dict[str, Any], bars: pd.DataFrame, recipe: Recipe, before: str | None) -> None:
    """Fit one configuration, and report its score to Ray Tune after each epoch."""
    import numpy as np
    import torch
    from ray import tune

    from nearcast.forecast.evaluate import LEVELS, baseline_quantiles
    from nearcast.forecast.features import MINIMUM_HISTORY, features
    from nearcast.forecast.losses import pinball_loss
    from nearcast.forecast.model import untrained
    from nearcast.forecast.objective import fit_in_log_returns
    from nearcast.forecast.windows import skip_columns

    tried = configured(recipe, config["configuration"])
    parts = tuning_parts(bars, tried, before)
    baseline = baseline_quantiles(bars, parts.judge)
    baseline_loss = float(np.mean(pinball_loss(parts.judge.log_return, baseline, LEVELS)))
    torch.manual_seed(tried.seed)
    forecaster = untrained(tried, parts.learn, skip_columns(features(bars.head(MINIMUM_HISTORY))))
    best = float("inf")

    def report(number: int, epoch: dict[str, float]) -> None:
        nonlocal best
        ratio = epoch["validation_loss"] / baseline_loss
        best = min(best, ratio)
        tune.report(epoch | {SCORE: ratio, BEST_SCORE: best})

    fit_in_log_returns(forecaster, parts.learn, parts.judge, report)
