"""Bars come out of the Hudi table exactly as they were written, whatever was read before."""

from __future__ import annotations

import pandas as pd
import pytest

from nearcast.errors import ForecastError
from nearcast.forecast.bars import COLUMNS, COMMIT_TIME, BarReader, latest_commit, read_bars
from nearcast.lake.quarantine import leave_out
from nearcast.lake.snapshot import read_snapshot
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

FIRST, SECOND, THIRD = "20230925200000000", "20230925200001000", "20230925200002000"


def test_bars_equal_what_was_committed_and_name_the_commit(
    home: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    lake.commit(FIRST, netflix)
    bars = read_bars(home)
    pd.testing.assert_frame_equal(bars[COLUMNS], netflix[COLUMNS])
    assert set(bars[COMMIT_TIME]) == {FIRST}
    assert latest_commit(home) == FIRST


def test_a_reader_that_remembers_gives_the_same_as_a_whole_read_after_an_update_and_a_delete(
    home: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    lake.commit(FIRST, netflix[:-1])
    reader = BarReader(lake.path)
    reader.read()
    changed = netflix[-30:].assign(close_price=netflix["close_price"][-30:] + 0.25)
    lake.commit(SECOND, changed)
    reader.read()
    lake.delete(THIRD, "NFLX", "2022-06-15")
    bars = reader.read()
    whole = read_snapshot(home).to_pandas().sort_values("date", ignore_index=True)
    whole["date"] = pd.to_datetime(whole["date"]).astype("datetime64[ns]")
    pd.testing.assert_frame_equal(bars[COLUMNS], whole[COLUMNS])
    assert len(bars) == len(netflix) - 1
    assert bars[bars[COMMIT_TIME] == SECOND]["close_price"].tolist() == changed["close_price"].tolist()


def test_only_files_that_changed_are_read_again(lake: HudiTable, netflix: pd.DataFrame) -> None:
    lake.commit(FIRST, netflix[:-1])
    reader = BarReader(lake.path)
    reader.read()
    before = set(reader._slices)
    lake.commit(SECOND, netflix[-1:])
    reader.read()
    assert len(before) == 11  # the years 2013 to 2023
    assert len(before - set(reader._slices)) == 1


def test_an_empty_lake_and_an_unknown_symbol_are_named(
    home: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    assert latest_commit(home) is None
    with pytest.raises(ForecastError, match="is empty"):
        read_bars(home)
    lake.commit(FIRST, netflix)
    with pytest.raises(ForecastError, match="no rows of TSLA"):
        read_bars(home, ["NFLX", "TSLA"])


def test_exactly_the_quarantined_versions_are_left_out(netflix: pd.DataFrame) -> None:
    bars = netflix.assign(version=netflix.index % 700)  # a version may be that of several symbols or days
    wrong = {("NFLX", netflix["date"][i].date(), i % 700) for i in (0, 701, 2698)}
    others = {("META", netflix["date"][3].date(), 3), ("NFLX", netflix["date"][4].date(), 5)}
    sound = leave_out(bars, wrong | others)
    pd.testing.assert_frame_equal(sound, bars.drop(index=[0, 701, 2698]).reset_index(drop=True))
    assert leave_out(bars, others) is bars


def test_without_a_database_nothing_is_left_out_and_that_is_said(
    home: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    lake.commit(FIRST, netflix)
    with pytest.warns(UserWarning, match="quarantined rows are not left out"):
        assert len(read_bars(home)) == len(netflix)
