"""The pinball loss of several horizons, as a PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class HorizonPinball(nn.Module):
    """The weighted mean of the horizons' pinball losses; outcomes that are not known yet (NaN) do not count.

    Parameters
    ----------
    levels
        (k,) levels of the quantiles.
    weights
        (horizons,) weights.
    """

    levels: Tensor
    weights: Tensor

    def __init__(self, levels: Sequence[float], weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))

    def forward(self, quantiles: Tensor, actual: Tensor) -> Tensor:
        """Return the loss of (n, horizons, k) quantiles for (n, horizons) outcomes, as a scalar."""
        known = torch.isfinite(actual)
        error = actual.nan_to_num()[..., None] - quantiles
        loss = torch.maximum(self.levels * error, (self.levels - 1) * error).mean(dim=-1)
        return (loss * known * self.weights).sum(dim=1).mean()


class NextSessionPinball(nn.Module):
    """The pinball loss of the next session in log returns, to choose settings by.

    Parameters
    ----------
    levels
        (k,) levels of the quantiles.
    """

    levels: Tensor

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def forward(self, quantiles: Tensor, actual: Tensor, scale: Tensor) -> Tensor:
        """Return the mean loss of (n, horizons, k) quantiles and (n, horizons) outcomes of scaled returns."""
        error = (actual[:, :1] - quantiles[:, 0]) * scale[:, None]
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()
