"""Each check finds the row that was planted in real prices, and nothing else."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.errors import LakeError
from nearcast.lake.checks.bar_schema import broken_laws
from nearcast.lake.checks.catalog import BY_NAME, CHECKS, Severity
from nearcast.lake.checks.finding import Finding
from nearcast.lake.checks.neighbours import (
    JUMP_FACTOR,
    JUMP_MADS,
    MAD_SESSIONS,
    MINIMUM_RETURNS,
    median_absolute_return,
)
from nearcast.lake.checks.rows import check_rows
from nearcast.schema import BAR, PRICE_COLUMNS
from nearcast.source.bar import Bar, fault

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
PRICES = list(PRICE_COLUMNS)
PLANTED = 1000
"""Position of the row that a fault is planted in: AAPL, 2016-12-20."""

REPORT_DAYS = {
    ("META", "2022-02-03"),
    ("NFLX", "2013-01-24"),
    ("NFLX", "2014-10-16"),
    ("NFLX", "2022-04-20"),
}
"""The four days after quarterly reports that moved a price of the bundled file by more than 35 %."""

Change = Callable[[pd.DataFrame], None]


def found(rows: pd.DataFrame, now: datetime.datetime = NOW) -> list[Finding]:
    """Return what the checks find beyond the four true jumps of the bundled prices."""
    return [
        one
        for one in check_rows(rows, "XNYS", now)
        if (one.check, one.stock_symbol, str(one.date)) not in {("jump", *day) for day in REPORT_DAYS}
    ]


def multiply(names: list[str], factor: float, last: int = PLANTED) -> Change:
    """Return a change that multiplies values from the planted row to ``last``."""

    def change(rows: pd.DataFrame) -> None:
        rows.loc[PLANTED:last, names] *= factor

    return change


def assign(name: str, value: object) -> Change:
    """Return a change of one value of the planted row."""

    def change(rows: pd.DataFrame) -> None:
        rows.loc[PLANTED, name] = value  # type: ignore[call-overload]

    return change


def test_the_bundled_prices_have_no_error_and_four_true_jumps(real: pd.DataFrame) -> None:
    all_found = check_rows(real, "XNYS", NOW)
    assert {(one.stock_symbol, str(one.date)) for one in all_found} == REPORT_DAYS
    assert [one.check for one in all_found] == ["jump"] * 4
    before = real.groupby("stock_symbol")["close_price"].shift()
    farthest = pd.concat([real["high_price"] / before, before / real["low_price"]], axis=1).max(axis=1)
    farthest_days = real.loc[farthest.nlargest(4).index, ["stock_symbol", "date"]].astype(str)
    assert set(farthest_days.itertuples(index=False, name=None)) == REPORT_DAYS


@pytest.mark.parametrize(
    ("check", "change", "reason"),
    [
        ("missing_value", assign("open_price", np.nan), "open_price missing"),
        ("missing_value", assign("volume", pd.NA), "volume missing"),
        ("price_not_positive", multiply(["low_price"], -1), "low_price -"),
        ("price_not_positive", assign("high_price", np.inf), "high_price inf"),
        ("negative_volume", multiply(["volume"], -1), "volume -"),
        ("high_too_low", multiply(["high_price"], 0.99), "high 2"),
        ("low_too_high", multiply(["low_price"], 1.001), "low 2"),
        ("spike", multiply(PRICES, 100), "close 2923.75 between 29.16 and 29.265"),
        ("spike", multiply(PRICES, 1 / 7), "close 4.17"),
        ("unadjusted_split", multiply(PRICES, 1 / 4, 2698), "like a split 4 for 1"),
        ("unadjusted_split", multiply(PRICES, 2 / 3, 2698), "like a split 1.5 for 1"),
        ("unadjusted_split", multiply(PRICES, 10, 2698), "like a split 1 for 10"),
        ("jump", multiply(PRICES, 1 / 1.75, 2698), "between 16.6"),
        ("jump", multiply(["high_price"], 10), "between 29.17 and 293.75"),
        ("jump", multiply(["low_price"], 0.1), "between 2.9"),
        ("no_session", assign("date", pd.Timestamp("2016-12-26")), "the exchange was closed"),
    ],
)
def test_a_planted_fault_is_found_in_its_row_and_nowhere_else(
    rows: pd.DataFrame, check: str, change: Change, reason: str
) -> None:
    change(rows)
    planted = rows.loc[PLANTED]
    errors = [one for one in found(rows) if one.check != "missing_session"]
    assert [(one.check, one.version) for one in errors] == [(check, planted["version"])]
    assert errors[0].date == planted["date"].date() and reason in errors[0].reason


def test_a_row_that_was_moved_to_a_holiday_is_also_missing_on_its_session(rows: pd.DataFrame) -> None:
    rows.loc[PLANTED, "date"] = pd.Timestamp("2016-12-26")
    missing = [one for one in found(rows) if one.check == "missing_session"]
    assert [(one.stock_symbol, str(one.date), one.version) for one in missing] == [
        ("AAPL", "2016-12-20", None)
    ]


def test_a_price_that_was_traded_on_the_way_is_no_spike() -> None:
    """GameStop in the last week of January 2021: its close fell by 44 % and rose by 68 % the day after."""
    days = pd.to_datetime([f"2021-01-{day}" for day in (25, 26, 27, 28, 29)]).astype("datetime64[ns]")
    bars = {
        "open_price": [96.73, 88.56, 354.83, 265.0, 379.71],
        "high_price": [159.18, 150.0, 380.0, 483.0, 413.98],
        "low_price": [61.13, 80.2, 249.0, 112.25, 250.0],
        "close_price": [76.79, 147.98, 347.51, 193.6, 325.0],
    }
    rest = {"volume": [177_874_000, 178_588_000, 93_396_700, 58_815_800, 50_566_100], "version": range(1, 6)}
    rows = pd.DataFrame({"stock_symbol": "GME", "date": days, **bars, **rest})
    rows = rows.astype({"volume": "Int64", "version": "Int64"})
    assert {one.check for one in check_rows(rows, "XNYS", NOW)} == {"jump"}


def test_a_spike_beside_a_gap_is_only_a_warning(rows: pd.DataFrame) -> None:
    rows.loc[PLANTED, PRICES] *= 100
    checks = [one.check for one in found(rows.drop(index=PLANTED + 1))]
    assert sorted(checks) == ["missing_session", "unadjusted_split", "unadjusted_split"]


def test_rows_of_two_symbols_are_no_neighbours(real: pd.DataFrame) -> None:
    """Apple, Amazon and Google on sessions that follow one another: Amazon's price is far below both others'."""
    apple, amazon, google = (real[real["stock_symbol"] == name] for name in ("AAPL", "AMZN", "GOOG"))
    assert found(pd.concat([apple[:1], amazon[1:2], google[2:3]], ignore_index=True)) == []
    assert found(pd.concat([apple[:1], amazon[3:4]], ignore_index=True)) == []


@pytest.mark.parametrize(("share", "is_spike"), [(0.8, False), (1.3, True)])
def test_a_volatile_share_may_move_farther(rows: pd.DataFrame, share: float, is_spike: bool) -> None:
    """The sixth power of Apple's prices moves six times as far as Apple."""
    apple = rows[:2699]
    apple.loc[:, PRICES] **= 6
    limit = JUMP_MADS * median_absolute_return(apple)[PLANTED]
    assert limit > 2 * np.log(JUMP_FACTOR)
    apple.loc[PLANTED, PRICES] *= np.exp(share * limit)
    assert [one.version for one in found(apple) if one.check == "spike"] == [PLANTED + 1] * is_spike


