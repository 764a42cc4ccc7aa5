"""`keypost import transactions FILE`: revenue of counters or lines that do not send theirs, published like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal

import typer

from cli.command import Call, command
from cli.grants import unit_of
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
from cli.tabular import Table, TableRow, in_words, open_table
from cli.transaction_rows import COLUMNS, REQUIRED, Rejected, event_of, template
from cli.words import phrase

CHUNK_ROWS: Final = 1000
CHUNK_CHARACTERS: Final = 1_000_000
"""A chunk of unusually long rows ends here, so that a call stays within what the service takes, however it is written."""

IDENTITIES_MAX: Final = 2_000_000
"""So many rows are remembered to tell repeats by; what comes after them is published again, which changes nothing."""

_ROLES: Final = ("steward", "centre")
"""In whose name a file is imported: that of the first grant as steward, else as centre."""


def register(app: typer.Typer) -> None:
    import_group(app).command("transactions")(import_transactions)


@command
def import_transactions(
    call: Call,
    file: File = None,
    template_: Template = False,
    sheet: SheetName = None,
) -> None:
    """Publish transactions from a file. Bad rows go to FILE.rejects.csv; the same file again adds nothing.

    Columns: id, customer_code, line, kind (sale or reversal), amount, business_date, and optionally source, counter_id,
    pieces, occurred_at, settlement, manager_id, product, reverses; Chinese headings work too. Without a source a row
    gets /imports/UNIT, where UNIT is that of the user's grant as steward or centre (3205, the centre of the default
    organisation, for one on the root); source and id are a transaction's identity, so import a file again as the same
    unit, and give ids that the next file does not use again: a row number is none. Without an outlet a row gets UNIT,
    without a time the beginning of the business day.
    """
    if template_:
        print_template(template())
        return
    path = wanted_file(file)
    table = open_table(path, COLUMNS, REQUIRED, sheet)
    say_notices(table)
    session = call.session
    unit_code = unit_of(session.token(), _ROLES)
    tally = Tally()
    with (
        RejectFile(table) as rejects,
        progress(phrase("cli.import.transactions"), table.row_count) as advance,
    ):
        for rows in chunks(table):
            _publish(session, rows, unit_code, rejects, tally)
            advance(len(rows))
    summary = {
        "file": visible(path.name),
        "rows": tally.accepted + tally.repeated + tally.conflicting + rejects.count,
        "accepted": tally.accepted,
        "repeated": tally.repeated,
        "conflicting": tally.conflicting,
        "rejected": rejects.count,
        "repeats": tally.repeats,
        "rejects_file": visible(str(rejects.path)) if rejects.count else None,
        "notices": list(table.notices),
        "unread_sheets": list(table.unread_sheets),
        "default_source": f"/imports/{unit_code}",
    }
    call.show(summary, _text)
    finish(bool(rejects.count or tally.conflicting or table.rows_elsewhere))


@dataclass(slots=True)
class Tally:
    """What became of the rows so far. A row of an earlier one's identity is repeated where its content is the same, and
    else conflicting: it is published, and held by the ledger until somebody decides."""

    accepted: int = 0
    repeated: int = 0
    conflicting: int = 0
    repeats: list[dict[str, Any]] = field(default_factory=list)
    """The first of them: the row, the earlier row, and which of both it is."""
    _seen: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    def add(self, number: int, event: Mapping[str, Any]) -> None:
        """A row that was published."""
        identity = _digest([event["source"], event["id"]])
        content = _digest(event["data"])
        earlier = self._seen.get(identity)
        if earlier is None:
            self.accepted += 1
            if len(self._seen) < IDENTITIES_MAX:
                self._seen[identity] = (number, content)
            return
        result: Literal["repeated", "conflicting"] = "repeated" if earlier[1] == content else "conflicting"
        setattr(self, result, getattr(self, result) + 1)
        if len(self.repeats) < SHOWN_MAX:
            self.repeats.append({"row": number, "earlier_row": earlier[0], "result": result})


def _digest(value: object) -> bytes:
    printed = json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(printed, digest_size=12).digest()


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


def _publish(
    session: Session, rows: list[TableRow], unit_code: str, rejects: RejectFile, tally: Tally
) -> None:
    """Sends one chunk and keeps what was rejected, in the order of the file."""
    reasons: dict[int, str] = {}
    events: list[dict[str, Any]] = []
    sent: list[int] = []
    for row in rows:
        if row.problem is not None:
            reasons[row.number] = in_words(row.problem)
            continue
        made = event_of(row.values, unit_code)
        if isinstance(made, Rejected):
            reasons[row.number] = f"{made.reason}: {made.detail}"
        else:
            events.append(made)
            sent.append(row.number)
    if events:
        # A repetition after a lost answer publishes the same identities again, which changes nothing.
        answer = session.post("tiering", "/v1/transactions", events)
        for item in answer["items"]:
            if item["status"] != "accepted":
                reasons[sent[item["index"]]] = f"{item['reason']}: {item['detail']}"
    for number, event in zip(sent, events, strict=True):
        if number not in reasons:
            tally.add(number, event)
    for row in rows:
        if (reason := reasons.get(row.number)) is not None:
            rejects.add(row, reason)


def _text(summary: dict[str, Any]) -> str:
    lines = [
        phrase("cli.import.transaction_rows", **summary),
        *("  " + phrase("cli.import.same_id", **each) for each in summary["repeats"]),
    ]
    if summary["rejects_file"]:
        lines.append(phrase("cli.import.rejects", file=summary["rejects_file"]))
    return "\n".join(lines)
