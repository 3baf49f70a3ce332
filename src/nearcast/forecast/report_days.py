"""When a company is likely to report, and how far its price moved when it did.

A share's largest moves are its reactions to quarterly reports, and their days are no secret. Where a file of dates
is given they are taken from it; elsewhere they are inferred from the prices: each past quarter has one session that
moved most for the little that was expected, about thirteen weeks after the one before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.sessions import next_sessions
from nearcast.forecast.smoothing import ewma

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    ReportDates = npt.NDArray[np.datetime64] | None

PERIOD = 91
"""Days from one report to the next: thirteen weeks."""

SPACING_DEVIATION = 5.0
"""Standard deviation of that in days, as the path through the quarters weighs it."""

IRREGULAR = 0.05
"""Prior share of reports that come at any other time."""

SAME_WEEKDAY = 1.7
"""How much likelier a report on the weekday of the one before it is than on any day."""

PAST = 8
"""Quarters of the past that the next report is expected from."""

LEAST_PAST = 2
"""Quarters below which nothing is expected."""

KERNELS = (1.0, 2.5, 6.0, 12.0)
"""Standard deviations, in days, of the kernels around the expected day."""

REPORT_FEATURES = (
    *(f"report_kernel_{k:g}" for k in KERNELS),
    "report_kernel_year",
    "report_weekday",
    "report_kernel_week",
    "report_off_by_a_week",
    "report_passed",
    "report_overdue",
    "log_report_move",
    "log_report_surprise",
    "report_scheduled",
)
EVENT_SCORE = "event_score"


def report_day_features(
    bars: pd.DataFrame, log_return: Array, scheduled: ReportDates = None
) -> dict[str, Array]:
    """Return what is known at each close about a report that moves the next session.

    Parameters
    ----------
    bars
        Daily bars of one symbol, by date (n rows).
    log_return
        (n,) their log returns.
    scheduled
        The sessions that react to a report, past and announced, where they are known; they replace the
        inferred ones.

    Returns
    -------
    dict
        (n,) columns of `REPORT_FEATURES` and `EVENT_SCORE` (how unusual the day itself was, from its return,
        gap and volume). Row t uses bars up to t, and the calendar.
    """
    surprise, gap, volume = _unusual(bars, log_return)
    score = (surprise + 0.6 * gap) * np.sqrt(volume)
    columns: dict[str, Array] = {name: np.zeros(len(bars)) for name in REPORT_FEATURES}
    columns[EVENT_SCORE] = score
    days, quarter, following, next_quarter = _calendar(bars)
    if scheduled is not None:
        columns["report_scheduled"] = _among(following, scheduled)
        past = _events_of_schedule(days, quarter, scheduled)
        return columns | _sizes(next_quarter, past, log_return, surprise)
    past = _inferred_events(days, quarter, surprise, gap, volume)
    columns |= _expectations(days, quarter, following, next_quarter, past, score)
    return columns | _sizes(next_quarter, past, log_return, surprise)


def report_day_labels(bars: pd.DataFrame, log_return: Array, scheduled: ReportDates = None) -> Array:
    """Return, to learn from, whether the next session reacted to a report: 1, 0, or NaN while nobody can tell.

    Unlike the features, row t uses the whole of the next session's quarter.
    """
    days, quarter, following, next_quarter = _calendar(bars)
    if scheduled is not None:
        return _among(following, scheduled)
    past = _inferred_events(days, quarter, *_unusual(bars, log_return))
    found = {int(rows[0]) for rows in past.values()}
    labels = np.array([float(t + 1 in found) for t in range(len(bars))])
    # the last quarter is complete only when the session after the newest bar lies in another one
    labels[next_quarter >= next_quarter[-1]] = np.nan
    return labels


def report_dates(path: Path) -> dict[str, npt.NDArray[np.datetime64]]:
    """Return the sessions that react to reports, by symbol, from a CSV with the columns symbol and date.

    A report after the close moves the next session: that session is the date to give. Dates of the future count
    as announced.

    Raises
    ------
    ForecastError
        When the file cannot be read as that.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)  # NA and TRUE are symbols
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("a row has more cells than the header")
        table = table.rename(columns=str.lower)[["symbol", "date"]]
        table = table.apply(lambda column: column.str.strip().str.upper())
        if table.shape[1] != 2 or (table.isna() | (table == "")).to_numpy().any():
            raise ValueError("a column stands there twice, or a row lacks a symbol or a date")
        dates = pd.to_datetime(table["date"], format="%Y-%m-%d").to_numpy().astype("datetime64[D]")
        symbols = table["symbol"].to_numpy(object)
        if np.isnat(dates).any():
            raise ValueError("a date is none")
    except (OSError, KeyError, ValueError) as error:
        raise ForecastError(
            f"The file of report dates {path} cannot be read: {error!r}.",
            todo="Give a CSV with the columns symbol and date (YYYY-MM-DD), or unset NEARCAST_REPORT_DATES.",
        ) from error
    return {symbol: np.unique(dates[symbols == symbol]) for symbol in np.unique(symbols)}


