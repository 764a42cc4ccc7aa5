"""Command: load some rows of a book of customers (`keypost import customers`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from services.registry.domain.agreements import Agreement, end_is_due_at
from services.registry.domain.customers import Customer
from services.registry.domain.import_rows import ImportRow, Rejected, Words, read_row
from services.registry.domain.importing import Loaded, Outcome, Policy, decide
from services.registry.domain.registering import Grounds, divisions_of
from services.registry.handlers.code_ranges import last_serials, tell_low_ranges
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import (
    AgreementTimers,
    Change,
    Customers,
    ImportChunk,
    Imports,
    Organisations,
    Publish,
    Rules,
)

ROWS_MAX: Final = 500
"""One transaction's worth of rows."""


@dataclass(frozen=True, slots=True)
class ImportRefused:
    """Refusal: the import of this id belongs to another person or another file."""

    import_id: str


async def import_customers(
    chunk: ImportChunk,
    *,
    person: str,
    scopes: tuple[str, ...],
    now: datetime,
    today: date,
    rules: Rules,
    customers: Customers,
    imports: Imports,
    organisations: Organisations,
    timers: AgreementTimers,
    publish: Publish,
) -> list[Outcome] | ImportRefused:
    """Decides the rows in order and stores what they do; each loaded row is one state record to those downstream."""
    # Registrations stand in line, so that what is found missing here cannot appear before the commit.
    await customers.lock_registrations()
    if not await imports.open(chunk, person):
        return ImportRefused(chunk.import_id)
    organisation = await organisations.load()
    policy = Policy(
        Grounds(now, today, organisation.units, rules.schemes, rules.issuing),
        Words(organisation.units, rules.divisions, organisation.managers),
        rules.default_unit,
        scopes,
    )
    read = [read_row(row, values, policy.words) for row, values in chunk.rows]
    registrants = [each.registrant(rules.default_unit) for each in read if isinstance(each, ImportRow)]
    divisions = divisions_of(registrants, organisation.units)
    book = await customers.load_book(registrants, divisions, rules.issuing)
    before = last_serials(book.ranges)
    outcomes = [each if isinstance(each, Rejected) else decide(book, each, policy) for each in read]
    loaded = [each for each in outcomes if isinstance(each, Loaded) and each.result != "unchanged"]
    changes = [Change(each.before, each.after, each.assignment) for each in loaded]
    await customers.store_changes(changes, book, organisation.units, rules.issuing, person)
    await timers.schedule(_ends(changes), end_is_due_at)
    await imports.record(chunk, outcomes)
    for each in loaded:
        publish_customer(publish, each.after, each.facts, organisation.units, person, now)
    tell_low_ranges(book.ranges, before, organisation.units, publish, now)
    return outcomes


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
