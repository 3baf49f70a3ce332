"""Report days: found where they are, expected where they come next, and nothing known before its time."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.errors import ForecastError
from nearcast.forecast.features import features
from nearcast.forecast.report_days import (
    KERNELS,
    PAST,
    PERIOD,
    REPORT_FEATURES,
    _inferred_events,
    _transition,
    report_dates,
    report_day_features,
    report_day_labels,
)
from nearcast.forecast.sessions import next_sessions, sessions
from nearcast.schema import PRICE_COLUMNS

Array = npt.NDArray[np.float64]

FIRST_REPORT = np.datetime64("2015-01-22")
"""A Thursday, as are all that follow by thirteen weeks; one in each quarter to 2018, and none a holiday."""

LAST_DAY = np.datetime64("2018-06-29")


@pytest.fixture(scope="module")
def reports() -> npt.NDArray[np.datetime64]:
    """The sessions of the made-up company that react to its reports."""
    days = FIRST_REPORT + PERIOD * np.arange(14)
    assert np.isin(days, sessions()).all()
    return days[days <= LAST_DAY]


@pytest.fixture(scope="module")
def company(reports: npt.NDArray[np.datetime64]) -> pd.DataFrame:
    """Calm prices from 2015 on that jump by about 8 % on each report, at the open, on four times the volume."""
    random = np.random.default_rng(7)
    days = sessions()
    days = days[(days >= np.datetime64("2015-01-02")) & (days <= LAST_DAY)]
    reacts = np.isin(days, reports)
    jump = np.where(reacts, random.choice([-1, 1], len(days)) * random.normal(0.08, 0.01, len(days)), 0.0)
    intraday = random.normal(0, 0.01, len(days))
    gap = random.normal(0, 0.002, len(days)) + jump
    close = 100 * np.exp(np.cumsum(gap + intraday))
    opens = close * np.exp(-intraday)
    wick = np.exp(np.abs(random.normal(0, 0.004, (2, len(days)))))
    volume = 1e6 * np.exp(random.normal(0, 0.2, len(days))) * np.where(reacts, 4, 1)
    return pd.DataFrame(
        {
            "stock_symbol": "MADE",
            "date": days.astype("datetime64[ns]"),
            "open_price": opens,
            "high_price": np.maximum(opens, close) * wick[0],
            "low_price": np.minimum(opens, close) / wick[1],
            "close_price": close,
            "volume": volume.astype(int),
        }
    )


def returns(bars: pd.DataFrame) -> Array:
    """Return the daily log returns, 0 on the first day."""
    return np.diff(np.log(bars["close_price"].to_numpy(float)), prepend=np.log(bars["close_price"].iloc[0]))


def days_of(bars: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    return bars["date"].to_numpy().astype("datetime64[D]")


def quarter(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return np.asarray(days.astype("datetime64[M]").astype(int) // 3)


def test_the_labels_are_the_true_reports_up_to_the_last_quarter_that_is_over(
    company: pd.DataFrame, reports: npt.NDArray[np.datetime64]
) -> None:
    labels = report_day_labels(company, returns(company))
    following = next_sessions(days_of(company))
    known = np.isfinite(labels)
    np.testing.assert_array_equal(known, following < np.datetime64("2018-07-01"))
    np.testing.assert_array_equal(labels[known], np.isin(following, reports)[known])
    cut = company[:-1]  # the quarter's last session is missing
    known = np.isfinite(report_day_labels(cut, returns(cut)))
    np.testing.assert_array_equal(known, next_sessions(days_of(cut)) < np.datetime64("2018-04-01"))


def test_the_kernels_peak_on_the_eve_of_the_next_report(
    company: pd.DataFrame, reports: npt.NDArray[np.datetime64]
) -> None:
    table = report_day_features(company, returns(company))
    following, quarters = next_sessions(days_of(company)), quarter(next_sessions(days_of(company)))
    eves = np.flatnonzero(np.isin(following, reports))
    for eve in eves[2:]:  # two reports of the past are needed
        mine = quarters == quarters[eve]
        for width in KERNELS:
            kernel = table[f"report_kernel_{width:g}"]
            assert kernel[mine].max() == kernel[eve] == pytest.approx(1.0)
        assert table["report_weekday"][eve] == 1
        assert table["report_overdue"][eve] == 0
        assert (table["report_overdue"][mine] == (following[mine] - following[eve]).astype(int)).all()
        after = mine & (np.arange(len(mine)) > eve) & (np.arange(len(mine)) < eve + 26)
        before = mine & (np.arange(len(mine)) <= eve)
        assert table["report_passed"][after].min() > 2 * table["report_passed"][before].max()
        assert table["log_report_move"][eve] == pytest.approx(np.log(0.08), abs=0.3)
        assert table["log_report_surprise"][eve] > np.log(4)
    assert (table["report_kernel_year"][eves[4:]] == 1).all()
    assert (table["report_kernel_year"][eves[:4]] < 1).all()
    for name in REPORT_FEATURES:  # nothing is expected of the first two quarters
        if name != "report_passed":
            assert (table[name][quarters <= quarters[0] + 1] == 0).all(), name


@pytest.mark.parametrize("length", [1, 2, 59, 61, 62, 63, 120, 189, 190, 253, 700])
def test_features_of_a_truncated_history_are_those_of_the_whole_bit_by_bit(
    company: pd.DataFrame, length: int
) -> None:
    whole, cut = features(company), features(company[:length])
    pd.testing.assert_frame_equal(cut, whole[:length], check_exact=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(length=st.integers(1, 2699), changed=st.sampled_from([*PRICE_COLUMNS, "volume"]))
def test_no_later_bar_changes_a_feature_or_a_label_that_is_known(
    netflix: pd.DataFrame, length: int, changed: str
) -> None:
    """On real prices, whatever the day; the labels of quarters that are over stay what they are."""
    other = netflix.astype({"volume": float})
    other.loc[length:, changed] *= 1.7
    before, after = (report_day_features(bars, returns(bars)) for bars in (netflix[:length], other))
    for name, values in before.items():
        np.testing.assert_array_equal(after[name][:length], values, err_msg=name)
    labels, later = (report_day_labels(bars, returns(bars)) for bars in (netflix[:length], other))
    known = np.isfinite(labels)
    np.testing.assert_array_equal(later[:length][known], labels[known])


def test_real_reports_are_found(netflix: pd.DataFrame) -> None:
    """Sessions that reacted to reports of Netflix (its letters to shareholders are dated the evening before)."""
    days = ["2014-10-16", "2015-07-16", "2016-10-18", "2018-07-17", "2020-07-17", "2021-04-21", "2022-04-20"]
    labels = report_day_labels(netflix, returns(netflix))
    following = next_sessions(days_of(netflix))
    assert np.isin(np.array(days, "datetime64[D]"), following[labels == 1]).all()
    assert np.nansum(labels) == len(np.unique(quarter(following[np.isfinite(labels)])))


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    seed=st.integers(0, 10_000),
)
def test_the_path_through_the_quarters_is_the_best_of_all_paths(sizes: list[int], seed: int) -> None:
    """Every path is enumerated, as seen at the end of each quarter."""
    random = np.random.default_rng(seed)
    quarters = np.repeat(np.arange(len(sizes)), sizes)
    days = np.concatenate(
        [91 * k + np.sort(random.choice(91, size, replace=False)) for k, size in enumerate(sizes)]
    )
    surprise, gap, volume = np.exp(random.normal(0, 1, (3, len(days))))
    events = _inferred_events(days, quarters, surprise, gap, volume)
    evidence = 0.7 * np.log(surprise + 0.3) + 0.7 * np.log(gap + 0.3) + 2 * np.log(volume + 0.1)

    def score(path: tuple[int, ...]) -> float:
        spacing = np.diff(days[list(path)])
        return float(evidence[list(path)].sum() + _transition(spacing).sum())

    for k in range(len(sizes)):
        choices = [np.flatnonzero(quarters == one).tolist() for one in range(k + 1)]
        best = max(itertools.product(*choices), key=score)
        found = tuple(int(row) for row in events[k][::-1])
        assert score(found) == pytest.approx(score(best), abs=1e-9)
        assert len(found) == min(PAST, k + 1)


def test_reports_thirteen_weeks_apart_on_the_same_weekday_are_the_likeliest() -> None:
    spacing = np.arange(1, 200)
    assert spacing[_transition(spacing).argmax()] == PERIOD
    same, other = np.exp(
        _transition(np.array([77, 78]))
    )  # both are rare: the regular part counts for nothing
    assert np.exp(_transition(spacing)).sum() == pytest.approx(1, abs=0.15)
    assert same > other


def test_scheduled_days_replace_the_inferred_ones(
    company: pd.DataFrame, reports: npt.NDArray[np.datetime64]
) -> None:
    """Reports that no price speaks for: the labels and the sizes are theirs, and nothing is expected by kernels."""
    moved = reports - 1  # Wednesdays: calm days
    table = report_day_features(company, returns(company), moved)
    following = next_sessions(days_of(company))
    np.testing.assert_array_equal(table["report_scheduled"], np.isin(following, moved))
    np.testing.assert_array_equal(
        report_day_labels(company, returns(company), moved), np.isin(following, moved)
    )
    for name in REPORT_FEATURES[:10]:
        assert (table[name] == 0).all()
    calm, wild = (table, report_day_features(company, returns(company), reports))
    assert calm["log_report_move"][-1] < np.log(0.03) < np.log(0.06) < wild["log_report_move"][-1]
    rows = np.flatnonzero(np.isin(days_of(company), reports))
    expected = np.log(np.abs(returns(company)[rows[-1 - PAST : -1]]).mean() + 1e-4)
    # on the last day of March the report of April is announced, not known
    end_of_march = np.flatnonzero(days_of(company) < np.datetime64("2018-03-29"))[-1]
    assert wild["log_report_move"][end_of_march] == pytest.approx(
        np.log(np.abs(returns(company)[rows[-2 - PAST : -2]]).mean() + 1e-4)
    )
    in_june = np.flatnonzero(days_of(company) == np.datetime64("2018-06-20"))[0]
    assert wild["log_report_move"][in_june] == pytest.approx(expected)


def test_dates_of_the_future_are_announced(company: pd.DataFrame) -> None:
    scheduled = np.array(["2018-07-02", "2019-07-02"], "datetime64[D]")
    assert report_day_features(company, returns(company), scheduled)["report_scheduled"][-1] == 1


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("volume", [0, 1000])
def test_a_price_that_stands_still_has_no_reports_and_no_warnings(company: pd.DataFrame, volume: int) -> None:
    still = company.assign(**dict.fromkeys(PRICE_COLUMNS, 10.0), volume=volume)
    table = report_day_features(still, returns(still))
    assert all(np.isfinite(values).all() for values in table.values())


def written(path: Path, text: str) -> Path:
    """Return a file of its own for the text: what was read is remembered by its path."""
    file = path / f"{len(list(path.iterdir()))}.csv"
    file.write_text(text)
    return file


def test_a_file_of_report_dates_is_read_in_any_order_and_spelling(tmp_path: Path) -> None:
    lines = (
        "x,2020-04-22,nflx",
        ",2020-01-22,NFLX",
        ",2020-01-22,NFLX ",
        ",2020-01-29,NA",
        ",2020-02-01,TRUE",
    )
    dates = report_dates(written(tmp_path, "\n".join(["note,Date,SYMBOL", *lines])))
    assert {symbol: days.astype(str).tolist() for symbol, days in dates.items()} == {
        "NFLX": ["2020-01-22", "2020-04-22"],
        "NA": ["2020-01-29"],
        "TRUE": ["2020-02-01"],
    }
    assert report_dates(written(tmp_path, "symbol,date\n")) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "symbol\nNFLX\n",
        "ticker,date\nNFLX,2020-01-22\n",
        "symbol,date\nNFLX,22.01.2020\n",
        "symbol,date\nNFLX,20200122\n",
        "symbol,date\nNFLX,2020-02-30\n",
        "symbol,date\nNFLX,2020-01-22 09:30\n",
        "symbol,date\nNFLX,\n",
        "symbol,date\nNFLX,NaT\n",
        "symbol,date\nNFLX\n",
        "symbol,date\n,2020-01-22\n",
        "symbol,date\nNFLX,1e400\n",
        "symbol,date\nNFLX,2020-01-22,2020-04-22\n",
        "symbol,Symbol,date\nNFLX,NFLX,2020-01-22\n",
        "symbol,date,DATE\nNFLX,2020-01-22,2020-01-22\n",
        'symbol,date\n"NFLX,2020-01-22\n',
    ],
)
def test_what_is_no_file_of_report_dates_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ForecastError, match="cannot be read") as error:
        report_dates(written(tmp_path, text))
    assert "NEARCAST_REPORT_DATES" in error.value.todo


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"symbol,date\n\xff\xfe,2020-01-22")
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "binary.csv"):
        with pytest.raises(ForecastError, match="cannot be read"):
            report_dates(path)


CELLS = st.one_of(
    st.dates().map(str),
    st.sampled_from(
        ["NFLX", "A", "", "NaN", "NaT", "0", "1e999", "-1", "2020-1-5", "True", '"', "ü", "\x00"]
    ),
    st.text(max_size=6).filter(lambda text: not any("\ud800" <= one <= "\udfff" for one in text)),
)


@pytest.mark.filterwarnings("error")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.lists(st.sampled_from(["symbol", "date", "Date", "note", "", "x"]), min_size=1, max_size=4),
    rows=st.lists(st.lists(CELLS, max_size=5), max_size=5),
    raw=st.booleans(),
)
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path: Path, header: list[str], rows: list[list[str]], raw: bool
) -> None:
    buffer = io.StringIO()
    if raw:
        buffer.write("\n".join(",".join(row) for row in [header, *rows]))
    else:
        csv.writer(buffer).writerows([header, *rows])
    try:
        dates = report_dates(written(tmp_path, buffer.getvalue()))
    except ForecastError:
        return
    for symbol, days in dates.items():
        assert symbol == symbol.strip().upper() != ""
        assert len(days)
        assert not np.isnat(days).any()
        assert (np.diff(days) > np.timedelta64(0)).all()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NFLX", "AAPL", "NA"]), st.dates(min_value=pd.Timestamp("1980-01-01").date())
        ),
        max_size=20,
    ),
    st.permutations(["symbol", "date", "note"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_date_that_is_written_is_read(
    tmp_path: Path, reports: list[tuple[str, object]], columns: list[str]
) -> None:
    cells = [{"symbol": symbol, "date": str(day), "note": "anything, really"} for symbol, day in reports]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns)
    writer.writeheader()
    writer.writerows(cells)
    dates = report_dates(written(tmp_path, buffer.getvalue()))
    read = {(symbol, str(day)) for symbol, days in dates.items() for day in days}
    assert read == {(symbol, str(day)) for symbol, day in reports}
