"""Command: load some rows of a book of customers (`keypost import customers`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from services.registry.domain.agreements import Agreement, end_is_due_at
from services.registry.domain.customers import Customer
from services.registry.domain.importing import (
    Book,
    ImportRow,
    Loaded,
    Outcome,
    Policy,
    Rejected,
    decide,
    read_row,
)
from services.registry.domain.organisation import assigning_division
from services.registry.handlers.code_ranges import last_serials, tell_low_ranges
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import (
    AgreementTimers,
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
        now=now,
        today=today,
        units=organisation.units,
        divisions=rules.divisions,
        managers=organisation.managers,
        schemes=rules.schemes,
        issuing=rules.issuing,
        default_unit=rules.default_unit,
        scopes=scopes,
    )
    read = [read_row(row, values, policy) for row, values in chunk.rows]
    rows = [each for each in read if isinstance(each, ImportRow)]
    book = await customers.load_book(rows, _divisions(rows, policy), rules.issuing)
    before = last_serials(book.ranges)
    outcomes = [each if isinstance(each, Rejected) else decide(book, each, policy) for each in read]
    await _store(outcomes, book, policy, person, customers, timers)
    await imports.record(chunk, outcomes)
    for outcome in outcomes:
        if isinstance(outcome, Loaded) and outcome.result != "unchanged":
            publish_customer(publish, outcome.after, outcome.facts, organisation.units, person, now)
    tell_low_ranges(book.ranges, before, organisation.units, publish, now)
    return outcomes


def _divisions(rows: Sequence[ImportRow], policy: Policy) -> set[str]:
    """The ranges that the rows may need a code from; those whose codes are given need none."""
    found = {
        assigning_division(policy.units, row.unit_code or policy.default_unit)
        for row in rows
        if row.customer_code is None
    }
    return {division for division in found if division is not None}


async def _store(
    outcomes: Sequence[Outcome],
    book: Book,
    policy: Policy,
    person: str,
    customers: Customers,
    timers: AgreementTimers,
) -> None:
    await customers.store_rows(outcomes, book, policy.units, policy.issuing, person)
    ends = [
        (outcome.after.code, agreement.agreement_no, agreement.ends_on)
        for outcome in outcomes
        if isinstance(outcome, Loaded) and outcome.result != "unchanged"
        for agreement in outcome.after.agreements
        if agreement.state == "in_force"
        and agreement.ends_on is not None
        and not _same_end(outcome.before, agreement)
    ]
    await timers.schedule(ends, end_is_due_at)


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
