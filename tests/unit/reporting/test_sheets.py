"""Files for spreadsheets: figures stay exact, and no text from outside is ever a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import get_args

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.adapters import sheets
from services.reporting.adapters.sheets import Money, SheetColumn, Workbook, csv_line, harmless, text_of
from services.reporting.entrypoints.exported_tables import TABLES
from shared.texts import Language

AT = datetime(2026, 3, 9, 2, 11, 12, tzinfo=UTC)


@pytest.mark.req("REP-15")
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        '=HYPERLINK("x")',
    ],
)
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"
    (row,) = csv.reader(io.StringIO(csv_line([text]), newline=""))
    assert row == [f"'{text}"]


@pytest.mark.req("REP-15")
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=1))
def test_whatever_the_text_a_line_is_read_back_as_it_was_and_begins_no_formula(texts: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_line(texts), newline=""))
    assert [cell.removeprefix("'") for cell in row] == [text.removeprefix("'") for text in texts]
    assert not any(cell.lstrip()[:1] in ("=", "+", "-", "@") for cell in row)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, ""),
        (Money(-5), "-0.05"),
        (Money(10**19 + 1), "100000000000000000.01"),
        (AT, "2026-03-09 10:11:12"),
        (date(2026, 3, 9), "2026-03-09"),
        (True, "1"),
        (["express", "letters"], "express, letters"),
    ],
)
def test_values_are_printed_as_people_here_read_them(value: sheets.Cell, printed: str) -> None:
    assert text_of(value) == printed


def test_negative_amounts_and_figures_stay_figures_and_codes_are_quoted_text() -> None:
    assert csv_line([Money(-1250), -3, "3205000000011", None]) == '-12.50,-3,"3205000000011",\r\n'


@pytest.mark.req("REP-15")
def test_a_workbook_holds_text_as_text_amounts_as_numbers_and_goes_on_in_another_sheet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS_MAX", 2)
    book = Workbook("客户", [SheetColumn("Code", 18), SheetColumn("Amount")], "customers-1-a&b-7", AT)
    try:
        book.add([["=1+1", Money(-1250)], ["3205000000011", Money(10**19)], ["x" * 40_000, None]])
        book.finish()
        read = openpyxl.load_workbook(book.path)
        first, second = read.worksheets
        assert [[cell.value for cell in row] for row in first] == [
            ["Code", "Amount"],
            ["=1+1", -12.5],
            ["3205000000011", "100000000000000000.00"],
        ]
        assert [cell.data_type for cell in first["A"]] == ["s", "s", "s"]
        assert len(second["A2"].value) == 32_767 and second["A1"].value == "Code"
        assert read.sheetnames == ["客户", "客户 2"]
        assert first.column_dimensions["A"].width > first.column_dimensions["B"].width > 10
        assert (first.auto_filter.ref, second.auto_filter.ref) == ("A1:B3", "A1:B2")
        assert "customers-1-a" in str(first.oddFooter.left.text)  # type: ignore[union-attr]
    finally:
        book.remove()
    assert not book.path.exists()


@pytest.mark.req("REP-15")
def test_dates_and_instants_are_real_ones_in_the_time_of_the_organisation() -> None:
    book = Workbook("变动", [SheetColumn("On"), SheetColumn("At")], "x", AT)
    try:
        book.add([[date(2026, 3, 9), AT]])
        book.finish()
        sheet = openpyxl.load_workbook(book.path).worksheets[0]
        assert [cell.value for cell in sheet[2]] == [datetime(2026, 3, 9), datetime(2026, 3, 9, 10, 11, 12)]
        assert [cell.number_format for cell in sheet[2]] == ["yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"]
    finally:
        book.remove()


def test_every_table_has_titles_in_both_languages_without_doubles() -> None:
    for name, table in TABLES.items():
        for language in get_args(Language):
            titles = [column.title(language) for column in table.columns]
            assert all(titles) and len(set(titles)) == len(titles), name
