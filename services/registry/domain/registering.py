"""A customer gets its code: the one way in which an import and an approved declaration make a customer (REG-4).

The system assigns the code, from the range of the city that the customer's unit belongs to; a code of old is kept where its
form is one that is adopted, and where it falls into an issuing range its serial is skipped for ever. A credit code belongs
to one customer, and a code that counters use for another customer is taken. Similar names hinder nothing; they are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.registry.domain import agreements as agreement_rules
from services.registry.domain.agreements import Agreement
from services.registry.domain.book import SIMILAR_MAX, Book
from services.registry.domain.codes import (
    CodeScheme,
    IssuedCode,
    RangeExhausted,
    scheme_of_adopted,
    slot_of,
)
from services.registry.domain.customers import Customer, Fact, Kind, agreement_facts
from services.registry.domain.organisation import Unit, assigning_division


@dataclass(frozen=True, slots=True)
class Term:
    """An agreement that a customer comes with."""

    agreement_no: str
    signed_on: date
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who is to be registered: with a code of old, or without one to be given one."""

    name: str
    unit_code: str
    customer_code: str | None = None
    uscc: str | None = None
    division: str | None = None
    industry: str | None = None
    kind: Kind = "potential"
    manager_a: str | None = None
    manager_b: str | None = None
    agreement: Term | None = None


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a registration depends on besides the book."""

    now: datetime
    today: date
    units: Mapping[str, Unit]
    schemes: tuple[CodeScheme, ...]
    issuing: CodeScheme


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a customer got its code: issued from a range, or adopted under the scheme that knows its form. `skipped` is the
    serial of a range, with its division, that an adopted code makes unusable."""

    code: str
    scheme: str
    issued: IssuedCode | None = None
    skipped: tuple[str, int] | None = None

    @property
    def fact(self) -> Fact:
        if self.issued is None:
            return Fact("code_adopted", {"scheme": self.scheme})
        issued = self.issued
        return Fact(
            "code_assigned", {"scheme": issued.scheme, "division": issued.division, "serial": issued.serial}
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """A new customer; the fact of its code comes first. `similar` are codes of customers whose names are like its own."""

    customer: Customer
    assignment: Assignment
    facts: tuple[Fact, ...]
    similar: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """Refusal: every reason found; reasons are stable codes."""

    reasons: tuple[str, ...]


def divisions_of(registrants: Sequence[Registrant], units: Mapping[str, Unit]) -> set[str]:
    """The ranges from which these may need a code; those whose codes are given need none."""
    found = {assigning_division(units, each.unit_code) for each in registrants if each.customer_code is None}
    return {division for division in found if division is not None}


def hindrances(book: Book, registrant: Registrant, grounds: Grounds) -> tuple[str, ...]:
    """Why nobody can be registered like this, before a code is looked for; empty if nothing hinders it."""
    unit = grounds.units.get(registrant.unit_code)
    if unit is None:
        return ("unknown_unit",)
    reasons: list[str] = []
    if unit.valid_to is not None and unit.valid_to <= grounds.today:
        reasons.append("closed_unit")
    if registrant.uscc is not None and book.holder_of(registrant.uscc) is not None:
        reasons.append("duplicate_uscc")
    if registrant.customer_code is not None and registrant.customer_code in book.mapped:
        reasons.append("code_taken")
    return tuple(reasons)


def register(book: Book, registrant: Registrant, grounds: Grounds) -> Registered | NotRegistered:
    """A new customer with its code. The book's ranges are moved on; the customer is not yet in the book."""
    if reasons := hindrances(book, registrant, grounds):
        return NotRegistered(reasons)
    if registrant.customer_code is None:
        assignment = _issue(book, registrant.unit_code, grounds)
    else:
        assignment = _adopt(book, registrant.customer_code, grounds)
    if isinstance(assignment, str):
        return NotRegistered((assignment,))
    signed: tuple[Agreement, ...] = ()
    if (term := registrant.agreement) is not None:
        signed = (
            agreement_rules.sign(term.agreement_no, term.signed_on, term.ends_on, grounds.now, grounds.today),
        )
    customer = Customer(
        code=assignment.code,
        version=1,
        name=registrant.name,
        uscc=registrant.uscc,
        kind=registrant.kind,
        unit_code=registrant.unit_code,
        registered_at=grounds.now,
        division=registrant.division,
        industry=registrant.industry,
        manager_a=registrant.manager_a,
        manager_b=registrant.manager_b,
        agreements=signed,
    )
    facts = [assignment.fact]
    if customer.manager_a or customer.manager_b:
        facts.append(managers_fact(customer))
    facts += agreement_facts(None, customer)
    similar = tuple(other for other in book.similar_to(customer.name) if other != customer.code)
    return Registered(customer, assignment, tuple(facts), similar[:SIMILAR_MAX])


def _issue(book: Book, unit_code: str, grounds: Grounds) -> Assignment | str:
    division = assigning_division(grounds.units, unit_code)
    if division is None:
        return "unit_without_division"
    taken = book.ranges[division].take()
    if isinstance(taken, RangeExhausted):
        return "range_exhausted"
    return Assignment(taken.code, taken.scheme, taken)


def _adopt(book: Book, code: str, grounds: Grounds) -> Assignment | str:
    scheme = scheme_of_adopted(grounds.schemes, code)
    if scheme is None:
        return "bad_code"
    slot = slot_of(grounds.issuing, code)
    if slot is not None and slot[0] in book.ranges:
        # A serial that is behind already has a customer or a reason of its own.
        slot = slot if book.ranges[slot[0]].skip(slot[1]) else None
    return Assignment(code, scheme.id, skipped=slot)


def managers_fact(customer: Customer) -> Fact:
    """Who looks after the customer from now on."""
    return Fact("managers_bound", {"manager_a": customer.manager_a, "manager_b": customer.manager_b})
