"""Files as offices hand them over, and the one law for all of them: every row is loaded, repeated, held or told of."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import httpx
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli import command, import_customers, import_transactions
from cli.headings import read_headings
from cli.import_customers import COLUMNS as CUSTOMERS
from cli.rejects import RejectFile
from cli.tabular import RowProblem, open_table
from cli.transaction_rows import COLUMNS, REQUIRED
from cli.unusable import UnusableFile
from services.tiering.entrypoints.transactions import read_items
from tests.support.workbook import write_workbook
from tests.unit.cli.fake_session import body, run, session

pytestmark = pytest.mark.req("PLT-14")

HEADER = "流水号,客户代码,业务种类,交易类型,金额,业务日期,备注"


def row(id: str, remark: str = "好") -> str:
    return f"{id},3205990000011,速递,收入,10.00,2026-01-01,{remark}"


class Tiering:
    """Answers as the service does, and keeps what it accepted."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        events = body(request)
        items = [item.model_dump() for item in read_items([orjson.dumps(event) for event in events]).items]
        self.accepted += [events[item["index"]] for item in items if item["status"] == "accepted"]
        return httpx.Response(200, json={"items": items})


class Registry:
    """Registers every row under its name; a name it has is unchanged, one without a letter is refused."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": [self._result(one) for one in body(request)["rows"]]})

    def _result(self, one: dict[str, Any]) -> dict[str, Any]:
        name = str(one.get("name", "")).strip()
        result = "unchanged" if name in self.names else "created" if name else "rejected"
        if result == "created":
            self.names.append(name)
        reasons = ["missing_name"] if result == "rejected" else []
        code = name or None
        return {
            "row": one["row"],
            "result": result,
            "customer_code": code,
            "reasons": reasons,
            "notices": [],
            "similar": [],
        }


class Outcome:
    """One import of a file: how it ended, what it printed, what it left in the file of rejects."""

    def __init__(
        self, folder: Path, content: bytes, what: str = "transactions", name: str = "book.csv"
    ) -> None:
        self.path = folder / name
        self.path.write_bytes(content)
        self.tiering, self.registry = Tiering(), Registry()
        module: Any = import_transactions if what == "transactions" else import_customers
        fake = session(self.tiering if what == "transactions" else self.registry, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "open_session", lambda *_: fake)
            self.result = run(module.register, "import", what, str(self.path), "--json")
        self.code = getattr(self.result.exception, "code", self.result.exit_code)
        self.summary: dict[str, Any] = json.loads(self.result.stdout) if self.result.stdout else {}
        rejects = folder / f"{name}.rejects.csv"
        self.rejects = (
            list(csv.reader(io.StringIO(rejects.read_text("utf-8-sig"), newline="")))
            if rejects.exists()
            else []
        )

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.tiering.accepted]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(one[0], one[1].partition(":")[0]) for one in self.rejects[1:]]


def test_an_open_quotation_mark_in_a_column_that_is_ignored_spoils_its_row_alone(tmp_path: Path) -> None:
    rows = [HEADER, row("x-1"), row("x-2", '"加 急'), row("x-3"), row("x-4")]
    done = Outcome(tmp_path, "\n".join(rows).encode())
    assert (done.code, done.ids, done.reasons) == (3, ["x-1", "x-3", "x-4"], [("3", "open_quote")])


def test_two_stray_marks_that_close_each_other_do_not_hide_the_rows_between(tmp_path: Path) -> None:
    rows = [HEADER, row("x-1"), row("x-2", '"屏幕'), row("x-3"), row("x-4", '5"'), row("x-5")]
    done = Outcome(tmp_path, "\n".join(rows).encode())
    assert (done.code, done.ids, done.reasons) == (3, ["x-1", "x-5"], [("3", "rows_in_a_cell")])
    assert "x-3" in str(done.rejects) and "x-4" in str(done.rejects)


def test_a_text_of_several_lines_in_quotation_marks_is_one_cell(tmp_path: Path) -> None:
    rows = [HEADER, row("x-1", '"先送，\n后""收""款, 谢谢"'), row("x-2")]
    assert Outcome(tmp_path, "\r\n".join(rows).encode()).ids == ["x-1", "x-2"]


def test_a_mark_that_takes_the_end_of_its_row_along_is_no_text_of_several_lines(tmp_path: Path) -> None:
    lines = ["name,industry,remark", 'first,"5199,', 'second,"', "third,5199,", 'fourth,5199,"one,', 'two"']
    done = Outcome(tmp_path, "\n".join(lines).encode(), "customers")
    assert (done.registry.names, done.reasons) == (["third", "fourth"], [("2", "rows_in_a_cell")])


def test_a_line_break_inside_a_row_spoils_the_row_and_loads_no_half_of_it(tmp_path: Path) -> None:
    done = Outcome(tmp_path, b"name,industry\r\nfirst\rhalf,1\r\nsecond,2\r\n", "customers")
    assert (done.registry.names, done.reasons) == (["second"], [("2", "broken_line")])


def test_a_file_whose_lines_all_end_with_a_carriage_return_is_read(tmp_path: Path) -> None:
    assert Outcome(tmp_path, b"name,industry\rfirst,1\rsecond,2\r", "customers").registry.names == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "客户名称\n甲€公司\n乙公司\n".encode("gbk", "replace").replace(b"?", b"\x80"),
        b"\xef\xbb\xbf\xef\xbb\xbf" + "客户名称\n甲€公司\n乙公司\n".encode(),
        "\ufeff客户名称\n\ufeff甲€公司\n乙公司\n".encode(),
    ],
)
def test_the_euro_of_chinese_windows_and_doubled_byte_order_marks_are_read(
    tmp_path: Path, content: bytes
) -> None:
    assert Outcome(tmp_path, content, "customers").registry.names == ["甲€公司", "乙公司"]


def test_a_name_cut_in_half_spoils_its_row_and_not_the_file(tmp_path: Path) -> None:
    good = "客户名称,行业\n甲公司,51\n".encode("gb18030")
    done = Outcome(
        tmp_path,
        good + "乙公".encode("gb18030")[:-1] + b",52\n" + "丙公司,53\n".encode("gb18030"),
        "customers",
    )
    assert (done.registry.names, done.reasons) == (["甲公司", "丙公司"], [("3", "bad_encoding")])


def test_rows_of_millions_of_cells_are_told_of_at_once(tmp_path: Path) -> None:
    done = Outcome(tmp_path, b"name\na\n" + b"," * 50_000_000 + b"\nb\n" + b"c," * 600 + b"\n", "customers")
    assert (done.registry.names, done.reasons) == (
        ["a", "b"],
        [("3", "row_too_long"), ("5", "too_many_cells")],
    )


def test_amounts_dates_words_and_marks_are_read_as_people_write_them(tmp_path: Path) -> None:
    rows = [
        "流水号（必填）,ＣＯＤＥ,专业,类型,金额（元）,日期,件数",
        '="a-1",\'3205990000011,特快,收入,"￥1,234.50",2026/1/5 0:00,41.0',
        "a-2,３２０５９９００００２２５,包件,冲销,1234.3000000000002,2026年1月5日 9时31分,",
    ]
    done = Outcome(tmp_path, "\n".join(rows).encode())
    assert done.rejects == []
    found = [
        (one["id"], *(one["data"][name] for name in ("customer_code", "line", "amount")))
        for one in done.tiering.accepted
    ]
    assert found == [
        ("a-1", "3205990000011", "express", "1234.50"),
        ("a-2", "3205990000225", "parcels", "1234.30"),
    ]
    assert {one["data"]["business_date"] for one in done.tiering.accepted} == {"2026-01-05"}


def test_codes_that_a_spreadsheet_has_spoilt_are_refused_with_what_it_did(tmp_path: Path) -> None:
    codes = ["3.20599E+12", "3205990000226.0", "#N/A", "#REF!", "'3205990000222", '"=""3205990000223"" "']
    content = "客户名称,客户代码\n" + "".join(f"码{n},{code}\n" for n, code in enumerate(codes))
    done = Outcome(tmp_path, content.encode(), "customers")
    assert done.registry.names == ["码4", "码5"]
    assert done.reasons == [
        ("2", "bad_code"),
        ("3", "bad_code"),
        ("4", "spreadsheet_error"),
        ("5", "spreadsheet_error"),
    ]
    assert "last digits are lost" in done.rejects[1][1]


@pytest.mark.parametrize("heading", ["序号", "编号", "行号", "No."])
def test_a_row_number_is_no_identity_and_the_refusal_says_what_to_do(tmp_path: Path, heading: str) -> None:
    done = Outcome(
        tmp_path, f"{heading},客户代码,业务种类,交易类型,金额,业务日期\n1,L,速递,收入,1,2026-01-01\n".encode()
    )
    assert (done.code, done.ids) == (2, [])
    assert "numbers the rows" in str(done.result.exception)


def test_of_two_headings_for_a_field_the_stronger_is_read_and_the_other_named(tmp_path: Path) -> None:
    done = Outcome(tmp_path, "单位名称,客户名称,机构,机构代码\n某局,甲,苏州,3205\n".encode(), "customers")
    assert (done.code, done.registry.names) == (0, ["甲"])
    assert [notice.split(" is not")[0] for notice in done.summary["file_notices"]] == [
        "the column 单位名称",
        "the column 机构",
    ]


def test_the_same_heading_twice_is_refused_and_another_unit_of_money_is_another_column(
    tmp_path: Path,
) -> None:
    for content in ("客户名称,客户名称\n甲,乙\n", "名称\n甲\n"):
        assert Outcome(tmp_path, content.encode(), "customers").code == (2 if "," in content else 0)
    assert "amount" not in read_headings(["金额（万元）"], COLUMNS).places
    assert "amount" in read_headings(["金额（元）"], COLUMNS).places


def test_repeats_inside_a_file_are_counted_and_shown(tmp_path: Path) -> None:
    other = row("x-1").replace("10.00", "11.00")
    rows = [HEADER, row("x-1"), row("x-1").replace("10.00", "10.0"), other, row("x-2")]
    done = Outcome(tmp_path, "\n".join(rows).encode())
    counts = {
        name: done.summary[name] for name in ("rows", "accepted", "repeated", "conflicting", "rejected")
    }
    assert counts == {"rows": 4, "accepted": 2, "repeated": 1, "conflicting": 1, "rejected": 0}
    assert [(one["row"], one["earlier_row"]) for one in done.summary["repeats"]] == [(3, 2), (4, 2)]
    assert done.code == 3


def test_a_customer_that_a_file_names_twice_is_counted_as_repeated(tmp_path: Path) -> None:
    done = Outcome(tmp_path, "客户名称\n甲\n乙\n甲\n".encode(), "customers")
    assert {name: done.summary[name] for name in ("rows", "created", "repeated")} == {
        "rows": 3,
        "created": 2,
        "repeated": 1,
    }
    assert done.summary["repeats"] == [{"row": 4, "earlier_row": 2}]


def test_rows_of_a_sheet_that_is_not_read_make_the_import_a_partial_one(tmp_path: Path) -> None:
    header, cells = HEADER.split(","), row("m-1").split(",")
    path = write_workbook(tmp_path / "source.xlsx", {"一月": [header, cells], "二月": [header, cells]})
    done = Outcome(tmp_path, path.read_bytes(), name="book.xlsx")
    assert (done.code, done.summary["unread_sheets"], done.summary["accepted"]) == (3, ["二月"], 1)


def test_the_template_of_customers_is_a_file_that_can_be_imported(tmp_path: Path) -> None:
    lines = run(import_customers.register, "import", "customers", "--template").stdout.splitlines()
    for pair in (lines[:2], lines[2:]):
        done = Outcome(tmp_path, ("\n".join(pair) + "\n").encode(), "customers")
        assert (done.code, done.registry.names) == (0, ["苏州安邦商贸有限公司"])
    assert set(lines[0].split(",")) == set(CUSTOMERS)


def test_a_web_page_that_calls_itself_a_workbook_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "book.xls"
    path.write_text("<html><table><tr><td>流水号</td></tr></table></html>", "utf-8")
    with pytest.raises(UnusableFile, match="web page"):
        open_table(path, COLUMNS, REQUIRED)


def test_a_name_of_a_file_that_no_terminal_can_show_is_no_fault_of_ours(tmp_path: Path) -> None:
    done = Outcome(tmp_path, b"name\n\xff\n", "customers", name="b\udcff.csv")
    assert (done.code, done.summary["rejected"]) == (3, 1)
    assert done.summary["rejects_file"].isprintable()


def test_a_corrected_file_of_rejects_is_imported_with_its_hints_and_marks(tmp_path: Path) -> None:
    first = Outcome(
        tmp_path, "\n".join([HEADER, row("x-1", '"加 急'), row("x-2").replace("10.00", "十元")]).encode()
    )
    assert first.reasons == [("2", "open_quote"), ("3", "bad_field")]
    corrected = (tmp_path / "book.csv.rejects.csv").read_text("utf-8-sig").replace("十元", "10.00")
    again = Outcome(tmp_path, corrected.encode("utf-8-sig"), name="again.csv")
    assert (again.code, again.ids) == (0, ["x-1", "x-2"])


damage = st.one_of(
    st.just(""),
    st.sampled_from(
        ['"', '""', '"""', "\r", "\n", ",", ";", "\t", '",', ',"', '"\n', "\x00", "\ufeff", "\x1a", "€"]
    ),
)


