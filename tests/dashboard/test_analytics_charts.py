"""The analytics page's figures draw the rows that they are given, and are those of the QuickSight template."""

from __future__ import annotations

import datetime
from typing import Any

import pandas as pd

from nearcast.dashboard import analytics_charts as charts
from nearcast.dashboard.analytics import VISUALS
from nearcast.dashboard.lake_queries import Choice, filtered
from nearcast.lake.saved import saved_query
from tests.local.gateway.analytics_template import properties

DAYS = [datetime.date(2024, 1, day) for day in (2, 3, 4, 5, 8)]


def forecasts() -> pd.DataFrame:
    """Return forecasts of two models and two horizons; the last day has not come, one has no baseline."""
    rows = [
        {
            "date": day,
            "horizon": horizon,
            "model_version": model,
            "q025": 90.0 - place,
            "q100": 95.0 - place,
            "q500": 100.0 + place,
            "q900": 105.0 + place,
            "q975": 110.0 + place,
            "actual": None if place == 4 else 101.0,
            "pinball_loss": None if place == 4 else 0.01 * (place + 1) * horizon,
            "baseline_loss": None if place in (0, 4) else 0.02,
            "inside_80": None if place == 4 else int(place > 1),
            "inside_95": None if place == 4 else int(place > 0),
        }
        for model in ("a/1", "b/1")
        for horizon in (1, 2)
        for place, day in enumerate(DAYS)
    ]
    return pd.DataFrame(rows)


def traces(figure: Any) -> dict[str, Any]:
    """Return the traces of a figure by name."""
    return {trace.name: trace for trace in figure.data}


def test_the_visuals_are_those_of_quicksight_under_the_same_titles_and_from_the_same_queries() -> None:
    sheets = properties("Template")["Definition"]["Sheets"]
    drawn = [visual for sheet in sheets for one in sheet["Visuals"] for visual in one.values()]
    assert [visual["Title"]["FormatText"]["PlainText"] for visual in drawn] == [one.title for one in VISUALS]
    named = {
        placeholder: next(iter(properties(logical_id)["PhysicalTableMap"].values()))["CustomSql"]["Name"]
        for placeholder, logical_id in (
            ("prices", "PricesDataSet"),
            ("months", "MonthsDataSet"),
            ("forecasts", "ForecastsDataSet"),
        )
    }
    for visual, here in zip(drawn, VISUALS, strict=True):
        [wells] = visual["ChartConfiguration"]["FieldWells"].values()
        [first] = wells["Category"][0].values()
        assert named[first["Column"]["DataSetIdentifier"]] == here.query


def test_the_filters_lie_around_the_saved_query_and_a_symbol_cannot_end_its_text() -> None:
    choice = Choice("O'X", DAYS[0], DAYS[-1])
    sql = filtered("monthly_candles", choice)
    assert saved_query("monthly_candles").rstrip() in sql
    assert "stock_symbol = 'O''X'" in sql
    assert "month BETWEEN DATE '2024-01-02' AND DATE '2024-01-08'" in sql


def test_the_ratio_is_of_the_sums_over_what_has_both_losses() -> None:
    drawn = traces(charts.pinball_ratio(forecasts()))
    assert set(drawn) == {"a/1", "b/1"}
    # Days 2 to 4: losses of 0.02, 0.03 and 0.04 a session ahead, the baseline's 0.02 each.
    assert list(drawn["a/1"].x) == [1, 2]
    assert [round(value, 12) for value in drawn["a/1"].y] == [1.5, 3.0]


def test_coverage_is_of_the_days_that_have_come() -> None:
    drawn = traces(charts.coverage(forecasts()))
    assert list(drawn["80 % band"].y) == [0.5, 0.5] and list(drawn["95 % band"].y) == [0.75, 0.75]


def test_a_forecast_whose_day_has_not_come_has_bands_and_no_close() -> None:
    mine = forecasts().query("horizon == 1 and model_version == 'a/1'")
    drawn = traces(charts.forecast_and_actual(mine))
    assert list(drawn["95 % band"].x) == DAYS
    assert list(drawn["95 % band"].y) == list(mine["q975"])
    assert list(drawn["95 % band, from"].y) == list(mine["q025"])
    assert list(drawn["80 % band"].y) == list(mine["q900"]) and list(drawn["median"].y) == list(mine["q500"])
    assert drawn["close that came"].y[3] == 101.0 and pd.isna(drawn["close that came"].y[4])


def test_without_an_outcome_there_are_no_bars_to_draw() -> None:
    rows = forecasts()
    to_come = rows[rows["actual"].isna()]
    assert not charts.pinball_ratio(to_come).data
    assert not charts.coverage(to_come).data
