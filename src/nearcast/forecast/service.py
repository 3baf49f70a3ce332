"""One forecast: the next session of a symbol, from its bars up to the as-of day and nothing later."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.errors import ForecastError
from nearcast.forecast.sessions import next_sessions
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from nearcast.forecast.registry import Champion
    from nearcast.settings import Settings


@dataclass(frozen=True)
class Forecast:
    """The forecast of a symbol's next close.

    Parameters
    ----------
    symbol
        Stock symbol.
    date
        The session that is forecast.
    horizon
        Sessions ahead: 1.
    as_of_date
        Day of the newest bar that was used.
    last_close
        Its close in US dollars.
    quantiles
        Seven prices in US dollars at `nearcast.schema.QUANTILE_LEVELS`, ascending.
    model_version
        The model that made it.
    """

    symbol: str
    date: datetime.date
    horizon: int
    as_of_date: datetime.date
    last_close: float
    quantiles: tuple[float, ...]
    model_version: str

    def document(self, commit: str | None) -> dict[str, object]:
        """Return what ``nearcast forecast --json`` prints."""
        return {
            "symbol": self.symbol,
            "date": self.date.isoformat(),
            "last_close": self.last_close,
            "quantiles": dict(zip(map(str, QUANTILE_LEVELS), self.quantiles, strict=True)),
            "as_of_date": self.as_of_date.isoformat(),
            "model_version": self.model_version,
            "commit": commit,
        }


def bars_up_to(bars: pd.DataFrame, symbol: str, as_of: datetime.date | None = None) -> pd.DataFrame:
    """Return a symbol's bars up to and including ``as_of`` (default: its newest), by date.

    Raises
    ------
    ForecastError
        When the symbol has no bar on that day.
    """
    import pandas as pd

    mine = bars[bars["stock_symbol"] == symbol].sort_values("date", ignore_index=True)
    if as_of is not None:
        mine = mine[mine["date"] <= pd.Timestamp(as_of)]
    if mine.empty or (as_of is not None and mine["date"].iloc[-1] != pd.Timestamp(as_of)):
        raise ForecastError(
            f"The lake holds no bar of {symbol} on {as_of or 'any day'}, or it is quarantined.",
            todo="See `nearcast lake quarantine`, or publish it and run `nearcast lake upsert`, `nearcast lake sync`.",
        )
    return mine


def forecast_next(bars: pd.DataFrame, champion: Champion) -> Forecast:
    """Return the forecast of the session after the newest of ``bars``.

    Parameters
    ----------
    bars
        One symbol's bars up to and including the as-of day, by date (see `bars_up_to`).
    champion
        The model.

    Raises
    ------
    ForecastError
        When there are fewer than 60 bars, or one of them is not usable.
    """
    newest = bars.iloc[-1]
    day = bars["date"].to_numpy()[-1:].astype("datetime64[D]")
    quantiles = champion.predict(bars)
    return Forecast(
        symbol=str(newest["stock_symbol"]),
        date=next_sessions(day)[0].item(),
        horizon=1,
        as_of_date=day[0].item(),
        last_close=float(newest["close_price"]),
        quantiles=tuple(float(price) for price in quantiles),
        model_version=champion.model_version,
    )


def forecast_newest(settings: Settings, say: Callable[[str], None]) -> int:
    """Forecast and store the session after each symbol's newest bar in the lake; return how many were new.

    Raises
    ------
    ForecastError
        The lake is empty, or there is no champion.
    """
    from nearcast.forecast.bars import latest_commit, read_bars
    from nearcast.forecast.export import export_forecasts
    from nearcast.forecast.registry import load_champion
    from nearcast.forecast.store import store_forecast
    from nearcast.lake.sync import sync
    from nearcast.source.database import connect

    sync(settings)
    bars, commit, champion = read_bars(settings), latest_commit(settings), load_champion(settings)
    new = 0
    with connect(settings.need("postgres_dsn")) as link:
        for symbol in bars["stock_symbol"].unique():
            try:
                forecast = forecast_next(bars_up_to(bars, str(symbol)), champion)
            except ForecastError as error:
                say(f"{symbol}: {error.happened}")
                continue
            stored = store_forecast(link, forecast, str(commit))
            new += stored is not None
            say(
                f"{symbol} {forecast.date}: {forecast.quantiles[3]:.2f}"
                + ("" if stored else ", stored before")
            )
        link.commit()
        export_forecasts(settings, link)
    return new
