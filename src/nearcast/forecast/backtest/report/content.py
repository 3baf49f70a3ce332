"""What the report holds, before it is HTML or Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nearcast.forecast.backtest import tables
from nearcast.forecast.backtest.claims import claims, focal, shown_name
from nearcast.forecast.backtest.losses import common
from nearcast.forecast.backtest.models import REFERENCE
from nearcast.forecast.backtest.report.calibration import calibration
from nearcast.forecast.backtest.report.comparison import by_horizon, ratios
from nearcast.forecast.backtest.report.fan import fan
from nearcast.forecast.backtest.report.returns import correlation, distribution
from nearcast.forecast.backtest.report.through_time import coverage_through_time, cumulative_gain, residuals
from nearcast.forecast.backtest.report.training import training_curves
from nearcast.forecast.backtest.tables import Table

if TYPE_CHECKING:
    from nearcast.forecast.backtest.run import Run

Document = dict[str, Any]


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Sentences:
    """A list of sentences."""

    items: list[str]


@dataclass(frozen=True)
class Picture:
    """A Matplotlib figure, the stem of its file and what it shows."""

    name: str
    figure: Any
    caption: str


Block = Heading | Paragraph | Sentences | Table | Picture

MEASURES = (
    "All losses are of log returns and over the same days: a day counts only where every model answered. "
    "Pinball loss: the mean over seven quantiles (2.5, 10, 25, 50, 75, 90, 97.5 %). "
    "CRPS: twice the integral of the pinball loss over all levels, by the trapezoidal rule over the seven, falling "
    "to 0 at the levels 0 and 1 (3.5 % too small for a normal distribution, for every model alike). "
    "MAE and RMSE: of the median, against a return of 0, which is the last close itself. "
    "MASE: each symbol's mean absolute error in dollars over that of its last close on the same days, that is out "
    "of sample, then the mean over the symbols. "
    "Winkler: the interval score of the 80 % and the 95 % band. "
    "Intervals: moving-block bootstrap over blocks of 20 days, all symbols of a day together. "
    "Direction: the share of days on which the median has the sign of the outcome, with its exact binomial interval. "
    "Diebold–Mariano: daily mean pinball losses, Newey–West variance, small-sample factor of Harvey, Leybourne and "
    "Newbold."
)


def content(run: Run, document: Document) -> Iterator[Block]:
    """Yield the report's blocks in order.

    Parameters
    ----------
    run
        The answers.
    document
        Their verdict, by `nearcast.forecast.backtest.judge`.
    """
    yield from _verdict(document)
    yield from _pictures(run, document)
    yield Heading("By symbol and by year")
    yield tables.groups(document, "symbol")
    yield tables.groups(document, "year")
    yield Heading("What was to be forecast")
    yield Picture("returns", distribution(run), "Daily returns have fatter tails than a normal distribution.")
    if (figure := correlation(run)) is not None:
        caption = "Symbols move together, so that days and not forecasts are drawn for the intervals."
        yield Picture("correlation", figure, caption)
    yield Heading("How it was measured")
    yield Paragraph(MEASURES)


def _verdict(document: Document) -> Iterator[Block]:
    yield Paragraph(_scope(document))
    if any(model["leaking"] for model in document["models"]):
        yield Paragraph(
            "Models marked as leaking saw days of the future when they learnt: their figures prove nothing."
        )
    yield tables.summary(document)
    yield Picture("ratios", ratios(document), f"Left of 1: a smaller loss than {REFERENCE}.")
    yield Heading("What it shows")
    yield Sentences(claims(document))
    if len(document["models"]) > 1:
        yield tables.against_each(document)
    yield tables.bands(document)
    yield tables.tests(document)


def _scope(document: Document) -> str:
    folds, symbols = document["folds"], document["symbols"]
    years = ", ".join(f"{fold['year']} ({fold['days']} days)" for fold in folds)
    left_out = document["left_out"]
    silent = ", ".join(f"{name} {days}" for name, days in document["unanswered"].items() if days)
    return (
        f"Walk-forward with a refit before each year: {years}. Symbols: {', '.join(symbols)}. "
        f"{document['forecasts']:,} forecasts of the next session by each model; "
        f"{left_out or 'none'} left out because a model did not answer{f' ({silent})' if left_out else ''}."
    )


def _pictures(run: Run, document: Document) -> Iterator[Block]:
    one, about = common(run, 1), focal(document)
    name, shown = about["name"], shown_name(about)
    names = {model["name"]: shown_name(model) for model in document["models"]}
    model = next(model for model in run.models if model.name == name)
    yield Heading("The forecasts")
    yield Picture(
        "fan", fan(run, model, shown), "Points are closes; right of the dotted line nothing was known."
    )
    yield Heading("Calibration")
    caption = "Left: 0 is right at every level. Right: a level at which too many outcomes fall rises above 1."
    yield Picture("calibration", calibration(one, name, names), caption)
    caption = "Dashed: what the band says. A band may be right on average and wrong for months."
    yield Picture("coverage", coverage_through_time(run, one, name, shown), caption)
    yield Heading("Loss")
    yield Picture(
        "gain",
        cumulative_gain(run, one, names),
        "A line that rises all along is better in all years, not in one.",
    )
    if len(document["by_horizon"]) > 1:
        yield Picture(
            "horizons", by_horizon(document), "Longer horizons overlap, so their intervals are wider."
        )
    yield tables.horizons(document)
    yield tables.horizon_bands(document)
    yield Picture("residuals", residuals(run, one, name, shown), "What the median missed.")
    for model in run.models:
        if model.histories:
            curves = training_curves(names[model.name], model.histories)
            yield Picture(f"training-{model.name}", curves, "Losses of the fits.")
