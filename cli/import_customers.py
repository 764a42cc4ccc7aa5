"""`keypost import customers FILE`: the bulk load of an existing book of customers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import typer

from cli.command import Call, command
from cli.imports import (
    SHOWN_MAX,
    File,
    SheetName,
    Template,
    finish,
    import_group,
    print_template,
    progress,
    say_notices,
    wanted_file,
)
from cli.instance import Session
from cli.printable import visible
from cli.rejects import RejectFile
from cli.spreadsheet_talk import damage
from cli.tabular import Table, TableRow, in_words, open_table
from cli.words import joined, phrase
from shared.ids import new_id
from shared.kernel.writing import folded

CHUNK_ROWS: Final = 500

COLUMNS: Final = {
    # The surest heading comes first.
    "name": ("客户名称", "名称", "单位名称", "customer name"),
    "customer_code": ("客户代码", "大客户代码", "客户编码", "代码", "code"),
    "uscc": ("统一社会信用代码", "社会信用代码", "信用代码", "credit code"),
    "unit_code": ("机构代码", "机构", "责任机构", "责任机构代码", "unit"),
    "division": ("行政区划", "行政区划代码", "区划代码"),
    "industry": ("行业", "行业代码", "行业分类"),
    "kind": ("客户类型", "类型", "类别"),
    "agreement_no": ("协议编号", "协议号", "agreement number"),
    "agreement_signed_on": ("协议签订日期", "签订日期", "签约日期", "signed on"),
    "agreement_ends_on": ("协议到期日期", "到期日期", "协议终止日期", "ends on"),
    "manager_a": ("A角", "客户经理A角", "客户经理A", "主办经理"),
    "manager_b": ("B角", "客户经理B角", "客户经理B", "协办经理"),
}


EXAMPLE: Final = {
    "name": "苏州安邦商贸有限公司", "customer_code": "", "uscc": "91330100799655058B", "unit_code": "3205",
    "division": "320500", "industry": "5199", "kind": "active", "agreement_no": "XY-2026-001",
    "agreement_signed_on": "2026-01-05", "agreement_ends_on": "9999-12-31", "manager_a": "manager", "manager_b": "",
}  # fmt: skip
"""The row that the template shows: without a code of old one is assigned; 9999-12-31 is an agreement without an end."""
_CODES: Final = ("customer_code", "uscc", "unit_code", "division", "agreement_no")
"""Fields that are compared as they are, and that a spreadsheet must not have computed with."""


def template() -> list[list[str]]:
    """The columns with an example row, in English and in Chinese."""
    chinese = [headings[0] for headings in COLUMNS.values()]
    return [list(COLUMNS), list(EXAMPLE.values()), chinese, list((EXAMPLE | {"kind": "现实客户"}).values())]


@dataclass(slots=True)
class Tally:
    """What became of the rows so far."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    """Rows that say nothing about a customer that an earlier row of the file has not said."""
    repeats: list[dict[str, Any]] = field(default_factory=list)
    similar: list[dict[str, Any]] = field(default_factory=list)
    noticed: list[dict[str, Any]] = field(default_factory=list)

    _seen: dict[str, int] = field(default_factory=dict)
    """The first row of each customer."""

    def add(self, result: dict[str, Any]) -> None:
        earlier = self._seen.setdefault(result["customer_code"], result["row"])
        if earlier != result["row"] and result["result"] == "unchanged":
            self.repeated += 1
            if len(self.repeats) < SHOWN_MAX:
                self.repeats.append({"row": result["row"], "earlier_row": earlier})
        else:
            setattr(self, result["result"], getattr(self, result["result"]) + 1)
        # Of customers outside one's scope only the units that hold them are named.
        similar = [*result["similar"], *result.get("similar_elsewhere", [])]
        if similar:
            self.similar.append(
                {"row": result["row"], "customer_code": result["customer_code"], "similar": similar}
            )
        if notices := [notice for notice in result["notices"] if notice != "similar_name"]:
            self.noticed.append(
                {"row": result["row"], "customer_code": result["customer_code"], "notices": notices}
            )


def register(app: typer.Typer) -> None:
    import_group(app).command("customers")(import_customers)


@command
def import_customers(
    call: Call,
    file: File = None,
    template_: Template = False,
    sheet: SheetName = None,
) -> None:
    """Load an existing book of customers. Bad rows go to FILE.rejects.csv; the same file again adds nothing.

    Columns: name, and optionally customer_code (a legacy code of 13 to 15 digits, or one with letters), uscc, unit_code,
    division, industry, kind (potential or active), agreement_no, agreement_signed_on, agreement_ends_on (9999-12-31: without
    an end), manager_a, manager_b; Chinese headings work too.
    """
    if template_:
        print_template(template())
        return
    table = open_book(wanted_file(file), sheet)
    summary = load_book(call.session, table)
    call.show(summary, book_text)
    finish(bool(summary["rejected"] or table.rows_elsewhere))


def open_book(path: Path, sheet: str | None = None) -> Table:
    """A file of customers; what of it is not read is said. Raises UnusableFile."""
    table = open_table(path, COLUMNS, ["name"], sheet)
    say_notices(table)
    return table


def load_book(session: Session, table: Table) -> dict[str, Any]:
    """Registers the customers of a file and sums up what became of its rows."""
    import_id = new_id()
    tally = Tally()
    with RejectFile(table) as rejects, progress(phrase("cli.import.customers"), table.row_count) as advance:
        for number, rows in enumerate(_chunks(table)):
            _load(session, table, import_id, number, rows, rejects, tally)
            advance(len(rows))
    return {
        "import_id": import_id,
        "file": visible(table.path.name),
        "rows": tally.created + tally.updated + tally.unchanged + tally.repeated + rejects.count,
        "created": tally.created,
        "updated": tally.updated,
        "unchanged": tally.unchanged,
        "repeated": tally.repeated,
        "rejected": rejects.count,
        "repeats": tally.repeats,
        "rejects_file": visible(str(rejects.path)) if rejects.count else None,
        "similar": tally.similar,
        "notices": tally.noticed,
        "file_notices": list(table.notices),
        "unread_sheets": list(table.unread_sheets),
    }


def _chunks(table: Table) -> Iterator[list[TableRow]]:
    rows = table.rows()
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def _load(
    session: Session,
    table: Table,
    import_id: str,
    number: int,
    rows: list[TableRow],
    rejects: RejectFile,
    tally: Tally,
) -> None:
    """Sends one chunk. The key is that of the chunk, so that a repetition gets the answer of the first time."""
    reasons = {row.number: reason for row in rows if (reason := _unreadable(row)) is not None}
    sent = {row.number: row for row in rows if row.number not in reasons}
    if sent:
        answer = session.post(
            "registry",
            "/v1/customer-imports",
            {
                "import_id": import_id,
                "file_name": table.path.name.encode("utf-8", "replace").decode()[:255],
                "file_sha256": table.sha256,
                "rows_total": table.row_count,
                "rows": [{"row": row.number, **_values(row)} for row in sent.values()],
            },
            headers={"Idempotency-Key": f"{import_id}-{number}"},
        )
        for result in answer["results"]:
            if result["result"] == "rejected":
                reasons[result["row"]] = "; ".join(result["reasons"])
            else:
                tally.add(result)
    for row in rows:
        if (reason := reasons.get(row.number)) is not None:
            rejects.add(row, reason)


def _unreadable(row: TableRow) -> str | None:
    """Why a row is not worth sending."""
    if row.problem is not None:
        return in_words(row.problem)
    for name in _CODES:
        if (spoilt := damage(row.values.get(name, ""))) is not None:
            return f"bad_{'code' if name == 'customer_code' else name}: {spoilt}"
    return None


def _values(row: TableRow) -> Mapping[str, str]:
    """The row as the registry takes it: a code is half width, whatever it was typed in."""
    code = row.values.get("customer_code")
    return row.values if code is None else {**row.values, "customer_code": folded(code)}


def book_text(summary: dict[str, Any]) -> str:
    """What an import of customers says."""
    lines = [
        phrase("cli.import.customer_rows", **summary),
        *("  " + phrase("cli.import.same_customer", **each) for each in summary["repeats"]),
    ]
    if summary["rejects_file"]:
        lines.append(phrase("cli.import.rejects", file=summary["rejects_file"]))
    if similar := summary["similar"]:
        lines.append(phrase("cli.import.similar", count=len(similar)))
        lines += _first(similar, lambda each: f"{each['customer_code']} ~ {joined(each['similar'])}")
    if notices := summary["notices"]:
        lines.append(phrase("cli.import.to_check", count=len(notices)))
        lines += _first(notices, lambda each: joined(each["notices"]))
    return "\n".join(lines)


def _first(rows: list[dict[str, Any]], text: Callable[[dict[str, Any]], str]) -> list[str]:
    """A line for each of the first rows, and where the others are."""
    shown = ["  " + phrase("cli.import.row", row=each["row"], text=text(each)) for each in rows[:SHOWN_MAX]]
    return [*shown, "  " + phrase("cli.import.all_in_json")] if len(rows) > SHOWN_MAX else shown
