"""Forecasts of a symbol's next sessions, from its bars up to the as-of day and nothing later."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.errors import ForecastError
from nearcast.forecast.marks import check_usable, marks
from nearcast.forecast.sessions import sessions_ahead
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.registry import Champion
    from nearcast.settings import Settings


@dataclass(frozen=True)
class Forecast:
    """The forecast of one of a symbol's next closes.

    Parameters
    ----------
    symbol
        Stock symbol.
    date
        The session that is forecast.
    horizon
        Sessions ahead, from 1 to `nearcast.schema.SESSIONS_AHEAD`.
    as_of_date
        Day of the newest bar that was used.
    last_close
        Its close in US dollars.
    quantiles
        Seven prices in US dollars at `nearcast.schema.QUANTILE_LEVELS`, ascending.
    model_version
        The model that made it.
    marks
        What is odd about the bars that it was made from (see `nearcast.forecast.marks`).
    """

    symbol: str
    date: datetime.date
    horizon: int
    as_of_date: datetime.date
    last_close: float
    quantiles: tuple[float, ...]
    model_version: str
    marks: tuple[str, ...] = ()

    def levels(self) -> dict[str, float]:
        """Return the quantiles by their level, as a JSON document has them."""
        return dict(zip(map(str, QUANTILE_LEVELS), self.quantiles, strict=True))


def document(forecasts: Sequence[Forecast], commit: str | None) -> dict[str, object]:
    """Return what ``nearcast forecast --json`` prints: the next session, and every horizon."""
    following = forecasts[0]
    return {
        "symbol": following.symbol,
        "date": following.date.isoformat(),
        "last_close": following.last_close,
        "quantiles": following.levels(),
        "as_of_date": following.as_of_date.isoformat(),
        "model_version": following.model_version,
        "commit": commit,
        "marks": list(following.marks),
        "horizons": [
            {"horizon": one.horizon, "date": one.date.isoformat(), "quantiles": one.levels()}
            for one in forecasts
        ],
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


def forecast_next(bars: pd.DataFrame, champion: Champion) -> list[Forecast]:
    """Return the forecasts of the sessions after the newest of ``bars``, one for each of the model's horizons.

    Parameters
    ----------
    bars
        One symbol's bars up to and including the as-of day, by date (see `bars_up_to`).
    champion
        The model.

    Raises
    ------
    ForecastError
        When there are fewer than 60 bars, one of them is not usable, or the model does not answer with prices.
    """
    check_usable(bars)
    odd = marks(bars, champion.symbols)
    newest = bars.iloc[-1]
    day = bars["date"].to_numpy()[-1:].astype("datetime64[D]")
    quantiles = champion.predict(bars)
    _check_answer(quantiles, champion)
    return [
        Forecast(
            symbol=str(newest["stock_symbol"]),
            date=session.item(),
            horizon=horizon,
            as_of_date=day[0].item(),
            last_close=float(newest["close_price"]),
            quantiles=tuple(float(price) for price in prices),
            model_version=champion.model_version,
            marks=odd,
        )
        for horizon, (session, prices) in enumerate(
            zip(sessions_ahead(day, len(quantiles))[0], quantiles, strict=True), start=1
        )
    ]


def _check_answer(quantiles: npt.NDArray[np.float64], champion: Champion) -> None:
    """Refuse quantiles that are no prices, or not in order."""
    import numpy as np

    if not (np.isfinite(quantiles) & (quantiles > 0)).all() or (np.diff(quantiles, axis=1) < 0).any():
        raise ForecastError(
            f"{champion.model_version} answered with quantiles that are no prices in ascending order.",
            kept="Nothing was stored.",
            todo="Train again with `nearcast train`.",
        )


def forecast_newest(settings: Settings, say: Callable[[str], None]) -> int:
    """Forecast and store the sessions after each symbol's newest bar in the lake; return how many symbols' were new.

    Raises
    ------
    ForecastError
        The lake is empty, or there is no champion.
    """
    from nearcast.forecast.bars import latest_commit, read_bars
    from nearcast.forecast.export import export_forecasts
    from nearcast.forecast.registry import load_champion
    from nearcast.forecast.store import store_forecasts
    from nearcast.lake.sync import sync
    from nearcast.source.database import connect

    sync(settings)
    bars, commit, champion = read_bars(settings), latest_commit(settings), load_champion(settings)
    new = 0
    with connect(settings.need("postgres_dsn")) as link:
        for symbol in bars["stock_symbol"].unique():
            try:
                forecasts = forecast_next(bars_up_to(bars, str(symbol)), champion)
            except ForecastError as error:
                say(f"{symbol}: {error.happened}")
                continue
            stored = store_forecasts(link, forecasts, str(commit))
            new += bool(stored)
            following = forecasts[0]
            notes = [*following.marks, *([] if stored else ["stored before"])]
            say(", ".join([f"{symbol} {following.date}: {following.quantiles[3]:.2f}", *notes]))
        link.commit()
        export_forecasts(settings, link)
    return new