@st.composite
def damaged_rows(draw: st.DrawFn) -> list[str]:
    """Rows with their ids at both ends of the identity, each perhaps with something put into it somewhere."""
    rows = []
    for number in range(draw(st.integers(1, 8))):
        text = row(f"id-{number}", draw(st.sampled_from(["", "好", "a b", "5寸"])))
        at = draw(st.integers(0, len(text)))
        rows.append(text[:at] + draw(damage) + text[at:])
    return rows


@given(damaged_rows(), st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=200, deadline=None)
def test_every_row_of_a_damaged_file_of_transactions_is_loaded_or_told_of(
    rows: list[str], encoding: str, newline: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = Outcome(Path(folder), newline.join([HEADER, *rows, ""]).encode(encoding))
    assert done.code in (0, 3), done.result.exception
    _adds_up(done, ("accepted", "repeated", "conflicting", "rejected"))
    loaded, told = "\n".join(done.ids), str(done.rejects)
    for number, text in enumerate(rows):
        assert any(piece in loaded or piece in told for piece in _pieces(text, f"id-{number}"))
    assert (done.code == 3) == bool(done.summary["rejected"] or done.summary["conflicting"])


@given(damaged_rows(), st.sampled_from(["utf-8", "gb18030"]))
@example([row("id-0").replace("2026", '"2026'), row("id-1").replace("id-1", 'id-1"\n')], "utf-8")
@settings(max_examples=200, deadline=None)
def test_every_row_of_a_damaged_file_of_customers_is_loaded_or_told_of(
    rows: list[str], encoding: str
) -> None:
    header = "客户名称,旧代码,专业,类型甲,金额,日期,备注"
    with tempfile.TemporaryDirectory() as folder:
        done = Outcome(Path(folder), "\n".join([header, *rows, ""]).encode(encoding), "customers")
    assert done.code in (0, 3), done.result.exception
    _adds_up(done, ("created", "updated", "unchanged", "repeated", "rejected"))
    loaded, told = "\n".join(done.registry.names), str(done.rejects)
    for number, text in enumerate(rows):
        assert any(piece in loaded or piece in told for piece in _pieces(text, f"id-{number}"))


def _pieces(text: str, id: str) -> list[str]:
    """What is left of an id in a row into which something was put: the whole of it, or its two ends. A mark before a
    line break may close the quotation of the row before: the id is then part of a text of two lines, as people write them,
    and the rest of the row stands for itself."""
    before, mark, rest = text.partition('"\n')
    if mark and before.startswith(id):
        first, second = [*rest.split(","), ""][:2]
        return [id, first or str(["", second])[1:-1]]
    if id in text:
        return [id]
    at = next(at for at in range(len(id), 0, -1) if id[:at] in text)
    return [id[:at], id[at:]]


def _adds_up(done: Outcome, parts: tuple[str, ...]) -> None:
    """The printed sum is what a second reading of the file finds."""
    assert done.summary["rows"] == sum(done.summary[part] for part in parts)
    assert len(done.rejects[1:]) == done.summary["rejected"]


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_a_file_holds_it_is_a_table_or_refused_in_a_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(b"name,industry\n" + content)
        table = open_table(path, CUSTOMERS, ["name"])
        rows = list(table.rows())
        assert len(rows) == table.row_count
        assert all(one.problem is None or one.problem in get_args(RowProblem) for one in rows)
        with RejectFile(table) as rejects:
            for one in rows:
                rejects.add(one, "x")
        assert len(list(open_table(rejects.path, CUSTOMERS, ["name"]).rows())) == len(rows) if rows else True
        path.write_bytes(b"PK\x03\x04" + content)
        with pytest.raises(UnusableFile):
            open_table(path, CUSTOMERS, ["name"])


@pytest.mark.parametrize(("title", "columns"), [("### Customers", CUSTOMERS), ("### Transactions", COLUMNS)])
def test_the_published_order_of_headings_is_that_of_the_code(
    title: str, columns: dict[str, tuple[str, ...]]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "import-files.md").read_text("utf-8")
    part = page.partition(title)[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    found = {name.strip("`"): headings.split(" · ") for name, headings in rows}
    assert found == {name: [name, *headings] for name, headings in columns.items()}
