"""analytics.yaml says of queries, columns and names what is so; QuickSight itself would only say it when deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from nearcast.lake.saved import saved_query
from tests.infrastructure.templates import ACCOUNT, templates
from tests.local.gateway.analytics_template import definition_hash, properties

DATA_SETS = {"prices": "PricesDataSet", "months": "MonthsDataSet", "forecasts": "ForecastsDataSet"}
"""The logical id of each data set, by what the definition calls it."""


def definition() -> dict[str, Any]:
    """Return the definition of analysis and dashboard."""
    found: dict[str, Any] = properties("Template")["Definition"]
    return found


def custom_sql(logical_id: str) -> dict[str, Any]:
    """Return the query of a data set and its columns."""
    [table] = properties(logical_id)["PhysicalTableMap"].values()
    found: dict[str, Any] = table["CustomSql"]
    return found


def members(value: Any, name: str) -> Iterator[Any]:
    """Yield every member of this name, however deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from members(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from members(item, name)


def visuals(sheet: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the visuals of a sheet by their ids."""
    return {one["VisualId"]: one for visual in sheet["Visuals"] for one in visual.values()}


@pytest.mark.parametrize("logical_id", DATA_SETS.values())
def test_a_data_sets_sql_is_that_of_the_saved_query(logical_id: str) -> None:
    held = custom_sql(logical_id)
    lines = saved_query(held["Name"]).splitlines()
    sql = held["SqlQuery"]
    # QuickSight names no database to Athena, whose own is another.
    assert not re.search(r"\b(?:FROM|JOIN) (?:prices|forecasts)\b", sql)
    held_lines = sql.replace(" nearcast.", " ").splitlines()
    assert held_lines == [line for line in lines if not line.lstrip().startswith("--")]


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_definition_knows_the_columns_of_its_data_sets(name: str) -> None:
    [schema] = [one for one in definition()["DataSetConfigurations"] if one["Placeholder"] == name]
    columns = {column["Name"]: column["DataType"] for column in schema["DataSetSchema"]["ColumnSchemaList"]}
    assert columns == {column["Name"]: column["Type"] for column in custom_sql(DATA_SETS[name])["Columns"]}


def test_every_column_that_is_drawn_or_filtered_is_one_of_its_data_set() -> None:
    known = {
        name: {column["Name"] for column in custom_sql(logical_id)["Columns"]}
        for name, logical_id in DATA_SETS.items()
    }
    for field in definition()["CalculatedFields"]:
        known[field["DataSetIdentifier"]].add(field["Name"])
    used = [*members(definition(), "Column"), *members(definition(), "LinkToDataSetColumn")]
    assert len(used) > 30
    assert [one for one in used if one["ColumnName"] not in known[one["DataSetIdentifier"]]] == []


def test_every_parameter_is_declared_and_every_control_and_visual_has_its_place() -> None:
    declared = {one["Name"] for kind in definition()["ParameterDeclarations"] for one in kind.values()}
    named = {*members(definition(), "SourceParameterName"), *members(definition(), "ParameterName")}
    named |= {*members(definition(), "Parameter")}
    assert named == declared == {"Symbol", "From", "To", "Horizon"}
    for sheet in definition()["Sheets"]:
        assert set(visuals(sheet)) == {one["ElementId"] for one in elements(sheet["Layouts"])}
        controls = {*members(sheet["ParameterControls"], "ParameterControlId")}
        assert controls == {one["ElementId"] for one in elements(sheet["SheetControlLayouts"])}


def elements(layouts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a sheet's layout places."""
    found: list[dict[str, Any]] = layouts[0]["Configuration"]["GridLayout"]["Elements"]
    return found


def test_no_visual_lies_upon_another_and_none_leaves_the_grid_of_36_columns() -> None:
    for sheet in definition()["Sheets"]:
        taken: set[tuple[int, int]] = set()
        for one in elements(sheet["Layouts"]):
            cells = {
                (row, column)
                for row in range(one["RowIndex"], one["RowIndex"] + one["RowSpan"])
                for column in range(one["ColumnIndex"], one["ColumnIndex"] + one["ColumnSpan"])
            }
            assert not cells & taken and max(column for _, column in cells) < 36
            taken |= cells


def test_sorting_and_styles_speak_of_fields_that_the_visual_has_and_ids_are_there_once() -> None:
    for sheet in definition()["Sheets"]:
        for name, visual in visuals(sheet).items():
            wells = [*members(visual["ChartConfiguration"]["FieldWells"], "FieldId")]
            assert len(wells) == len(set(wells)) > 0
            assert set(members(visual["ChartConfiguration"], "FieldId")) == set(wells), name
    for kind in ("VisualId", "FilterId", "FilterGroupId", "ParameterControlId", "SheetId"):
        found = [one for one in members(definition(), kind) if isinstance(one, str)]
        scoped = [*members(definition()["FilterGroups"], "SheetId")] if kind == "SheetId" else []
        assert len(found) - len(scoped) == len(set(found)), kind


def test_a_filter_of_some_visuals_names_such_as_there_are() -> None:
    by_sheet = {sheet["SheetId"]: set(visuals(sheet)) for sheet in definition()["Sheets"]}
    [scopes] = members(definition()["FilterGroups"], "SheetVisualScopingConfigurations")
    assert all(set(scope["VisualIds"]) <= by_sheet[scope["SheetId"]] for scope in scopes)


def test_the_name_of_the_definition_tells_its_content() -> None:
    """Else a change of it would reach neither the analysis nor the dashboard."""
    named = templates()["analytics"].resources["Template"]["Properties"]["TemplateId"]["Fn::Sub"]
    assert named == f"nearcast-${{Environment}}-{definition_hash()}"


@pytest.mark.parametrize("logical_id", ["Analysis", "Dashboard"])
def test_analysis_and_dashboard_are_made_from_it_with_every_data_set(logical_id: str) -> None:
    source = templates()["analytics"].resources[logical_id]["Properties"]["SourceEntity"]["SourceTemplate"]
    assert source["Arn"] == {"Fn::GetAtt": ["Template", "Arn"]}
    assert {one["DataSetPlaceholder"]: one["DataSetArn"] for one in source["DataSetReferences"]} == {
        name: {"Fn::GetAtt": [data_set, "Arn"]} for name, data_set in DATA_SETS.items()
    }


@mock_aws
def test_motos_quicksight_makes_them_from_the_same_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto knows these calls; of a data set it keeps the name alone."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("quicksight", region_name="us-east-1")
    source = properties("DataSource")
    client.create_data_source(**source)
    told = client.describe_data_source(AwsAccountId=ACCOUNT, DataSourceId=source["DataSourceId"])[
        "DataSource"
    ]
    assert {name: told[name] for name in ("Name", "Type", "DataSourceParameters", "SslProperties")} == {
        name: source[name] for name in ("Name", "Type", "DataSourceParameters", "SslProperties")
    }
    for logical_id in DATA_SETS.values():
        data_set = properties(logical_id)
        made = client.create_data_set(**data_set)
        assert made["DataSetId"] == data_set["DataSetId"]
    dashboard = properties("Dashboard")
    client.create_dashboard(**dashboard)
    shown = client.describe_dashboard(AwsAccountId=ACCOUNT, DashboardId=dashboard["DashboardId"])["Dashboard"]
    assert (shown["Name"], shown["DashboardId"]) == (dashboard["Name"], dashboard["DashboardId"])
