"""Reading tables that people hand over, and writing back what was rejected."""

from __future__ import annotations

import csv
import datetime
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.import_customers import COLUMNS
from cli.rejects import RejectFile
from cli.spreadsheet_talk import guard, plain_text
from cli.tabular import Table, open_table
from cli.unusable import UnusableFile

CHINESE = "客户名称,统一社会信用代码,备注\n苏州安邦商贸有限公司,91330100799655058B,老客户\n"


def written(folder: Path, content: bytes, name: str = "book.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def opened(folder: Path, content: bytes) -> Table:
    return open_table(written(folder, content), COLUMNS, ["name"])


@pytest.mark.parametrize(
    ("encoding", "found"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030")]
)
def test_csv_is_read_in_each_encoding_with_chinese_headings(
    tmp_path: Path, encoding: str, found: str
) -> None:
    table = opened(tmp_path, CHINESE.encode(encoding))
    (row,) = table.rows()
    assert table.encoding == found
    assert table.header == ("客户名称", "统一社会信用代码", "备注")
    assert (row.number, row.values) == (2, {"name": "苏州安邦商贸有限公司", "uscc": "91330100799655058B"})


@pytest.mark.parametrize("heading", ["name", " NAME ", "Name", "customer name", "客户名称*"])
def test_headings_are_known_however_they_are_written(tmp_path: Path, heading: str) -> None:
    assert opened(tmp_path, f"{heading}\n甲\n".encode()).columns == {"name": 0}


def test_rows_are_counted_as_a_person_sees_them(tmp_path: Path) -> None:
    table = opened(tmp_path, b'name,industry\n\n"a\nb",1\n ,\nc,2\n')
    assert [(row.number, row.values["name"]) for row in table.rows()] == [(3, "a\nb"), (5, "c")]
    assert table.row_count == 2


def test_one_bad_byte_spoils_its_row_and_not_the_file(tmp_path: Path) -> None:
    lines = [b"name", *("苏州安邦商贸有限公司".encode() for _ in range(20)), b"\xff\xfe\xb0"]
    rows = list(opened(tmp_path, b"\n".join(lines) + b"\n").rows())
    assert [row.problem for row in rows] == [None] * 20 + ["bad_encoding"]


@pytest.mark.req("PLT-14")
def test_more_cells_than_columns_and_endless_cells_are_problems_of_their_row(tmp_path: Path) -> None:
    table = opened(tmp_path, f"name,industry\na,1,x\nb,1,\n{'c' * 4001},1\n".encode())
    assert [row.problem for row in table.rows()] == ["too_many_cells", None, "cell_too_long"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_separators_are_recognised_by_the_header(tmp_path: Path, delimiter: str) -> None:
    table = opened(tmp_path, f"name{delimiter}uscc\na{delimiter}b\n".encode())
    assert [row.values for row in table.rows()] == [{"name": "a", "uscc": "b"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"uscc,industry\n1,2\n",
        b"name,Name\n1,2\n",
        "name\n甲\n".encode("utf-16"),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old excel",
        b"PK\x03\x04 not a package",
    ],
)
def test_what_is_no_table_is_refused_with_exit_code_2(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnusableFile) as refused:
        opened(tmp_path, content)
    assert refused.value.code == 2


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(UnusableFile):
            open_table(path, COLUMNS, ["name"])


def xlsx(folder: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for place, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            book.active.cell(place, column, value)  # type: ignore[union-attr]
    book.save(folder / "book.xlsx")
    return folder / "book.xlsx"


def test_xlsx_cells_become_text_as_a_person_would_type_it(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path,
        [
            ["客户名称", "客户代码", "签订日期", "行业"],
            ["甲", 3205000000011, datetime.datetime(2026, 1, 5), 5199.0],
            [],
            ["乙", "0012", "2026/1/5", True],
        ],
    )
    rows = list(open_table(path, COLUMNS, ["name"]).rows())
    assert [row.number for row in rows] == [2, 4]
    assert rows[0].values == {
        "name": "甲",
        "customer_code": "3205000000011",
        "agreement_signed_on": "2026-01-05",
        "industry": "5199",
    }
    assert rows[1].values["customer_code"] == "0012"


def repacked(path: Path, part: str, content: bytes) -> Path:
    other = path.with_name("other.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if entry.filename == part else old.read(entry))
    return other


@pytest.mark.req("PLT-14")
@pytest.mark.parametrize(
    "content",
    [
        b"<?xml version='1.0'?><worksheet>" + b" " * 5_000_000 + b"</worksheet>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><worksheet>&b;</worksheet>',
        '<?xml version="1.0" encoding="utf-16"?><worksheet/>'.encode("utf-16"),
        b"<worksheet><not closed",
    ],
)
def test_bombs_entities_and_broken_sheets_are_refused(tmp_path: Path, content: bytes) -> None:
    path = repacked(xlsx(tmp_path, [["name"], ["a"]]), "xl/worksheets/sheet1.xml", content)
    with pytest.raises(UnusableFile):
        list(open_table(path, COLUMNS, ["name"]).rows())


def test_rejects_carry_row_reason_and_the_original_columns(tmp_path: Path) -> None:
    table = opened(tmp_path, CHINESE.encode("gb18030") + b"=cmd|x,-5,@a\n")
    with RejectFile(table) as rejects:
        for row in list(table.rows())[1:]:
            rejects.add(row, "bad_uscc")
    assert rejects.path.read_bytes().startswith(b"\xef\xbb\xbf")
    with rejects.path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["row", "reason", "客户名称", "统一社会信用代码", "备注"],
            ["3", "bad_uscc", "'=cmd|x", "-5", "'@a"],
        ]
    assert rejects.path == tmp_path / "book.csv.rejects.csv"


def test_a_corrected_file_of_rejects_can_be_imported_as_it_is(tmp_path: Path) -> None:
    table = opened(tmp_path, b"name,industry\n=A,1\n")
    with RejectFile(table) as rejects:
        for row in table.rows():
            rejects.add(row, "bad_name")
    again = open_table(rejects.path, COLUMNS, ["name"])
    assert [row.values for row in again.rows()] == [{"name": "=A", "industry": "1"}]


def test_without_rejects_there_is_no_file_and_an_old_one_goes(tmp_path: Path) -> None:
    table = opened(tmp_path, b"name\na\n")
    written(tmp_path, b"old", "book.csv.rejects.csv")
    with RejectFile(table):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["book.csv"]


def test_a_run_that_breaks_off_leaves_the_rejects_of_the_last_whole_one(tmp_path: Path) -> None:
    table = opened(tmp_path, b"name\na\n")
    written(tmp_path, b"old", "book.csv.rejects.csv")
    with pytest.raises(RuntimeError), RejectFile(table) as rejects:
        rejects.add(next(table.rows()), "x")
        raise RuntimeError
    assert (tmp_path / "book.csv.rejects.csv").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.req("PLT-14")
@given(st.text(max_size=20))
@example('="3205000000011"')
@example("\n")
def test_no_cell_written_back_is_a_formula_and_it_reads_as_it_was(cell: str) -> None:
    safe = guard(cell)
    assert not safe.startswith(("=", "@", "\t", "\r"))
    if "'" not in cell:
        assert plain_text(safe) == plain_text(cell)
