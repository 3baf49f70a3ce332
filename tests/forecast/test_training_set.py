"""A training set can be made again from its commit, to the bit, whatever became of the table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from nearcast.errors import ForecastError, LakeError
from nearcast.forecast.bars import COLUMNS, as_bars, read_bars
from nearcast.forecast.training_set import commit_to_train_on, sha256, training_set
from nearcast.lake.sync import sync
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"


def instant(number: int) -> str:
    return f"20230925200{number:03d}000"


def test_a_hundred_commits_and_a_cleaning_later_a_new_home_makes_it_again_to_the_bit(
    home: Settings, table: HudiTable, all_bars: pd.DataFrame, tmp_path: Path
) -> None:
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").head(400)
    table.commit(instant(0), two.sample(frac=1, random_state=1))
    sync(home)
    first = training_set(home, commit_to_train_on(home))
    pd.testing.assert_frame_equal(as_bars(first)[COLUMNS], two[COLUMNS].reset_index(drop=True))
    pd.testing.assert_frame_equal(as_bars(first)[COLUMNS], read_bars(home)[COLUMNS])
    alone = training_set(home, instant(0), ["NFLX"])
    assert set(alone["stock_symbol"].to_pylist()) == {"NFLX"}

    for number in range(1, 101):
        changed = two.iloc[number : number + 2]
        table.commit(instant(number), changed.assign(close_price=changed["close_price"] + number))
    for number in range(96):
        for file in table.path.rglob(f"*{instant(number)}*"):
            file.unlink()

    fresh = home.model_copy(update={"home": tmp_path / "fresh"})
    again = training_set(fresh, instant(0))
    assert again.schema.equals(first.schema, check_metadata=True)
    assert again.equals(first)
    assert sha256(again) == sha256(first)
    assert sha256(training_set(fresh, instant(0), ["NFLX"])) == sha256(alone) != sha256(first)
    with pytest.raises(LakeError, match="can not be read as of"):
        training_set(fresh, instant(50))
    shutil.rmtree(table.path.parent / "snapshots")
    with pytest.raises(LakeError, match="can not be read as of"):
        training_set(fresh, instant(0))


def test_the_hash_is_that_of_the_values_and_of_their_types() -> None:
    rows = pa.table({"close_price": [1.0, 2.0], "version": [1, 2]})
    assert sha256(rows) == sha256(pa.concat_tables([rows[:1], rows[1:]]).combine_chunks())
    one_bit = pa.table({"close_price": [1.0, 2.0000000000000004], "version": [1, 2]})
    other_type = rows.cast(pa.schema([("close_price", pa.float64()), ("version", pa.int32())]))
    assert len({sha256(table) for table in (rows, one_bit, other_type, rows.take([1, 0]))}) == 4


def test_an_empty_lake_and_a_missing_symbol_are_named(
    home: Settings, table: HudiTable, netflix: pd.DataFrame
) -> None:
    with pytest.raises(ForecastError, match="The lake is empty"):
        commit_to_train_on(home)
    table.commit(COMMIT, netflix[:10])
    with pytest.raises(ForecastError, match="no rows of TSLA"):
        training_set(home, COMMIT, ["NFLX", "TSLA"])
