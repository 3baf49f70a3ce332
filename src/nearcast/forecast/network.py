"""The CNN-BiLSTM: causal convolutions, two bidirectional LSTMs, and a head that also sees the features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from nearcast.forecast.recipes import Recipe

KERNEL = 3
POOL = 2
RESPONSE = 0.3
"""The head's outputs are multiplied by this, so that it starts near the base quantiles and learns slowly."""


class CausalConvolutions(nn.Module):
    """Convolutions with ReLU and max-pooling by two, padded on the left only.

    Unpadded ones would drop the newest days: their gradient is zero on the last six closes.

    Parameters
    ----------
    channels
        Widths, the input's first.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        pairs = pairwise(channels)
        self.layers = nn.ModuleList(nn.Conv1d(narrow, wide, KERNEL) for narrow, wide in pairs)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n, channels, steps) from (n, channels, window); the last step holds the newest day."""
        hidden = windows
        for layer in self.layers:
            left = KERNEL - 1 + hidden.shape[-1] % POOL  # an odd length would leave the newest day unpooled
            hidden = torch.relu(layer(nn.functional.pad(hidden, (left, 0))))
            hidden = nn.functional.max_pool1d(hidden, POOL)
        return hidden


class QuantileHead(nn.Module):
    """Turns outputs into quantiles that do not cross: base quantiles, shifted, with their gaps scaled.

    Parameters
    ----------
    base
        (horizons, k) quantiles of the scaled returns over the training days, ascending; what all-zero outputs
        give.
    """

    base: Tensor

    def __init__(self, base: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.register_buffer("base", torch.tensor(base, dtype=torch.float32))
        self.middle = len(base[0]) // 2

    def forward(self, outputs: Tensor) -> Tensor:
        """Return (n, horizons, k) ascending quantiles from as many outputs: a shift, and k − 1 log-scales of gaps."""
        response = RESPONSE * outputs
        centre = self.base[:, self.middle :][:, :1] + RESPONSE * response[..., :1]
        wider = response[..., 1:]
        common = (wider.sum(dim=-1, keepdim=True) / 2).clamp(-1.5, 1.5)
        gaps = (self.base[:, 1:] - self.base[:, :-1]) * torch.exp(common + wider.clamp(-1, 1))
        below = -gaps[..., : self.middle].flip(-1).cumsum(-1).flip(-1)
        above = gaps[..., self.middle :].cumsum(-1)
        return torch.cat([centre + below, centre, centre + above], dim=-1)


class CnnBiLstm(nn.Module):
    """Quantiles of the scaled returns ahead, from a window of the last days and the features of the newest.

    Parameters
    ----------
    recipe
        Widths and dropout.
    channels, features
        Number of channels of the windows, and of skip features.
    base
        Base quantiles of the head, see `QuantileHead`.
    """

    def __init__(self, recipe: Recipe, channels: int, features: int, base: Sequence[Sequence[float]]) -> None:
        super().__init__()
        first, second = recipe.hidden
        joined = 2 * second + features
        self.shape = (len(base), len(base[0]))
        self.convolutions = CausalConvolutions((channels, *recipe.channels))
        self.first = nn.LSTM(recipe.channels[-1], first, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(2 * first, second, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.dense = nn.Sequential(nn.Linear(joined, recipe.head), nn.GELU(), nn.Dropout(recipe.dropout))
        self.output = nn.Linear(recipe.head + joined, self.shape[0] * self.shape[1])
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.head = QuantileHead(base)

    def forward(self, windows: Tensor, skip: Tensor) -> Tensor:
        """Return (n, horizons, k) quantiles of the scaled returns from (n, channels, window) and (n, features)."""
        steps = self.convolutions(windows).transpose(1, 2)
        outputs, _ = self.first(steps)
        # the two final states: each direction's summary of the whole window
        _, (states, _) = self.second(self.dropout(outputs))
        joined = torch.cat([self.dropout(torch.cat([states[0], states[1]], dim=1)), skip], dim=1)
        outputs = self.output(torch.cat([self.dense(joined), joined], dim=1))
        quantiles: Tensor = self.head(outputs.unflatten(1, self.shape))
        return quantiles


class Mean(nn.Module):
    """The mean of several networks' answers."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, windows: Tensor, skip: Tensor) -> Tensor:
        """Return what the networks answer on average."""
        return torch.stack([network(windows, skip) for network in self.networks]).mean(dim=0)
