"""GARCH(1,1) and EGARCH(1,1,1) with Student-t innovations, estimated every quarter with arch."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nearcast.forecast.baselines.baseline import PerSymbol, estimation_days
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

SAMPLE = 2500
"""Returns that an estimate rests on, at most."""

MINIMUM_SAMPLE = 252
"""Returns that an estimate needs: with fewer the likelihood of EGARCH has hardly a maximum."""

PERCENT = 100.0
"""Returns are estimated in per cent: the optimiser wants numbers near one."""

PAIRS = 2000
SEED = 1
VARIANCE_RANGE = 1e6
"""A conditional variance stays within this factor of the one at the estimate (arch bounds it likewise)."""


class ConditionalVariance(PerSymbol):
    """A constant mean and a conditional variance, its parameters estimated every 63 sessions.

    An estimate starts from the last one. One that does not converge keeps the parameters of the last that
    did (none: no answer until the next). No answer either with less than 252 past returns.

    Attributes
    ----------
    fits, failed_fits
        Estimates made so far, and those of them that did not converge.
    """

    volatility: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        self.fits = 0
        self.failed_fits = 0

    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Estimate for each quarter, then filter its days with the estimate."""
        from arch import arch_model

        returns = PERCENT * np.diff(log_close)  # the return of row t is returns[t - 1]
        answers = np.full((len(days), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        estimated, parameters = estimation_days(days), None
        for known in np.unique(estimated[estimated >= MINIMUM_SAMPLE]):
            mine = estimated == known
            # arch sees no later return: its starting variance would depend on it
            sample = returns[max(0, known - SAMPLE) : known]
            model = arch_model(sample, mean="Constant", dist="t", rescale=False, **self.volatility)
            parameters = self._estimate(model, parameters)
            if parameters is None:
                continue
            variance = float(model.fix(parameters).conditional_volatility[-1]) ** 2
            errors = returns[known - 1 : days[mine][-1]] - parameters[0]
            following = self.filtered(parameters, variance, errors)[days[mine] - known]
            answers[mine] = self.ahead(parameters, following) / PERCENT
        return answers

    def _estimate(self, model: Any, last: Array | None) -> Array | None:
        """Return the estimate, or ``last`` when neither a start from there nor a fresh one converges."""
        self.fits += 1
        for start in (last, None) if last is not None else (None,):
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")  # its advice on scale and starting values
                    result = model.fit(starting_values=start, disp="off", show_warning=False)
            except (ValueError, np.linalg.LinAlgError):  # returns that do not vary
                continue
            parameters = np.asarray(result.params, float)
            if result.convergence_flag == 0 and np.isfinite(parameters).all():
                return parameters
        self.failed_fits += 1
        return last

    @abstractmethod
    def filtered(self, parameters: Array, variance: float, errors: Array) -> Array:
        """Return the variance of the day after each of ``errors``, from that of the first error's own day."""

    @abstractmethod
    def ahead(self, parameters: Array, variance: Array) -> Array:
        """Return (days, horizons, 7) quantiles of the sum of returns, from the next day's variance."""


def standard_t(levels: Array, freedom: float) -> Array:
    """Return quantiles of Student's t with a variance of one."""
    from scipy import stats

    quantiles: Array = stats.t.ppf(levels, freedom) * np.sqrt((freedom - 2) / freedom)
    return quantiles


class GarchT(ConditionalVariance):
    """GARCH(1,1)-t; over several sessions the t of one, scaled to the sum of the expected variances.

    Source: Bollerslev, Rev. Econ. Stat. 69 (1987) 542.
    """

    name = "garch_t"
    summary = "GARCH(1,1) with Student-t innovations, estimated every quarter"
    volatility: ClassVar[dict[str, Any]] = {"vol": "GARCH", "p": 1, "q": 1}

    def filtered(self, parameters: Array, variance: float, errors: Array) -> Array:
        """Apply v' = ω + α e² + β v."""
        from scipy.signal import lfilter

        _, omega, alpha, beta, _ = parameters
        following, _ = lfilter([1.0], [1.0, -beta], omega + alpha * errors**2, zi=[beta * variance])
        return np.asarray(following)

    def ahead(self, parameters: Array, variance: Array) -> Array:
        """Scale the quantiles of the t to the sum of the expected variances."""
        mean, omega, alpha, beta, freedom = parameters
        expected = [variance]
        for _ in range(1, self.horizons):
            expected.append(omega + (alpha + beta) * expected[-1])
        spread = np.sqrt(np.cumsum(expected, axis=0)).T[..., None]
        shift = mean * np.arange(1, self.horizons + 1)[:, None]
        answers: Array = shift + spread * standard_t(np.array(QUANTILE_LEVELS), freedom)
        return answers


class EgarchT(ConditionalVariance):
    """EGARCH(1,1,1)-t; beyond one session by 4,000 paths, from the same draws for each day.

    Source: Nelson, Econometrica 59 (1991) 347.
    """

    name = "egarch_t"
    summary = "EGARCH(1,1,1) with Student-t innovations, estimated every quarter"
    volatility: ClassVar[dict[str, Any]] = {"vol": "EGARCH", "p": 1, "o": 1, "q": 1}

    def filtered(self, parameters: Array, variance: float, errors: Array) -> Array:
        """Apply log v' = ω + α (|z| − √(2/π)) + γ z + β log v with z = e / √v."""
        log_variance, following = np.log(variance), np.empty(len(errors))
        low, high = log_variance - np.log(VARIANCE_RANGE), log_variance + np.log(VARIANCE_RANGE)
        for day, error in enumerate(errors):
            shock = error * np.exp(-log_variance / 2)
            log_variance = np.clip(self._next(parameters, log_variance, shock), low, high)
            following[day] = log_variance
        return np.exp(following)

    def ahead(self, parameters: Array, variance: Array) -> Array:
        """Return the t's quantiles for one session, and those of simulated sums for more."""
        mean, freedom = parameters[0], parameters[-1]
        levels = np.array(QUANTILE_LEVELS)
        answers = np.empty((len(variance), self.horizons, len(levels)))
        answers[:, 0] = mean + np.sqrt(variance)[:, None] * standard_t(levels, freedom)
        uniform = np.random.default_rng(SEED).uniform(size=(self.horizons, PAIRS))
        shocks = standard_t(np.concatenate([uniform, 1 - uniform], axis=1), freedom)
        start = np.log(variance)[:, None]
        low, high = start - np.log(VARIANCE_RANGE), start + np.log(VARIANCE_RANGE)
        log_variance, total = start, np.zeros((len(variance), 2 * PAIRS))
        for ahead, shock in enumerate(shocks):
            total = total + mean + np.exp(log_variance / 2) * shock
            if ahead:
                answers[:, ahead] = np.quantile(total, levels, axis=1).T
            log_variance = np.clip(self._next(parameters, log_variance, shock), low, high)
        return answers

    @staticmethod
    def _next(parameters: Array, log_variance: Any, shock: Any) -> Any:
        _, omega, alpha, gamma, beta, _ = parameters
        return omega + alpha * (np.abs(shock) - np.sqrt(2 / np.pi)) + gamma * shock + beta * log_variance
