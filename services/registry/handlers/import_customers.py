"""Command: load some rows of a book of customers (`keypost import customers`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from services.registry.domain.agreements import Agreement, end_is_due_at
from services.registry.domain.customers import Customer
from services.registry.domain.import_rows import ImportRow, Rejected, Words, read_row
from services.registry.domain.importing import Loaded, Outcome, Policy, decide
from services.registry.domain.registering import Grounds, divisions_of
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.code_ranges import last_serials, tell_low_ranges
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import Change, ImportChunk
from shared.auth.policy import reach
from shared.kernel.commands import Done
from shared.kernel.refusals import Kind, Refusal

ROWS_MAX: Final = 500
"""One transaction's worth of rows."""


@dataclass(frozen=True, slots=True)
class ImportConflict(Refusal):
    """The import of this id belongs to another person or another file."""

    code: ClassVar[str] = "import_conflict"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class DuplicateRows(Refusal):
    """The same row number stands twice."""

    code: ClassVar[str] = "duplicate_rows"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class UnknownImport(Refusal):
    """There is no such import, or none of the caller's own."""

    code: ClassVar[str] = "unknown_import"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a chunk, in their order."""

    import_id: str
    outcomes: list[Outcome]


async def import_customers(
    chunk: ImportChunk, desk: ActDesk
) -> Done[Imported] | ImportConflict | DuplicateRows:
    """Decides the rows in order and stores what they do; each loaded row is one state record to those downstream."""
    if len({number for number, _ in chunk.rows}) != len(chunk.rows):
        return DuplicateRows()
    # Registrations stand in line, so that what is found missing here cannot appear before the commit.
    await desk.customers.lock_registrations()
    if not await desk.imports.open(chunk, desk.person):
        return ImportConflict()
    rules, organisation = desk.rules, await desk.organisations.load()
    policy = Policy(
        Grounds(desk.now, desk.today, organisation.units, rules.schemes, rules.issuing),
        Words(organisation.units, rules.divisions, organisation.managers),
        rules.default_unit,
        reach(desk.caller, "customers.import").paths,
    )
    read = [read_row(row, values, policy.words) for row, values in chunk.rows]
    registrants = [each.registrant(rules.default_unit) for each in read if isinstance(each, ImportRow)]
    divisions = divisions_of(registrants, organisation.units)
    book = await desk.customers.load_book(registrants, divisions, rules.issuing)
    before = last_serials(book.ranges)
    outcomes = [each if isinstance(each, Rejected) else decide(book, each, policy) for each in read]
    loaded = [each for each in outcomes if isinstance(each, Loaded) and each.result != "unchanged"]
    changes = [Change(each.before, each.after, each.assignment) for each in loaded]
    await desk.customers.store_changes(changes, book, organisation.units, rules.issuing, desk.person)
    await desk.timers.schedule(_ends(changes), end_is_due_at)
    await desk.imports.record(chunk, outcomes)
    for each in loaded:
        publish_customer(desk.publish, each.after, each.facts, organisation.units, desk.person, desk.now)
    tell_low_ranges(book.ranges, before, organisation.units, desk.publish, desk.now)
    return Done(Imported(chunk.import_id, outcomes))


def _ends(changes: Sequence[Change]) -> list[tuple[str, str, date]]:
    """The last days of agreements for which no timer has been set."""
    return [
        (change.after.code, agreement.agreement_no, agreement.ends_on)
        for change in changes
        for agreement in change.after.agreements
        if agreement.state == "in_force"
        and agreement.ends_on is not None
        and not _same_end(change.before, agreement)
    ]


def _same_end(before: Customer | None, agreement: Agreement) -> bool:
    """Whether the timer for this end was set before."""
    known = None if before is None else before.agreement(agreement.agreement_no)
    return known is not None and known.ends_on == agreement.ends_on


def counts(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """How many rows had each result."""
    totals = {"created": 0, "updated": 0, "unchanged": 0, "rejected": 0}
    for outcome in outcomes:
        totals["rejected" if isinstance(outcome, Rejected) else outcome.result] += 1
    return totals
