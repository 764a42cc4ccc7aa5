"""`keypost import transactions FILE`: revenue of counters or lines that do not send theirs, published like any other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.grants import unit_of
from cli.imports import finish, import_group, progress
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language
from cli.tabular import RejectFile, Table, TableRow, open_table
from cli.transaction_rows import (
    COLUMNS,
    REQUIRED,
    Rejected,
    event_of,
    template,
)

CHUNK_ROWS: Final = 1000
CHUNK_CHARACTERS: Final = 1_000_000
"""A chunk of unusually long rows ends here, so that a call stays within what the service takes, however it is written."""

_ROLES: Final = ("steward", "centre")
"""In whose name a file is imported: that of the first grant as steward, else as centre."""


def register(app: typer.Typer) -> None:
    import_group(app).command("transactions")(import_transactions)


def import_transactions(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="CSV or XLSX with a header row.", show_default=False)
    ] = None,
    template_: Annotated[
        bool, typer.Option("--template", help="Print the columns with an example row in both languages.")
    ] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Publish transactions from a file. Bad rows go to FILE.rejects.csv; the same file again adds nothing.

    Columns: id, customer_code, line, kind (sale or reversal), amount, business_date, and optionally source, counter_id,
    pieces, occurred_at, settlement, manager_id, product, reverses; Chinese headings work too. Without a source a row
    gets /imports/UNIT, where UNIT is that of the user's grant as steward or centre (3205, the centre of the default
    organisation, for one on the root); source and id are a transaction's identity, so import a file again as the same
    unit. Without an outlet it gets UNIT, without a time the beginning of the business day.
    """
    if template_:
        csv.writer(sys.stdout, lineterminator="\n").writerows(template())
        return
    if file is None:
        raise CommandError("which FILE? `--template` shows what it looks like", Exit.BAD_CALL)
    table = open_table(file, COLUMNS, REQUIRED)
    session = open_session(data, user, timeout)
    unit_code = unit_of(session.token(), _ROLES)
    accepted = 0
    with RejectFile(table) as rejects, progress("transactions", table.row_count) as advance:
        for rows in chunks(table):
            accepted += _publish(session, rows, unit_code, rejects)
            advance(len(rows))
    summary = {
        "file": file.name,
        "rows": table.row_count,
        "accepted": accepted,
        "rejected": rejects.count,
        "rejects_file": str(rejects.path) if rejects.count else None,
        "default_source": f"/imports/{unit_code}",
    }
    show(summary, json_, lambda: _text(summary))
    finish(rejects.count)


def chunks(table: Table) -> Iterator[list[TableRow]]:
    """The rows of a file in the pieces in which they are sent."""
    rows = table.rows()
    while chunk := list(islice(rows, CHUNK_ROWS)):
        size = 0
        begin = 0
        for place, row in enumerate(chunk):
            size += sum(map(len, row.cells))
            if size > CHUNK_CHARACTERS and place > begin:
                yield chunk[begin:place]
                begin, size = place, 0
        yield chunk[begin:]


def _publish(session: Session, rows: list[TableRow], unit_code: str, rejects: RejectFile) -> int:
    """Sends one chunk and keeps what was rejected, in the order of the file. How many were accepted."""
    reasons: dict[int, str] = {}
    events: list[dict[str, Any]] = []
    sent: list[int] = []
    for row in rows:
        if row.problem is not None:
            reasons[row.number] = row.problem
            continue
        made = event_of(row.values, unit_code)
        if isinstance(made, Rejected):
            reasons[row.number] = f"{made.reason}: {made.detail}"
        else:
            events.append(made)
            sent.append(row.number)
    if events:
        # A repetition after a lost answer publishes the same identities again, which changes nothing.
        answer = session.post("tiering", "/v1/transactions", events, headers=accept_language())
        for item in answer["items"]:
            if item["status"] != "accepted":
                reasons[sent[item["index"]]] = f"{item['reason']}: {item['detail']}"
    for row in rows:
        if (reason := reasons.get(row.number)) is not None:
            rejects.add(row, reason)
    return len(rows) - len(reasons)


def _text(summary: dict[str, Any]) -> str:
    lines = [f"{summary['rows']} rows: {summary['accepted']} published, {summary['rejected']} rejected"]
    if summary["rejects_file"]:
        lines.append(f"rejected rows and reasons: {summary['rejects_file']}")
    return "\n".join(lines)
