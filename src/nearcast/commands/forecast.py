"""``nearcast forecast``."""

from __future__ import annotations

from typing import Any

import click

from nearcast.cli import json_option
from nearcast.errors import NearcastError
from nearcast.output import Output
from nearcast.settings import Settings, load_settings

SYMBOLS = click.option("--symbol", "symbols", multiple=True, metavar="S", help="A symbol; may be repeated.")


@click.command()
@SYMBOLS
@click.option(
    "--follow", "keep_following", is_flag=True, help="Store a forecast for each new row, until ended."
)
@json_option
def forecast(symbols: tuple[str, ...], keep_following: bool, as_json: bool) -> None:
    """Forecast the next trading days from the newest row in the lake, with the champion.

    One symbol gives one document; several give a list named `forecasts`. What is odd about the prices behind a
    forecast is named beside it, in `marks`.

    \b
    Examples:
      nearcast forecast --symbol NFLX
      nearcast forecast --json                every symbol of the lake
      nearcast forecast --follow              what `nearcast up` runs
    """
    output, settings = Output(as_json), load_settings()
    if keep_following:
        from nearcast.forecast.follow import follow

        return follow(settings)
    _bring_up_to_date(settings)
    documents = _forecasts(settings, symbols, output)
    result = documents[0] if len(documents) == 1 else {"forecasts": documents}
    return output.result(result, lambda _: _render_forecasts(output, documents))


def _bring_up_to_date(settings: Settings) -> None:
    """Fetch the lake's newest commit, when the settings name a lake."""
    if settings.hudi_bucket is not None:
        from nearcast.lake.sync import sync

        sync(settings)


def _forecasts(settings: Settings, symbols: tuple[str, ...], output: Output) -> list[dict[str, Any]]:
    """Return a document for each symbol; one symbol of several that cannot be forecast is only noted."""
    from nearcast.forecast.bars import latest_commit, read_bars
    from nearcast.forecast.registry import load_champion
    from nearcast.forecast.service import bars_up_to, document, forecast_next

    bars = read_bars(settings, symbols)
    commit, champion = latest_commit(settings), load_champion(settings)
    documents: list[dict[str, Any]] = []
    names = list(symbols) or [str(name) for name in bars["stock_symbol"].unique()]
    for name in names:
        try:
            documents.append(document(forecast_next(bars_up_to(bars, name), champion), commit))
        except NearcastError as error:
            if len(names) == 1:
                raise
            output.note(f"{name}: {error.happened}")
    return documents


def _render_forecasts(output: Output, documents: list[dict[str, Any]]) -> None:
    rows = [_price_row(one, one["date"], one["quantiles"]) for one in documents]
    output.table("Next close, US dollars", HEADING, rows)
    if len(documents) == 1:
        [one] = documents
        ahead = [_price_row(one, later["date"], later["quantiles"]) for later in one["horizons"][1:]]
        if ahead:
            output.table("The closes after it", HEADING, ahead)
    for one in documents:
        for mark in one["marks"]:
            output.note(f"{one['symbol']}: {mark}")


HEADING = ("symbol", "date", "last close", "median", "80 % band", "95 % band")


def _price_row(one: dict[str, Any], date: str, quantiles: dict[str, float]) -> tuple[str, ...]:
    q025, q100, _, q500, _, q900, q975 = (f"{price:.2f}" for price in quantiles.values())
    return one["symbol"], date, f"{one['last_close']:.2f}", q500, f"{q100}–{q900}", f"{q025}–{q975}"
