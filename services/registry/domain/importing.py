"""The bulk load of an existing book of customers, decided row by row (contract "Files", customers).

Row identity is `customer_code`, else `uscc`, else normalised name and unit. A new identity is
registered; a known one is brought up to date: blanks change nothing, a new agreement number is signed,
an end date in the past ends the agreement, and a different name, credit code or unit rejects the row,
because those are controlled fields. Similar names are loaded and listed; only a duplicate credit code or
a code held by another rejects. A row that says what is so anyway changes nothing, even about a customer that
is merged or retired: what was exported can be imported again.

Nothing here stores or sends: the book is a working copy of what the surrounding transaction has locked,
and each row's outcome says what to store. Rows are decided in order, each seeing what the rows before it
did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from services.registry.domain import agreements as agreement_rules
from services.registry.domain.agreements import Agreement, AlreadyEnded
from services.registry.domain.book import Book
from services.registry.domain.customers import Customer, Fact, agreement_facts
from services.registry.domain.import_rows import ImportRow, Rejected, Words
from services.registry.domain.names import identity_key
from services.registry.domain.organisation import foreign_range
from services.registry.domain.registering import (
    Assignment,
    Grounds,
    NotRegistered,
    hindrances,
    managers_fact,
    register,
)
from shared.kernel.units import covers

Result = Literal["created", "updated", "unchanged", "rejected"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the decision depends on besides the book, fixed for one chunk of rows."""

    grounds: Grounds
    words: Words
    default_unit: str
    scopes: tuple[str, ...]
    """Paths of the units that the importing person acts for."""

    def in_scope(self, unit_code: str) -> bool:
        unit = self.grounds.units.get(unit_code)
        return unit is not None and any(covers(path, unit.path) for path in self.scopes)

    def spends_foreign_range(self, code: str, unit_code: str) -> bool:
        """Whether a code would use up a serial of a city that is neither the customer's nor in scope."""
        owner = foreign_range(self.grounds.units, self.grounds.issuing, code, unit_code)
        return owner is not None and not self.in_scope(owner.code)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A row that is loaded: the customer before and after, the facts to tell, and what a person
    should look at."""

    row: int
    result: Result
    before: Customer | None
    after: Customer
    facts: tuple[Fact, ...] = ()
    assignment: Assignment | None = None
    similar: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


Outcome = Loaded | Rejected


def decide(book: Book, row: ImportRow, policy: Policy) -> Outcome:
    """What one row does. The book is brought up to date with the outcome, so that the next row sees it."""
    if row.customer_code is not None:
        known = book.by_code.get(row.customer_code)
    elif row.uscc is not None:
        known = book.holder_of(row.uscc)
    else:
        known = book.named(row.name, row.unit_code or policy.default_unit)
    outcome = _register(book, row, policy) if known is None else _bring_up_to_date(book, row, known, policy)
    if isinstance(outcome, Loaded) and outcome.result != "unchanged":
        book.add(outcome.after)
    return outcome


def _register(book: Book, row: ImportRow, policy: Policy) -> Outcome:
    registrant = row.registrant(policy.default_unit)
    reasons = list(hindrances(book, registrant, policy.grounds))
    if registrant.unit_code in policy.grounds.units and not policy.in_scope(registrant.unit_code):
        reasons.insert(0, "unit_out_of_scope")
    if row.customer_code is not None and policy.spends_foreign_range(row.customer_code, registrant.unit_code):
        reasons.append("code_range_foreign")
    if row.agreement_no is not None and row.signed_on is None:
        reasons.append("missing_agreement_signed_on")
    if reasons:
        return Rejected(row.row, tuple(reasons))
    registered = register(book, registrant, policy.grounds)
    if isinstance(registered, NotRegistered):
        return Rejected(row.row, registered.reasons)
    customer = registered.customer
    coded, *others = registered.facts
    imported = Fact("imported", {"unit_code": customer.unit_code, "origin": "import"})
    similar: tuple[str, ...] = ("similar_name",) if registered.similar else ()
    return Loaded(
        row.row,
        "created",
        None,
        customer,
        (coded, imported, *others),
        registered.assignment,
        registered.similar,
        _notices(row, policy) + similar,
    )


def _bring_up_to_date(book: Book, row: ImportRow, known: Customer, policy: Policy) -> Outcome:
    if reasons := _conflicts(book, row, known, policy):
        # A customer outside the person's scope is not named: that it exists is all they learn.
        return Rejected(row.row, reasons, known.code if policy.in_scope(known.unit_code) else None)

    changed: dict[str, object] = {}
    for name, value in (("uscc", row.uscc), ("division", row.division), ("industry", row.industry)):
        if value is not None and value != getattr(known, name):
            changed[name] = value
    if row.kind == "active" and known.kind == "potential":
        # An active customer never becomes potential again: it has had its first transaction.
        changed["kind"] = "active"
    after = known
    if changed:
        after = replace(
            after,
            uscc=row.uscc or known.uscc,
            division=row.division or known.division,
            industry=row.industry or known.industry,
            kind="active" if "kind" in changed else known.kind,
        )
    facts = [Fact("updated", {"changed": sorted(changed)})] if changed else []

    managers = (row.manager_a or known.manager_a, row.manager_b or known.manager_b)
    if managers != (known.manager_a, known.manager_b):
        after = replace(after, manager_a=managers[0], manager_b=managers[1])
        facts.append(managers_fact(after))

    # The last day of an agreement may have passed without its timer having come round yet; what is
    # decided here must not depend on which of the two is first.
    settled = tuple(agreement_rules.expire(each, policy.grounds.today) for each in known.agreements)
    after = replace(after, agreements=settled)
    if row.agreement_no is not None:
        agreement = _agreement_after(after.agreement(row.agreement_no), row, policy)
        if isinstance(agreement, str):
            return Rejected(row.row, (agreement,), known.code)
        after = replace(after, agreements=after.with_agreement(agreement))
    facts += agreement_facts(known, after)

    if after == known:
        return Loaded(row.row, "unchanged", known, known)
    if known.status != "active":
        return Rejected(row.row, (f"customer_{known.status}",), known.code)
    after = replace(after, version=known.version + 1)
    return Loaded(row.row, "updated", known, after, tuple(facts), notices=_notices(row, policy))


def _agreement_after(known: Agreement | None, row: ImportRow, policy: Policy) -> Agreement | str:
    """The agreement that a row names as it stands after the row, or the reason why the row is rejected."""
    if known is None:
        if row.signed_on is None or row.agreement_no is None:
            return "missing_agreement_signed_on"
        return agreement_rules.sign(
            row.agreement_no, row.signed_on, row.ends_on, policy.grounds.now, policy.grounds.today
        )
    if row.signed_on is not None and row.signed_on != known.signed_on:
        return "agreement_signed_on_differs"
    if row.ends_on is None and not row.open_ended:
        return known
    if row.ends_on is not None and row.ends_on < known.signed_on:
        return "agreement_ends_before_signed"
    moved = agreement_rules.move_end(known, row.ends_on, policy.grounds.today)
    return "agreement_already_ended" if isinstance(moved, AlreadyEnded) else moved


def _conflicts(book: Book, row: ImportRow, known: Customer, policy: Policy) -> tuple[str, ...]:
    """Why a row cannot be about the customer that its identity leads to; empty if it can."""
    if not policy.in_scope(known.unit_code):
        if row.customer_code is not None:
            return ("code_taken",)
        return ("duplicate_uscc",) if row.uscc is not None else ("unit_out_of_scope",)
    reasons: list[str] = []
    holder = None if row.uscc is None else book.holder_of(row.uscc)
    name_differs = identity_key(row.name) != identity_key(known.name)
    if row.customer_code is not None and name_differs and holder is not known:
        reasons.append("code_taken")
    if holder is not None and holder is not known:
        reasons.append("duplicate_uscc")
    if name_differs:
        reasons.append("name_differs")
    if row.uscc is not None and known.uscc is not None and row.uscc != known.uscc:
        reasons.append("uscc_differs")
    if row.unit_code is not None and row.unit_code != known.unit_code:
        reasons.append("unit_differs")
    return tuple(reasons)


def _notices(row: ImportRow, policy: Policy) -> tuple[str, ...]:
    """What is loaded and yet worth a person's look."""
    notices: list[str] = []
    staff = set(policy.words.managers.values())
    managers = [each for each in (row.manager_a, row.manager_b) if each is not None]
    if any(each not in staff for each in managers):
        notices.append("unknown_manager")
    if len(managers) == 2 and managers[0] == managers[1]:
        notices.append("single_manager")
    if row.signed_on is not None and row.signed_on > policy.grounds.today:
        notices.append("agreement_signed_in_future")
    return tuple(notices)
