"""The tables of a backtest, for the terminal and for the report: a title, headings and rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nearcast.forecast.backtest.claims import focal, shown_name
from nearcast.forecast.backtest.models import CHAMPION, REFERENCE

Document = dict[str, Any]


class Table(NamedTuple):
    """A table of text."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def summary(document: Document) -> Table:
    """Return the models with their ratios to the last close, the next day ahead."""
    headings = (
        "model",
        "pinball",
        "95 % interval",
        "CRPS",
        "MAE",
        "RMSE",
        "MASE",
        "in 80 %",
        "in 95 %",
        "direction",
    )
    rows = [
        (
            shown_name(model),
            f"{model['pinball_ratio']['value']:.3f}",
            _interval(model["pinball_ratio"]),
            f"{model['crps_ratio']['value']:.3f}",
            f"{model['mae_ratio']:.3f}",
            f"{model['rmse_ratio']:.3f}",
            f"{model['mase']:.3f}",
            _percent(model["coverage80"]),
            _percent(model["coverage95"]),
            _percent(model["direction"]["value"]),
        )
        for model in document["models"]
    ]
    folds = document["folds"]
    title = f"Ratios to {REFERENCE}, next session, {folds[0]['first']} to {folds[-1]['last']}"
    return Table(title, headings, rows)


def short(document: Document) -> Table:
    """Return the summary's columns that a terminal of 80 holds."""
    whole = summary(document)
    kept = [
        whole.headings.index(name)
        for name in ("model", "pinball", "95 % interval", "MAE", "in 80 %", "in 95 %")
    ]
    headings, *rows = (tuple(line[at] for at in kept) for line in (whole.headings, *whole.rows))
    return Table(whole.title, headings, rows)


def bands(document: Document) -> Table:
    """Return coverage, its worst half year and the interval scores."""
    headings = (
        "model",
        "in 80 %",
        "worst 125 days",
        "Winkler 80",
        "95 % interval",
        "in 95 %",
        "worst 125 days",
        "Winkler 95",
        "95 % interval",
    )
    rows = []
    for model in document["models"]:
        cells = [shown_name(model)]
        for percent in (80, 95):
            worst, score = model[f"worst_coverage{percent}"], model[f"winkler{percent}_ratio"]
            cells += [
                _percent(model[f"coverage{percent}"]),
                _percent(worst and worst["value"]) + (f" ({worst['symbol']})" if worst else ""),
                f"{score['value']:.3f}",
                _interval(score),
            ]
        rows.append(tuple(cells))
    return Table(f"Bands of the next session; Winkler scores as ratios to {REFERENCE}", headings, rows)


def tests(document: Document) -> Table:
    """Return Diebold and Mariano's tests of the daily mean pinball losses."""
    others = [
        name for name in (REFERENCE, CHAMPION) if any(name == one["name"] for one in document["models"])
    ]
    headings = (
        "model",
        *(f"{what} {name}" for name in others for what in ("statistic against", "p against")),
    )
    rows = []
    for model in document["models"]:
        cells = [shown_name(model)]
        for name in others:
            test = model["diebold_mariano"].get(name, {})
            cells += [_number(test.get("statistic"), ".2f"), _number(test.get("p_value"), ".4f")]
        rows.append(tuple(cells))
    return Table("Diebold–Mariano tests (below 0: the smaller loss)", headings, rows)


def against_each(document: Document) -> Table:
    """Return the pinball ratios of the report's own model to every other."""
    model = focal(document)
    shown = {one["name"]: shown_name(one) for one in document["models"]}
    rows = [
        (
            shown[name],
            f"{ratio['value']:.3f}",
            _interval(ratio),
            f"{model['crps_ratios'][name]['value']:.3f}",
            _interval(model["crps_ratios"][name]),
        )
        for name, ratio in model["pinball_ratios"].items()
    ]
    return Table(
        f"{shown_name(model)} against each model, on the same days",
        ("against", "pinball", "95 % interval", "CRPS", "95 % interval"),
        rows,
    )


def horizons(document: Document) -> Table:
    """Return the pinball ratio of each model by sessions ahead."""
    shown = {one["name"]: shown_name(one) for one in document["models"]}
    rows = []
    for one in document["by_horizon"]:
        models = {model["name"]: model for model in one["models"]}
        cells = [
            f"{models[name]['pinball_ratio']['value']:.3f} {_interval(models[name]['pinball_ratio'])}"
            if name in models
            else ""
            for name in shown
        ]
        rows.append((str(one["horizon"]), f"{one['forecasts']:,}", str(one["left_out"]), *cells))
    title = f"Pinball ratios to {REFERENCE} by sessions ahead"
    return Table(title, ("sessions ahead", "forecasts", "left out", *shown.values()), rows)


def horizon_bands(document: Document) -> Table:
    """Return the coverage of each model's bands by sessions ahead."""
    shown = {one["name"]: shown_name(one) for one in document["models"]}
    rows = []
    for one in document["by_horizon"]:
        models = {model["name"]: model for model in one["models"]}
        cells = [
            f"{_percent(models[name]['coverage80'])} / {_percent(models[name]['coverage95'])}"
            if name in models
            else ""
            for name in shown
        ]
        rows.append((str(one["horizon"]), *cells))
    return Table("Outcomes in the 80 % / 95 % bands", ("sessions ahead", *shown.values()), rows)


def groups(document: Document, by: str) -> Table:
    """Return the pinball ratios by ``symbol`` or by ``year``."""
    models = document["models"]
    rows = []
    for position, first in enumerate(models[0][f"by_{by}"]):
        ratios = [model[f"by_{by}"][position]["pinball_ratio"] for model in models]
        cells = (f"{ratio['value']:.3f} {_interval(ratio)}" for ratio in ratios)
        rows.append((first["group"], f"{first['forecasts']:,}", *cells))
    title = f"Pinball ratios to {REFERENCE} by {by}, next session"
    return Table(title, (by, "forecasts", *map(shown_name, models)), rows)


def _interval(ratio: Document) -> str:
    return f"[{ratio['low']:.3f}, {ratio['high']:.3f}]"


def _percent(share: float | None) -> str:
    return _number(share and 100 * share, ".1f") + ("" if share is None else " %")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
