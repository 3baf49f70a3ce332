"""A HAR-type scale model with a report-day mixture: Student-t returns whose log scale is linear in the features.

The heterogeneous autoregression of volatility over a day, a week, a month and longer (Corsi, J. Financial
Econometrics 7 (2009) 174) with leverage, weekday and activity; and, with a probability that the report calendar
gives, a second Student-t as wide as the moves on past reports. Each horizon has parameters of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.features import ACTIVITY, LEVERAGE, LONG_RUN_VOLATILITY, WEEKDAYS
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.windows import Samples
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    import torch
    from torch import Tensor

    Array = npt.NDArray[np.float64]
    Parameters = dict[str, Array]

SCALE_FEATURES = (
    *(f"log_volatility_{k}" for k in (1, 5, 22, 66, 250)),
    *(f"log_winsorised_volatility_{k}" for k in (5, 22, 66, 250)),
    *(f"log_rogers_satchell_{k}" for k in (1, 5, 22)),
    *(f"log_absolute_return_{k}" for k in (1, 5, 22)),
    *(f"log_absolute_gap_{k}" for k in (1, 22)),
    "log_median_volatility_22",
    "log_ewma_volatility_94",
    "log_ewma_volatility_85",
    "log_ewma_return_volatility_94",
    LONG_RUN_VOLATILITY,
    "drawdown_250",
    *LEVERAGE,
    *ACTIVITY,
    *WEEKDAYS,
)

RIDGE = 1e-2
"""Penalty on the squared coefficients of the standardised features, per mean log likelihood."""

LABEL_WEIGHT = 0.3
"""Weight of the cross-entropy of the inferred report days beside the likelihood of the returns."""

ITERATIONS, WARM_ITERATIONS = 150, 60
"""Of L-BFGS, from nothing and from the horizon before."""

LARGEST_SCALE = 1.0
"""No Student-t is wider than this log return: a price that stands still for months must not lead beyond any sense."""


@dataclass(frozen=True)
class ScaleMixture:
    """The fitted model.

    Parameters
    ----------
    names
        The features of the scale.
    mean, deviation
        Of each feature over the training days.
    horizons
        The parameters of each horizon: ``scale`` and ``scale_base`` (log scale), ``freedom`` and ``shift`` of the
        usual days, ``report`` (logit of the probability), ``jump`` (log scale above the usual one),
        ``jump_freedom`` and ``jump_shift``.
    """

    names: tuple[str, ...]
    mean: Array
    deviation: Array
    horizons: list[Parameters]

    @classmethod
    def fit(
        cls,
        samples: Samples,
        names: Sequence[str] = (*SCALE_FEATURES, EXPECTED_VOLATILITY),
        horizons: int = SESSIONS_AHEAD,
    ) -> ScaleMixture:
        """Fit each horizon by penalised maximum likelihood on the samples whose outcome is known."""
        values = samples.features[list(names)].to_numpy(float)
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        model = cls(tuple(names), mean, np.where(deviation > 1e-9, deviation, 1.0), [])
        start: dict[str, Tensor] | None = None
        for h in range(1, horizons + 1):
            known = samples.take(np.isfinite(samples.log_return[:, h - 1]))
            start = model._fit_horizon(known, known.log_return[:, h - 1], start)
            fitted = {name: value.detach().numpy().copy() for name, value in start.items()}
            for name in ("freedom", "jump_freedom"):
                fitted[name] = 2 + np.exp(fitted[name])
            model.horizons.append(fitted)
        return model

    def quantiles(self, samples: Samples) -> Array:
        """Return (n, horizons, 7) ascending quantiles of the log returns."""
        from scipy.optimize.elementwise import find_root
        from scipy.special import stdtr

        usual, jump, probability, stacked = self._distribution(samples.features)

        def excess(value: Array, level: Array, *parameters: Array) -> Array:
            """Return how far the mixture's distribution function is above a level."""
            s, j, p, freedom, shift, jump_freedom, jump_shift = parameters
            core = stdtr(freedom, value / s - shift)
            report = stdtr(jump_freedom, value / j - jump_shift)
            above: Array = (1 - p) * core + p * report - level
            return above

        arguments = (
            np.array(QUANTILE_LEVELS),
            *(x[..., None] for x in (usual, jump, probability)),
            *(stacked[name][:, None] for name in ("freedom", "shift", "jump_freedom", "jump_shift")),
        )
        reach = 40 * jump[..., None]
        found = find_root(excess, (-reach, reach), args=arguments, tolerances={"xrtol": 1e-7, "fatol": 1e-9})
        return np.asarray(found.x)

    def document(self) -> dict[str, Any]:
        """Return the model as plain values."""
        return {
            "names": self.names,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "horizons": [{name: value.tolist() for name, value in one.items()} for one in self.horizons],
        }

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> ScaleMixture:
        """Read what `document` wrote."""
        horizons = [{name: np.array(value) for name, value in one.items()} for one in document["horizons"]]
        return cls(
            tuple(document["names"]), np.array(document["mean"]), np.array(document["deviation"]), horizons
        )

    def _design(self, table: pd.DataFrame) -> Array:
        design: Array = (table[list(self.names)].to_numpy(float) - self.mean) / self.deviation
        return design

    def _fit_horizon(
        self, samples: Samples, returns: Array, start: dict[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """Return the parameters of one horizon; the search begins from those of the horizon before it."""
        import torch

        tensors = {
            "design": self._design(samples.features),
            "report": report_design(samples.features),
            "size": samples.features[["log_report_move", "log_report_surprise"]].to_numpy(float),
            "returns": returns,
            "label": np.nan_to_num(samples.report),
            "labelled": np.isfinite(samples.report) * 1.0,
        }
        data = {name: torch.tensor(values) for name, values in tensors.items()}
        parameters = start or _start(data)
        optimizer = torch.optim.LBFGS(
            list(parameters.values()),
            max_iter=WARM_ITERATIONS if start else ITERATIONS,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = _penalised_loss(parameters, data)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return parameters

    def _distribution(self, table: pd.DataFrame) -> tuple[Array, Array, Array, Parameters]:
        """Return (n, horizons) usual and jump scales and report probabilities, and the horizons' parameters."""
        stacked = {name: np.stack([one[name] for one in self.horizons]) for name in self.horizons[0]}
        log_scale = _products(self._design(table), stacked["scale"]) + stacked["scale_base"]
        size = table[["log_report_move", "log_report_surprise"]].to_numpy(float)
        base, move, multiple = stacked["jump"].T
        above = base + move * (size[:, :1] - log_scale - 1.3) + multiple * size[:, 1:]
        log_jump = log_scale + np.logaddexp(0, above)
        logit = _products(report_design(table), stacked["report"])
        usual, jump = (np.exp(np.minimum(x, np.log(LARGEST_SCALE))) for x in (log_scale, log_jump))
        return usual, jump, 1 / (1 + np.exp(-logit)), stacked


def _products(design: Array, coefficients: Array) -> Array:
    """Return the (n, horizons) products of (n, k) rows with (horizons, k) coefficients."""
    # neither a matrix product nor a sum over strides: their last bits depend on how many rows there are
    rows = np.ascontiguousarray(design)
    return np.stack([(rows * one).sum(axis=1) for one in coefficients], axis=1)


def report_design(table: pd.DataFrame) -> Array:
    """Return (n, k) what the probability of a report tomorrow is linear in: the calendar's kernels, and products."""
    kernels = table[
        [
            "report_kernel_1",
            "report_kernel_2.5",
            "report_kernel_6",
            "report_kernel_12",
            "report_kernel_year",
            "report_weekday",
            "report_off_by_a_week",
            "report_kernel_week",
            "report_scheduled",
        ]
    ].to_numpy(float)
    near, weekday = kernels[:, 2], kernels[:, 5]
    passed = np.clip(table["report_passed"].to_numpy(), 0, 1.2)
    overdue = np.clip(table["report_overdue"].to_numpy() / 10, -1.5, 1.5)
    products = (
        passed,
        near * passed,
        near * weekday,
        np.minimum(overdue, 0) * near,
        np.maximum(overdue, 0) * near,
        np.sqrt(near),
    )
    design: Array = np.c_[np.ones(len(table)), kernels, np.stack(products, axis=1)]
    return design


def _start(data: dict[str, Tensor]) -> dict[str, torch.Tensor]:
    import torch

    start = {
        "scale": torch.zeros(data["design"].shape[1]),
        "scale_base": torch.log(data["returns"].std() * 0.8),
        "freedom": torch.tensor(1.5),
        "shift": torch.tensor(0.0),
        "report": torch.cat([torch.tensor([-5.0]), torch.zeros(data["report"].shape[1] - 1)]),
        "jump": torch.tensor([1.0, 0.0, 0.0]),
        "jump_freedom": torch.tensor(2.0),
        "jump_shift": torch.tensor(0.0),
    }
    return {name: value.double().clone().requires_grad_() for name, value in start.items()}


def _penalised_loss(p: dict[str, Tensor], data: dict[str, Tensor]) -> Tensor:
    """Return the mean negative log likelihood with its penalties."""
    import torch
    from torch.nn import functional

    returns, size = data["returns"], data["size"]
    log_scale = p["scale_base"] + data["design"] @ p["scale"]
    above = p["jump"][0] + p["jump"][1] * (size[:, 0] - log_scale - 1.3) + p["jump"][2] * size[:, 1]
    log_jump = log_scale + functional.softplus(above)
    logit = data["report"] @ p["report"]
    core = _log_density(returns, log_scale, p["freedom"], p["shift"])
    report = _log_density(returns, log_jump, p["jump_freedom"], p["jump_shift"])
    mixture = torch.logaddexp(functional.logsigmoid(-logit) + core, functional.logsigmoid(logit) + report)
    entropy = functional.binary_cross_entropy_with_logits(logit, data["label"], data["labelled"])
    penalty = RIDGE * ((p["scale"] ** 2).sum() + 0.1 * (p["jump"][1:] ** 2).sum())
    penalty = penalty + 0.03 * RIDGE * (p["report"][1:] ** 2).sum()
    return penalty + LABEL_WEIGHT * entropy - mixture.mean()


def _log_density(returns: Tensor, log_scale: Tensor, freedom: Tensor, shift: Tensor) -> Tensor:
    """Return the log density of a shifted and scaled Student-t with 2 + exp(freedom) degrees of freedom."""
    import torch

    nu = 2 + freedom.exp()
    z = returns / log_scale.exp() - shift
    constant = torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2) - 0.5 * torch.log(torch.pi * nu)
    return constant - log_scale - (nu + 1) / 2 * torch.log1p(z**2 / nu)