def test_frozen_bars_are_wrong_from_the_third_on_and_the_first_is_right(rows: pd.DataFrame) -> None:
    values = [*PRICES, "volume"]
    rows.loc[PLANTED + 1, values] = rows.loc[PLANTED, values]
    assert found(rows) == []
    rows.loc[PLANTED + 2, values] = rows.loc[PLANTED, values]
    assert [(one.check, one.version) for one in found(rows)] == [
        ("repeated_bar", PLANTED + 2),
        ("repeated_bar", PLANTED + 3),
    ]


def test_a_share_that_is_not_traded_is_reported_and_not_wrong(rows: pd.DataFrame) -> None:
    five = rows.index[PLANTED : PLANTED + 5]
    rows.loc[five, PRICES] = 29.0
    rows.loc[five, "volume"] = 0
    assert [(one.check, one.version) for one in found(rows)] == [
        ("stale_prices", PLANTED + 1 + after) for after in range(1, 5)
    ]


def test_the_same_key_twice_is_wrong_both_times(rows: pd.DataFrame) -> None:
    twice = pd.concat([rows, rows.loc[[PLANTED]].assign(version=99_999)], ignore_index=True)
    twice = twice.sort_values(["stock_symbol", "date", "version"], ignore_index=True)
    assert [(one.check, one.version) for one in found(twice)] == [
        ("duplicate_key", PLANTED + 1),
        ("duplicate_key", 99_999),
    ]


def test_a_day_is_future_until_its_session_has_closed(rows: pd.DataFrame) -> None:
    """The last day of the file is 2023-09-21, on which New York closed at 20:00 UTC."""
    closes = datetime.datetime(2023, 9, 21, 20, tzinfo=datetime.UTC)
    assert found(rows, closes) == []
    early = found(rows, closes - datetime.timedelta(seconds=1))
    assert [one.check for one in early] == ["future_date"] * 6
    assert {str(one.date) for one in early} == {"2023-09-21"}
    rows.loc[[PLANTED], "date"] = pd.Timestamp("2150-06-06")
    planted = rows.sort_values(["stock_symbol", "date"], ignore_index=True)
    assert {one.check for one in found(planted)} == {"future_date", "missing_session"}
    assert found(rows[:0]) == []


