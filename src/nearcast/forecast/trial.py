"""One trial of a tuning: a configuration of the recipe, fitted and judged on days before the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe
from nearcast.forecast.search_space import configured

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from nearcast.forecast.evaluate import HeldOut
    from nearcast.forecast.windows import Samples

SCORE = "validation_pinball_ratio"
CONFIG_TAG = "config"
"""Tag of a trial's run: its configuration as JSON."""
BEST_TAG = "best_run_id"
"""Tag of a tuning's run: the run of its best trial."""
BEST_SCORE = "best_validation_pinball_ratio"
"""The smallest of the epochs so far; the smaller the better."""


VALIDATION_SHARE = 0.15
"""Of the days before the test: the last of them judge the trials."""


def tuning_days(
    bars: pd.DataFrame, recipe: Recipe, before: str | None
) -> tuple[np.datetime64, np.datetime64]:
    """Return the first day that judges the trials, and the first of the test, which no trial sees.

    Parameters
    ----------
    before
        First day of the test, ISO; None: the one of the recipe's own split.

    Raises
    ------
    ForecastError
        When there are fewer than 300 days before the test.
    """
    import numpy as np

    from nearcast.forecast.train import MINIMUM_DAYS

    days = np.unique(bars["date"].to_numpy().astype("datetime64[D]"))
    test = np.datetime64(before) if before else days[int((1 - recipe.test_share) * len(days))]
    days = days[days < test]
    if len(days) < MINIMUM_DAYS:
        raise ForecastError(
            f"Tuning needs {MINIMUM_DAYS} days before {test}; there are {len(days)}.",
            todo="Load and publish more history, or name a later day with --before.",
        )
    return days[int((1 - VALIDATION_SHARE) * len(days))], test


def tuning_parts(bars: pd.DataFrame, recipe: Recipe, before: str | None) -> tuple[Samples, Samples, HeldOut]:
    """Return the samples to learn from, those to be judged on, and the days of the latter.

    Both have the expected volatility of trees that learned from the former. What comes after them is not even there.
    """
    import numpy as np

    from nearcast.forecast.evaluate import held_out
    from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, RangeVolatility
    from nearcast.forecast.windows import samples

    first, test = tuning_days(bars, recipe, before)
    bars = bars[bars["date"] < str(test)].reset_index(drop=True)
    known = bars[bars["date"] < str(first)].reset_index(drop=True)
    learn = samples(known, recipe.window)
    learn = learn.take(np.isfinite(learn.log_return[:, 0]))
    volatility, expected = RangeVolatility.fit(learn, recipe.seed)
    days = held_out(bars, known["date"].max().to_datetime64().astype("datetime64[D]"))
    judge = samples(bars, recipe.window, days.rows)
    judge = judge.with_feature(EXPECTED_VOLATILITY, volatility.predict(judge.features))
    return learn.with_feature(EXPECTED_VOLATILITY, expected), judge, days


def fit_and_report(config: dict[str, Any], bars: pd.DataFrame, recipe: Recipe, before: str | None) -> None:
    """Fit a network of one configuration, and report its score to Ray Tune after each epoch."""
    import numpy as np
    import torch
    from ray import tune

    from nearcast.forecast.evaluate import LEVELS, baseline_quantiles
    from nearcast.forecast.fit import Data, fit
    from nearcast.forecast.horizon_pinball import NextSessionPinball
    from nearcast.forecast.losses import pinball_loss
    from nearcast.forecast.neural import (
        Scaler,
        data,
        fit_settings,
        fresh_networks,
        horizon_loss,
        scale,
        skip_features,
    )
    from nearcast.schema import QUANTILE_LEVELS

    tried = configured(recipe, config["configuration"])
    learn, judge, days = tuning_parts(bars, tried, before)
    _, test = tuning_days(bars, tried, before)
    baseline = baseline_quantiles(bars[bars["date"] < str(test)].reset_index(drop=True), days.rows)
    baseline_loss = float(np.mean(pinball_loss(days.log_return, baseline, LEVELS)))
    scaler = Scaler.fit(skip_features(learn))
    train, validation = data(learn, scaler), data(judge, scaler)
    scales = torch.as_tensor(scale(judge), dtype=torch.float32)
    best = float("inf")

    def report(number: int, epoch: dict[str, float]) -> None:
        nonlocal best
        ratio = epoch["validation_loss"] / baseline_loss
        best = min(best, ratio)
        tune.report(epoch | {SCORE: ratio, BEST_SCORE: best})

    fit(
        fresh_networks(tried, train)[0],
        horizon_loss(train.targets[0]),
        train,
        fit_settings(tried),
        Data(validation.inputs, (*validation.targets, scales)),
        report,
        NextSessionPinball(QUANTILE_LEVELS),
    )
