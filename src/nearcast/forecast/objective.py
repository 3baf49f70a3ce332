"""What the quantile forecaster is fitted to: the pinball loss, over its own tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nearcast.forecast.fit import Data, Epoch, FitSettings, OnEpoch, fit
from nearcast.forecast.losses import pinball_loss_tensor
from nearcast.forecast.model import QuantileForecaster, tensors

if TYPE_CHECKING:
    from pathlib import Path

    from nearcast.forecast.recipes import Recipe
    from nearcast.forecast.windows import Samples


class PinballLoss(nn.Module):
    """The mean pinball loss of (n, k) quantiles against (n,) outcomes.

    Parameters
    ----------
    levels
        (k,) levels in (0, 1).
    """

    levels: Tensor

    def __init__(self, levels: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def forward(self, quantiles: Tensor, actual: Tensor) -> Tensor:
        """Return the mean over rows and levels."""
        return pinball_loss_tensor(actual, quantiles, self.levels)


class LogReturnPinballLoss(PinballLoss):
    """`PinballLoss` in log returns, from quantiles and (n,) outcomes of scaled returns, and their (n,) scales."""

    def forward(self, quantiles: Tensor, actual: Tensor, scale: Tensor) -> Tensor:  # type: ignore[override]
        """Return the mean over rows and levels."""
        return pinball_loss_tensor(actual * scale, quantiles * scale[:, None], self.levels)


def fit_settings(recipe: Recipe) -> FitSettings:
    """Return a recipe's settings of the fit."""
    return FitSettings(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        gradient_clip=recipe.gradient_clip,
        seed=recipe.seed,
    )


def data_of(forecaster: QuantileForecaster, samples: Samples) -> Data:
    """Return samples as the forecaster's network and its loss take them."""
    windows, skip, target = tensors(samples, forecaster.scaler)
    return Data((windows, skip), (target,))


def fit_forecaster(
    forecaster: QuantileForecaster, learn: Samples, judge: Samples, workers: int = 1, home: Path | None = None
) -> list[Epoch]:
    """Fit a forecaster's network in place, in this process or, with more workers, with Ray in ``home``."""
    loss, settings = PinballLoss(forecaster.recipe.levels), fit_settings(forecaster.recipe)
    train, validation = data_of(forecaster, learn), data_of(forecaster, judge)
    if workers == 1 or home is None:
        return fit(forecaster.network, loss, train, settings, validation)
    from nearcast.forecast.ray_train import fit_with_workers

    return fit_with_workers(forecaster.network, loss, train, settings, validation, workers, home)


def fit_in_log_returns(
    forecaster: QuantileForecaster, learn: Samples, judge: Samples, on_epoch: OnEpoch
) -> list[Epoch]:
    """Fit as `fit_forecaster` does in this process, with ``validation_loss`` in log returns instead of scaled."""
    levels, judged = forecaster.recipe.levels, data_of(forecaster, judge)
    scale = torch.as_tensor(judge.scale, dtype=torch.float32)
    return fit(
        forecaster.network,
        PinballLoss(levels),
        data_of(forecaster, learn),
        fit_settings(forecaster.recipe),
        Data(judged.inputs, (*judged.targets, scale)),
        on_epoch,
        LogReturnPinballLoss(levels),
    )