def test_a_symbol_that_ends_before_the_others_is_named_with_its_newest_row(real: pd.DataFrame) -> None:
    newest = real.groupby("stock_symbol").tail(5)
    four = real.drop(index=newest[newest["stock_symbol"] == "AMZN"].index[1:])
    five = real.drop(index=newest[newest["stock_symbol"] == "AMZN"].index)
    assert found(four) == []
    stale = found(five)
    assert [(one.check, one.stock_symbol, one.reason) for one in stale] == [
        ("stale_symbol", "AMZN", "newest row, 5 sessions behind")
    ]


def test_what_a_person_overruled_is_not_found_again_and_its_jumps_are(rows: pd.DataFrame) -> None:
    rows.loc[PLANTED, PRICES] *= 100
    (spike,) = found(rows)
    assert BY_NAME[spike.check].releasable
    again = check_rows(rows, "XNYS", NOW, {(spike.row, spike.check)})
    assert "spike" not in {one.check for one in again}
    assert [str(one.date) for one in again if one.stock_symbol == "AAPL"] == ["2016-12-20", "2016-12-21"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda rows: rows.assign(volume=rows["volume"].astype(float)), "column volume"),
        (lambda rows: rows.assign(date=rows["date"].astype(str)), "column date"),
        (lambda rows: rows.assign(currency="USD"), "currency"),
        (lambda rows: rows.drop(columns="low_price"), "low_price"),
        (lambda rows: rows.assign(version=rows["version"].where(rows.index != 7)), "1 rows have no symbol"),
    ],
)
def test_a_table_of_another_schema_cannot_be_checked(
    real: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], named: str
) -> None:
    with pytest.raises(LakeError, match=named) as raised:
        check_rows(change(real[:50]), "XNYS", NOW)
    assert raised.value.kept and raised.value.todo


def test_an_unknown_calendar_is_named(real: pd.DataFrame) -> None:
    with pytest.raises(LakeError, match="XXXX"):
        check_rows(real[:10], "XXXX", NOW)


def test_another_exchange_has_other_sessions(real: pd.DataFrame) -> None:
    """London traded on Independence Day and not on Boxing Day."""
    rows = real[(real["stock_symbol"] == "AAPL") & (real["date"].dt.year == 2017)]
    different = {str(one.date): one.check for one in check_rows(rows, "XLON", NOW)}
    assert different["2017-07-04"] == "missing_session" and different["2017-12-26"] == "no_session"


def test_the_laws_are_those_by_which_the_source_refuses_a_row() -> None:
    """`nearcast.source.bar.fault` says the same laws in another way; here they meet every kind of bar."""
    numbers = (-1.0, 0.0, 1e-9, 5.0, np.nextafter(5.0, 6.0), 6.0, np.inf)
    values = list(product(*[numbers] * 4, (-1, 0, 2**62)))
    days = np.arange(len(values)).astype("datetime64[D]").astype("datetime64[ns]")
    rows = pd.DataFrame(values, columns=[*PRICES, "volume"]).assign(stock_symbol="A", date=days)
    rows["version"] = rows.index
    rows = rows.astype({"volume": "Int64", "version": "Int64"})[[column.name for column in BAR]]
    day = datetime.date(2020, 1, 1)
    refused = {i for i, value in enumerate(values) if fault(Bar("A", day, *value))}
    assert {one.version for one in broken_laws(rows)} == refused
    # Of 4 prices 50 pairs of open and close lie between a low and a high; 2 of the 3 volumes are true.
    assert len(values) - len(refused) == 50 * 2


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(gone=st.sets(st.integers(1, 118), max_size=60))
def test_missing_sessions_are_exactly_the_rows_that_were_taken_out(
    real: pd.DataFrame, gone: set[int]
) -> None:
    part = real[real["stock_symbol"] == "GOOG"][-120:].reset_index(drop=True)
    left = check_rows(part.drop(index=list(gone)), "XNYS", NOW)
    missing = [one.date for one in left if one.check == "missing_session"]
    assert missing == [part.loc[i, "date"].date() for i in sorted(gone)]  # type: ignore[union-attr]
    assert all(BY_NAME[one.check].severity is Severity.WARNING for one in left)


def test_the_median_absolute_return_knows_only_the_returns_before_a_row(real: pd.DataFrame) -> None:
    two = real[real["stock_symbol"].isin(["META", "NFLX"])].reset_index(drop=True)
    median = median_absolute_return(two)
    for symbol in ("META", "NFLX"):
        mine = (two["stock_symbol"] == symbol).to_numpy()
        returns = np.abs(np.diff(np.log(two["close_price"].to_numpy(float)[mine])))
        for i in (0, 1, MINIMUM_RETURNS, MINIMUM_RETURNS + 1, 300, 2698):
            before = returns[: max(i - 1, 0)][-MAD_SESSIONS:]
            expected = np.median(before) if len(before) >= MINIMUM_RETURNS else 0.0
            assert median[mine][i] == pytest.approx(expected)


def test_every_check_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(CHECKS)
    assert not any(check.releasable for check in CHECKS if check.severity is not Severity.ERROR)
