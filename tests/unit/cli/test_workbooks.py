"""Workbooks as offices have them: what Excel stores is not what a person sees, and what a person sees is read."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest

from cli.import_customers import COLUMNS as CUSTOMERS
from cli.tabular import Table, open_table
from cli.transaction_rows import COLUMNS, REQUIRED
from cli.unusable import UnusableFile
from cli.workbooks import number_text, shows_date
from tests.support.workbook import Raw, Rows, write_workbook

pytestmark = pytest.mark.req("PLT-14")

HEADER = ["流水号", "客户代码", "业务种类", "交易类型", "金额", "业务日期"]
ROW = ["m-1", "3205990000011", "速递", "收入", Raw("1.5"), "2026-01-05"]


def opened(folder: Path, rows: Rows, **how: object) -> Table:
    path = write_workbook(folder / "book.xlsx", {"Sheet1": rows}, **how)  # type: ignore[arg-type]
    return open_table(path, COLUMNS, REQUIRED)


def test_an_empty_first_cell_is_an_empty_cell(tmp_path: Path) -> None:
    rows = list(opened(tmp_path, [HEADER, ROW, [None, *ROW[1:]]]).rows())
    assert [(row.number, row.values["id"]) for row in rows] == [(2, "m-1"), (3, "")]


def test_an_empty_first_column_and_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    table = opened(tmp_path, [[None, "一月交易明细"], [], [None, *HEADER], [None, *ROW]])
    (row,) = table.rows()
    assert (row.number, row.values["id"], row.problem) == (4, "m-1", None)
    assert "row 3" in table.notices[0] and "1 rows above" in table.notices[0]


@pytest.mark.parametrize("name", ["book.xls", "book.csv", "book", "book.XLSX.bak"])
@pytest.mark.parametrize("strict", [False, True])
def test_content_decides_what_a_file_is_in_both_forms_of_the_format(
    tmp_path: Path, name: str, strict: bool
) -> None:
    path = write_workbook(tmp_path / name, {"交易": [HEADER, ROW]}, strict=strict)
    (row,) = open_table(path, COLUMNS, REQUIRED).rows()
    assert (row.values["id"], row.values["amount"]) == ("m-1", "1.5")


def test_text_under_a_workbooks_name_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("客户名称\n甲\n", "gb18030")
    assert [row.values for row in open_table(path, CUSTOMERS, ["name"]).rows()] == [{"name": "甲"}]


@pytest.mark.parametrize("number", [*range(27, 32), 36, *range(50, 55), 57, 58, 14, 22])
@pytest.mark.parametrize(("epoch_1904", "serial"), [(False, "46027"), (True, "44565")])
def test_a_date_in_any_built_in_format_is_the_date(
    tmp_path: Path, number: int, epoch_1904: bool, serial: str
) -> None:
    cells = [*ROW[:5], Raw(serial, style=1)]
    (row,) = opened(tmp_path, [HEADER, cells], formats=[number], epoch_1904=epoch_1904).rows()
    assert row.values["business_date"] == "2026-01-05"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("46027.396608796298", "2026-01-05 09:31:07"),
        ("46027.999999999", "2026-01-06"),
        ("0.396608796298", "09:31:07"),
        ("1", "1900-01-01"),
        ("61", "1900-03-01"),
        ("99999999", "99999999"),
        ("-1", "-1"),
    ],
)
def test_a_serial_number_shown_as_a_date_is_the_instant_it_means(stored: str, shown: str) -> None:
    assert number_text(stored, is_date=True) == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("1234.3000000000002", "1234.3"),
        ("0.30000000000000004", "0.3"),
        ("1234.5599999999999", "1234.56"),
        ("88.199999999999989", "88.2"),
        ("1E-3", "0.001"),
        ("1.5E3", "1500"),
        ("3205990000011", "3205990000011"),
        ("320599000001101", "320599000001101"),
        ("3.20500000001234E+17", "3.20500000001234E+17"),
        ("320500000001234567", "320500000001234567"),
        ("0", "0"),
    ],
)
def test_a_number_is_what_a_spreadsheet_shows_and_lost_digits_stay_visible(stored: str, shown: str) -> None:
    assert number_text(stored, is_date=False) == shown


@pytest.mark.parametrize(
    ("code", "date"),
    [
        ('yyyy"年"m"月"d"日"', True),
        ("[$-804]yyyy/m/d;@", True),
        ("h:mm", True),
        ('"¥"#,##0.00;[Red]\\-"¥"#,##0.00', False),
        ('_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ', False),
        ('0"d"', False),
        ("General", False),
        ("G/通用格式", False),
    ],
)
def test_a_format_shows_a_date_by_its_letters_outside_of_quotation_marks(code: str, date: bool) -> None:
    assert shows_date(code) is date


def test_escapes_formulas_and_errors_are_what_a_person_sees(tmp_path: Path) -> None:
    header = [*HEADER, "产品", "件数"]
    rows: Rows = [
        header,
        [*ROW, "一_x000D_\n二_x005F_三", Raw("41", formula="SUM(A1)")],
        [*ROW, Raw("文字", "str", formula="A1"), Raw("", formula="1+1")],
        [*ROW, Raw("#REF!", "e"), None],
    ]
    first, second, third = opened(tmp_path, rows).rows()
    assert (first.values["product"], first.values["pieces"]) == ("一\r\n二_三", "41")
    assert (second.values["product"], second.values["pieces"]) == ("文字", "=1+1")
    assert third.problem == "spreadsheet_error"


def test_a_sheet_is_found_by_its_header_and_the_others_are_named(tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "说明": [["填表说明"], ["请勿改动标题"]],
        "模板": [HEADER, ROW],
        "一月": [HEADER, ROW],
        "空": [],
    }
    path = write_workbook(tmp_path / "book.xlsx", sheets, hidden=["模板"])
    table = open_table(path, COLUMNS, REQUIRED)
    assert (table.row_count, table.unread_sheets, table.rows_elsewhere) == (1, ("说明", "模板"), False)
    assert "一月" in table.notices[0] and "说明, 模板" in table.notices[0]


def test_a_second_sheet_with_rows_of_the_same_kind_is_told_and_can_be_chosen(tmp_path: Path) -> None:
    other = ["m-2", *ROW[1:]]
    path = write_workbook(tmp_path / "book.xlsx", {"一月": [HEADER, ROW], "二月": [HEADER, other, other]})
    first = open_table(path, COLUMNS, REQUIRED)
    second = open_table(path, COLUMNS, REQUIRED, "二月")
    assert (first.rows_elsewhere, [row.values["id"] for row in first.rows()]) == (True, ["m-1"])
    assert (second.rows_elsewhere, [row.values["id"] for row in second.rows()]) == (False, ["m-2", "m-2"])
    with pytest.raises(UnusableFile, match="一月, 二月"):
        open_table(path, COLUMNS, REQUIRED, "三月")


@pytest.mark.parametrize(
    "sheet",
    [
        "<worksheet><sheetData><row r='5'/><row r='2'/></sheetData></worksheet>",
        "<worksheet><sheetData><row><c t='s'><v>7</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row r='99999999'/></sheetData></worksheet>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet/>",
        "<worksheet>" + " " * 70_000 + "<!ENTITY b 'c'></worksheet>",
        "",
    ],
)
def test_a_crafted_sheet_is_refused_in_a_sentence(tmp_path: Path, sheet: str) -> None:
    path = write_workbook(tmp_path / "old.xlsx", {"Sheet1": [HEADER, ROW]})
    with pytest.raises(UnusableFile):
        open_table(_with_part(path, "xl/worksheets/sheet1.xml", sheet.encode()), COLUMNS, REQUIRED)


def test_wide_rows_and_far_cells_cost_no_time(tmp_path: Path) -> None:
    far = "".join(
        f"<row r='{number * 500}'><c r='XFD{number * 500}'><v>1</v></c></row>" for number in range(2, 2000)
    )
    sheet = f"<worksheet><sheetData><row r='1'><c t='str'><v>name</v></c></row>{far}</sheetData></worksheet>"
    path = write_workbook(tmp_path / "old.xlsx", {"Sheet1": [HEADER, ROW]})
    began = time.monotonic()
    table = open_table(_with_part(path, "xl/worksheets/sheet1.xml", sheet.encode()), CUSTOMERS, ["name"])
    rows = list(table.rows())
    assert time.monotonic() - began < 20
    # A row with nothing but a cell beyond the last column has nothing to be read, and is told of all the same.
    assert {row.problem for row in rows} == {"too_many_cells"} and len(rows) == 1998


def _with_part(path: Path, part: str, content: bytes) -> Path:
    other = path.with_name("other.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if entry.filename == part else old.read(entry))
    return other
