"""`keypost import customers FILE`: the bulk load of an existing book of customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.imports import finish, import_group, progress
from cli.instance import OPERATOR, PATIENCE_S, As, Data, Json, Session, Timeout, open_session, show
from cli.tabular import RejectFile, Table, TableRow, open_table
from shared.ids import new_id

CHUNK_ROWS: Final = 500

COLUMNS: Final = {
    "name": ("客户名称", "名称", "单位名称", "customer name"),
    "customer_code": ("客户代码", "大客户代码", "客户编码", "代码", "code"),
    "uscc": ("统一社会信用代码", "社会信用代码", "信用代码", "credit code"),
    "unit_code": ("机构代码", "机构", "责任机构", "责任机构代码", "unit"),
    "division": ("行政区划", "行政区划代码", "区划代码"),
    "industry": ("行业", "行业代码", "行业分类"),
    "kind": ("客户类型", "类型"),
    "agreement_no": ("协议编号", "协议号", "agreement number"),
    "agreement_signed_on": ("协议签订日期", "签订日期", "签约日期", "signed on"),
    "agreement_ends_on": ("协议到期日期", "到期日期", "协议终止日期", "ends on"),
    "manager_a": ("A角", "客户经理A角", "客户经理A", "主办经理"),
    "manager_b": ("B角", "客户经理B角", "客户经理B", "协办经理"),
}


@dataclass(slots=True)
class Tally:
    """What became of the rows so far."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    similar: list[dict[str, Any]] = field(default_factory=list)
    noticed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, result: dict[str, Any]) -> None:
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


def import_customers(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX with a header row.")],
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Load an existing book of customers. Bad rows go to FILE.rejects.csv; the same file again adds nothing.

    Columns: name, and optionally customer_code, uscc, unit_code, division, industry, kind (potential or active),
    agreement_no, agreement_signed_on, agreement_ends_on, manager_a, manager_b; Chinese headings work too.
    """
    table = open_table(file, COLUMNS, ["name"])
    session = open_session(data, user, timeout)
    import_id = new_id()
    tally = Tally()
    with RejectFile(table) as rejects, progress("customers", table.row_count) as advance:
        for number, rows in enumerate(_chunks(table)):
            _load(session, table, import_id, number, rows, rejects, tally)
            advance(len(rows))
    summary = {
        "import_id": import_id,
        "file": file.name,
        "rows": table.row_count,
        "created": tally.created,
        "updated": tally.updated,
        "unchanged": tally.unchanged,
        "rejected": tally.rejected,
        "rejects_file": str(rejects.path) if rejects.count else None,
        "similar": tally.similar,
        "notices": tally.noticed,
    }
    show(summary, json_, lambda: _text(summary))
    finish(tally.rejected)


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
    sent = {row.number: row for row in rows if row.problem is None}
    reasons = {row.number: row.problem for row in rows if row.problem is not None}
    if sent:
        answer = session.post(
            "registry",
            "/v1/customer-imports",
            {
                "import_id": import_id,
                "file_name": table.path.name.encode("utf-8", "replace").decode()[:255],
                "file_sha256": table.sha256,
                "rows_total": table.row_count,
                "rows": [{"row": row.number, **row.values} for row in sent.values()],
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
            tally.rejected += 1


def _text(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['rows']} rows: {summary['created']} registered, {summary['updated']} updated,"
        f" {summary['unchanged']} unchanged, {summary['rejected']} rejected"
    ]
    if summary["rejects_file"]:
        lines.append(f"rejected rows and reasons: {summary['rejects_file']}")
    if summary["similar"]:
        lines.append(f"{len(summary['similar'])} have a name similar to another customer's:")
        lines += [
            f"  row {each['row']}: {each['customer_code']} ~ {', '.join(each['similar'])}"
            for each in summary["similar"][:20]
        ]
        if len(summary["similar"]) > 20:
            lines.append("  … all of them with --json")
    if summary["notices"]:
        lines.append(f"{len(summary['notices'])} should be looked at:")
        lines += [f"  row {each['row']}: {', '.join(each['notices'])}" for each in summary["notices"][:20]]
        if len(summary["notices"]) > 20:
            lines.append("  … all of them with --json")
    return "\n".join(lines)