def _calendar(bars: pd.DataFrame) -> tuple[Indices, Indices, Indices, Indices]:
    """Return each bar's day and quarter and those of the session after it, as whole numbers."""
    dates = bars["date"].to_numpy().astype("datetime64[D]")
    following = next_sessions(dates)
    return dates.astype(int), _quarter(dates), following.astype(int), _quarter(following)


def _among(days: Indices, scheduled: npt.NDArray[np.datetime64]) -> Array:
    return np.isin(days, scheduled.astype("datetime64[D]").astype(int)).astype(float)


def _quarter(dates: npt.NDArray[np.datetime64]) -> Indices:
    quarters: Indices = dates.astype("datetime64[M]").astype(int) // 3
    return quarters


def _unusual(bars: pd.DataFrame, log_return: Array) -> tuple[Array, Array, Array]:
    """Return how many times the usual size each day's return, gap and volume were; usual as of the day before."""
    import pandas as pd

    close, opens = bars["close_price"].to_numpy(float), bars["open_price"].to_numpy(float)
    square = log_return**2
    capped = np.minimum(square, np.r_[square[:1], 9 * ewma(square, 0.97)[:-1] + 1e-8])
    volatility = np.sqrt(ewma(capped, 0.94) + 1e-8)
    gap = np.abs(np.r_[0.0, np.log(opens[1:] / close[:-1])])
    usual_gap = pd.Series(np.minimum(gap, 0.1)).rolling(60, min_periods=1).mean().to_numpy() + 1e-4
    shares = pd.Series(np.maximum(bars["volume"].to_numpy(float), 1))
    usual_shares = shares.rolling(20, min_periods=1).median().to_numpy()
    return (
        np.abs(log_return) / _day_before(volatility),
        gap / _day_before(usual_gap),
        shares.to_numpy() / _day_before(usual_shares),
    )


def _day_before(values: Array) -> Array:
    shifted: Array = np.r_[values[:1], values[:-1]]
    return shifted


def _inferred_events(
    days: Indices, quarter: Indices, surprise: Array, gap: Array, volume: Array
) -> dict[int, Indices]:
    """Return, for each quarter, the rows of the reports of the quarters up to it, as seen at its end, newest first.

    The likeliest path through the sessions (Viterbi, IEEE Trans. Inf. Theory 13 (1967) 260): a session speaks for
    itself by its return, gap and volume, and by its distance from the report before it.
    """
    evidence = 0.7 * np.log(surprise + 0.3) + 0.7 * np.log(gap + 0.3) + 2 * np.log(volume + 0.1)
    starts = np.flatnonzero(np.r_[True, np.diff(quarter) > 0])
    events: dict[int, Indices] = {}
    back: list[Indices] = []
    rows: list[Indices] = []
    score: Array = np.zeros(0)
    for start, end in zip(starts, np.r_[starts[1:], len(days)], strict=True):
        here = np.arange(start, end)
        if rows:
            through = score[:, None] + _transition(days[here][None, :] - days[rows[-1]][:, None])
            back.append(through.argmax(axis=0))
            score = through.max(axis=0) + evidence[here]
        else:
            score = evidence[here]
        rows.append(here)
        best = int(score.argmax())
        path = [here[best]]
        for step in range(1, min(PAST, len(rows))):
            best = int(back[-step][best])
            path.append(rows[-step - 1][best])
        events[int(quarter[start])] = np.array(path)
    return events


def _transition(spacing: Indices) -> Array:
    """Return the log prior of the days between two reports."""
    regular = np.exp(-0.5 * ((spacing - PERIOD) / SPACING_DEVIATION) ** 2) / (SPACING_DEVIATION * 2.5)
    weekday = np.where(spacing % 7 == 0, SAME_WEEKDAY, 1 - (SAME_WEEKDAY - 1) / 6)
    prior: Array = np.log((IRREGULAR / 60 + (1 - IRREGULAR) * regular) * weekday)
    return prior


def _events_of_schedule(
    days: Indices, quarter: Indices, scheduled: npt.NDArray[np.datetime64]
) -> dict[int, Indices]:
    """Return the rows of the scheduled sessions before each quarter's end, newest first."""
    rows = np.flatnonzero(np.isin(days, scheduled.astype("datetime64[D]").astype(int)))
    return {
        int(k): rows[quarter[rows] <= k][::-1][:PAST]
        for k in np.unique(quarter)
        if (quarter[rows] <= k).any()
    }


def _expectations(
    days: Indices,
    quarter: Indices,
    following: Indices,
    next_quarter: Indices,
    past: dict[int, Indices],
    score: Array,
) -> dict[str, Array]:
    """Return kernels of the next session around where the past reports put this quarter's, for each row."""
    columns = {name: np.zeros(len(days)) for name in REPORT_FEATURES[:10]}
    close_to_it = np.zeros(len(days))  # of each day itself, for whether the report has been
    for k in np.unique(np.r_[quarter, next_quarter]):
        reports = past.get(int(k) - 1, np.zeros(0, int))
        if len(reports) < LEAST_PAST:
            continue
        ahead = int(k) - quarter[reports]
        expected = days[reports] + PERIOD * ahead
        weight = np.where(np.isin(ahead, (1, 4)), 1.3, 1.0)
        weight /= weight.sum()
        mine = next_quarter == k
        away = following[mine][:, None] - expected
        for name, width in zip(REPORT_FEATURES, KERNELS, strict=False):
            columns[name][mine] = _kernel(away, width, weight)
        year = away[:, ahead == 4]
        columns["report_kernel_year"][mine] = np.exp(-0.5 * year**2).sum(axis=1)
        weekdays = (following[mine][:, None] - days[reports]) % 7 == 0
        columns["report_weekday"][mine] = weekdays.mean(axis=1)
        columns["report_off_by_a_week"][mine] = _kernel(np.abs(away) - 7, 1.0, weight)
        whole_weeks = (np.abs(away) <= 10) & (np.abs((away + 3.5) % 7 - 3.5) < 0.5)
        columns["report_kernel_week"][mine] = (whole_weeks * weight).sum(axis=1)
        columns["report_overdue"][mine] = np.median(away, axis=1)
        today = quarter == k
        usual = np.maximum(np.median(score[reports]), 1e-6)  # 0 where the price stood still
        near = np.sqrt(_kernel(days[today][:, None] - expected, 6.0, weight))
        close_to_it[today] = np.minimum(score[today] / usual, 1.5) * near
    columns["report_passed"] = _largest_so_far(close_to_it, quarter, next_quarter)
    return columns


def _kernel(away: Array, width: float, weight: Array) -> Array:
    """Return the weighted mean of Gaussians over the past reports, for (n, reports) days away."""
    # not a matrix product: its last bits depend on how many rows there are
    mean: Array = (np.exp(-0.5 * (away / width) ** 2) * weight).sum(axis=1)
    return mean


def _largest_so_far(values: Array, quarter: Indices, next_quarter: Indices, window: int = 26) -> Array:
    """Return the largest of the last values of the next session's quarter; 0 when it begins a new one."""
    import pandas as pd

    rolling = pd.Series(values).groupby(quarter).rolling(window, min_periods=1).max().to_numpy()
    return np.where(quarter == next_quarter, rolling, 0.0)


def _sizes(
    next_quarter: Indices, past: dict[int, Indices], log_return: Array, surprise: Array
) -> dict[str, Array]:
    """Return the usual move on past reports, in log return and in usual days' moves; 0 while too few are known."""
    move, multiple = np.zeros(len(log_return)), np.zeros(len(log_return))
    for k in np.unique(next_quarter):
        reports = past.get(int(k) - 1, np.zeros(0, int))
        if len(reports) >= LEAST_PAST:
            mine = next_quarter == k
            move[mine] = np.log(np.minimum(np.abs(log_return[reports]), 0.3).mean() + 1e-4)
            multiple[mine] = np.log(np.median(surprise[reports]) + 1e-2)
    return {"log_report_move": move, "log_report_surprise": multiple}
