"""The bulk load of an existing book of customers, decided row by row (contract "Files", customers).

Row identity is `customer_code`, else `uscc`, else normalised name and unit. A new identity is
registered; a known one is brought up to date: blanks change nothing, a new agreement number is signed,
an end date in the past ends the agreement, and a different name, credit code or unit rejects the row,
because those are controlled fields. Similar names are loaded and listed; only a duplicate credit code or
a code held by another rejects.

Nothing here stores or sends: the book is a working copy of what the surrounding transaction has locked,
and each row's outcome says what to store. Rows are decided in order, each seeing what the rows before it
did.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal, TypeVar

from services.registry.domain import agreements as agreement_rules
from services.registry.domain.agreements import Agreement, AlreadyEnded
from services.registry.domain.codes import (
    CodeScheme,
    IssuedCode,
    RangeExhausted,
    SerialRange,
    clean_code,
    scheme_of_adopted,
    slot_of,
)
from services.registry.domain.customers import Customer, Fact, Kind
from services.registry.domain.names import clean_name, identity_key, similarity_key
from services.registry.domain.organisation import Unit, assigning_division, covers, foreign_range
from shared.kernel.credit_codes import clean_uscc

FIELDS: Final = (
    "name", "customer_code", "uscc", "unit_code", "division", "industry", "kind",
    "agreement_no", "agreement_signed_on", "agreement_ends_on", "manager_a", "manager_b",
)  # fmt: skip

T = TypeVar("T")
Result = Literal["created", "updated", "unchanged", "rejected"]

_MANAGER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}")
_DATE: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<mark>[-/.年])(?P<month>[0-9]{1,2})(?:(?P=mark)|(?<=[0-9])月)(?P<day>[0-9]{1,2})日?"
    r"|(?P<mm>[0-9]{2})(?P<dd>[0-9]{2}))(?:[ T]00:00(?::00)?)?"
)
_KINDS: Final[Mapping[str, Kind]] = {
    "potential": "potential", "active": "active",
    "潜在": "potential", "潜在客户": "potential", "现实": "active", "现实客户": "active",
}  # fmt: skip
_YEARS: Final = range(1900, 3000)
SIMILAR_MAX: Final = 10
"""So many candidates are shown; a file of a thousand equal names must not list a million pairs."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the decision depends on besides the book, fixed for one chunk of rows."""

    now: datetime
    today: date
    units: Mapping[str, Unit]
    divisions: frozenset[str]
    managers: Mapping[str, str]
    """User names of staff, and their unambiguous names, to user names."""
    schemes: tuple[CodeScheme, ...]
    issuing: CodeScheme
    default_unit: str
    scopes: tuple[str, ...]
    """Paths of the units that the importing person acts for."""

    def in_scope(self, unit_code: str) -> bool:
        unit = self.units.get(unit_code)
        return unit is not None and any(covers(path, unit.path) for path in self.scopes)

    def spends_foreign_range(self, code: str, unit_code: str) -> bool:
        """Whether a code would use up a serial of a city that is neither the customer's nor in scope."""
        owner = foreign_range(self.units, self.issuing, code, unit_code)
        return owner is not None and not self.in_scope(owner.code)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row whose fields have been read; a blank is None."""

    row: int
    name: str
    customer_code: str | None = None
    uscc: str | None = None
    unit_code: str | None = None
    division: str | None = None
    industry: str | None = None
    kind: Kind | None = None
    agreement_no: str | None = None
    signed_on: date | None = None
    ends_on: date | None = None
    manager_a: str | None = None
    manager_b: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not loaded, with every reason found; reasons are stable codes."""

    row: int
    reasons: tuple[str, ...]
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A row that is loaded: the customer before and after, the facts to tell, and what a person
    should look at."""

    row: int
    result: Result
    before: Customer | None
    after: Customer
    facts: tuple[Fact, ...] = ()
    issued: IssuedCode | None = None
    adopted_scheme: str | None = None
    skipped_slot: tuple[str, int] | None = None
    similar: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


Outcome = Loaded | Rejected


def read_date(text: str) -> date | None:
    """A calendar date as people and spreadsheets write it, or None if it is none."""
    match = _DATE.fullmatch(unicodedata.normalize("NFKC", text))
    if match is None:
        return None
    try:
        found = date(int(match["year"]), int(match["month"] or match["mm"]), int(match["day"] or match["dd"]))
    except ValueError:
        return None
    return found if found.year in _YEARS else None


def _clean_text(text: str, longest: int) -> str | None:
    cleaned = unicodedata.normalize("NFC", text).strip()
    return cleaned if len(cleaned) <= longest and cleaned.isprintable() else None


def _kind(text: str) -> Kind | None:
    return _KINDS.get(text.casefold())


def read_row(row: int, values: Mapping[str, str | None], policy: Policy) -> ImportRow | Rejected:
    """The fields of one row, or all the reasons why they cannot be read. Unknown columns are ignored."""
    given = {name: text for name in FIELDS if (text := (values.get(name) or "").strip())}
    problems: list[str] = []

    def take(name: str, read: Callable[[str], T | None], problem: str) -> T | None:
        text = given.get(name)
        if text is None:
            return None
        value = read(text)
        if value is None:
            problems.append(problem)
        return value

    def known_division(text: str) -> str | None:
        code = text.ljust(6, "0") if len(text) in (2, 4) else text
        return code if code in policy.divisions else None

    def known_manager(text: str) -> str | None:
        return policy.managers.get(text) or (text if _MANAGER.fullmatch(text) else None)

    if "name" not in given:
        problems.append("missing_name")
    name = take("name", clean_name, "bad_name")
    code = take("customer_code", clean_code, "bad_code")
    uscc = take("uscc", clean_uscc, "bad_uscc")
    unit_code = take("unit_code", lambda text: text if text in policy.units else None, "unknown_unit")
    division = take("division", known_division, "unknown_division")
    industry = take("industry", lambda text: _clean_text(text, 64), "bad_industry")
    kind: Kind | None = take("kind", _kind, "bad_kind")
    agreement_no = take("agreement_no", lambda text: _clean_text(text, 64), "bad_agreement_no")
    signed_on = take("agreement_signed_on", read_date, "bad_agreement_signed_on")
    ends_on = take("agreement_ends_on", read_date, "bad_agreement_ends_on")
    manager_a = take("manager_a", known_manager, "bad_manager_a")
    manager_b = take("manager_b", known_manager, "bad_manager_b")
    if "agreement_no" not in given and ("agreement_signed_on" in given or "agreement_ends_on" in given):
        problems.append("missing_agreement_no")
    if signed_on is not None and ends_on is not None and ends_on < signed_on:
        problems.append("agreement_ends_before_signed")
    if problems or name is None:
        return Rejected(row, tuple(problems))
    return ImportRow(
        row,
        name,
        code,
        uscc,
        unit_code,
        division,
        industry,
        kind,
        agreement_no,
        signed_on,
        ends_on,
        manager_a,
        manager_b,
    )


@dataclass(slots=True)
class Book:
    """The customers that a chunk may touch, findable by every identity a row can have, and the serials
    to issue from.

    Customers are added in the order of their registration, which decides between several of one name.
    """

    ranges: dict[str, SerialRange] = field(default_factory=dict)
    by_code: dict[str, Customer] = field(default_factory=dict)
    _by_uscc: dict[str, str] = field(default_factory=dict)
    _by_identity: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _by_similarity: dict[str, list[str]] = field(default_factory=dict)
    mapped: set[str] = field(default_factory=set)
    """Codes of the rows that counters use for a customer: they mean that one and cannot be adopted for another."""

    def add(self, customer: Customer) -> None:
        """Adds a customer, or puts its new state in the place of the one known."""
        if customer.code not in self.by_code:
            identity = (identity_key(customer.name), customer.unit_code)
            self._by_identity.setdefault(identity, []).append(customer.code)
            self.add_similar(similarity_key(customer.name), customer.code)
        self.by_code[customer.code] = customer
        if customer.uscc is not None:
            self._by_uscc[customer.uscc] = customer.code

    def add_similar(self, key: str, code: str) -> None:
        """Notes that a customer, in the book or not, has a name of this similarity key."""
        codes = self._by_similarity.setdefault(key, [])
        if len(codes) <= SIMILAR_MAX and code not in codes:
            codes.append(code)

    def holder_of(self, uscc: str) -> Customer | None:
        code = self._by_uscc.get(uscc)
        return None if code is None else self.by_code[code]

    def named(self, name: str, unit_code: str) -> Customer | None:
        """The customer that a row with nothing but a name and a unit means.

        One in good standing goes before others, one that has no credit code either before those that have,
        and else the first registered: the choice must be the same whenever the file is read again.
        """
        found = [self.by_code[code] for code in self._by_identity.get((identity_key(name), unit_code), ())]
        return min(found, key=lambda each: (each.status != "active", each.uscc is not None), default=None)

    def similar_to(self, name: str) -> tuple[str, ...]:
        return tuple(self._by_similarity.get(similarity_key(name), ()))


def decide(book: Book, row: ImportRow, policy: Policy) -> Outcome:
    """What one row does. The book is brought up to date with the outcome, so that the next row sees it."""
    unit_code = row.unit_code or policy.default_unit
    if row.customer_code is not None:
        known = book.by_code.get(row.customer_code)
    elif row.uscc is not None:
        known = book.holder_of(row.uscc)
    else:
        known = book.named(row.name, unit_code)
    outcome = (
        register(book, row, unit_code, policy)
        if known is None
        else _bring_up_to_date(book, row, known, policy)
    )
    if isinstance(outcome, Loaded) and outcome.result != "unchanged":
        book.add(outcome.after)
    return outcome


def register(book: Book, row: ImportRow, unit_code: str, policy: Policy) -> Outcome:
    """A new customer with its code: the one way in which an import and an approved declaration make one."""
    unit = policy.units.get(unit_code)
    reasons: list[str] = []
    if unit is None:
        return Rejected(row.row, ("unknown_unit",))
    if not policy.in_scope(unit_code):
        reasons.append("unit_out_of_scope")
    if unit.valid_to is not None and unit.valid_to <= policy.today:
        reasons.append("closed_unit")
    if row.uscc is not None and book.holder_of(row.uscc) is not None:
        reasons.append("duplicate_uscc")
    if row.customer_code is not None and row.customer_code in book.mapped:
        reasons.append("code_taken")
    if row.customer_code is not None and policy.spends_foreign_range(row.customer_code, unit_code):
        reasons.append("code_range_foreign")
    if row.agreement_no is not None and row.signed_on is None:
        reasons.append("missing_agreement_signed_on")
    if reasons:
        return Rejected(row.row, tuple(reasons))

    issued: IssuedCode | None = None
    adopted: CodeScheme | None = None
    slot: tuple[str, int] | None = None
    if row.customer_code is None:
        division = assigning_division(policy.units, unit_code)
        if division is None:
            return Rejected(row.row, ("unit_without_division",))
        taken = book.ranges[division].take()
        if isinstance(taken, RangeExhausted):
            return Rejected(row.row, ("range_exhausted",))
        issued, code = taken, taken.code
        code_fact = Fact(
            "code_assigned", {"scheme": taken.scheme, "division": division, "serial": taken.serial}
        )
    else:
        code = row.customer_code
        adopted = scheme_of_adopted(policy.schemes, code)
        if adopted is None:
            return Rejected(row.row, ("bad_code",))
        slot = slot_of(policy.issuing, code)
        if slot is not None and slot[0] in book.ranges:
            # A serial that is behind already has a customer or a reason of its own.
            slot = slot if book.ranges[slot[0]].skip(slot[1]) else None
        code_fact = Fact("code_adopted", {"scheme": adopted.id})

    signed: tuple[Agreement, ...] = ()
    if row.agreement_no is not None and row.signed_on is not None:
        signed = (
            agreement_rules.sign(row.agreement_no, row.signed_on, row.ends_on, policy.now, policy.today),
        )
    after = Customer(
        code=code,
        version=1,
        name=row.name,
        uscc=row.uscc,
        kind=row.kind or "potential",
        unit_code=unit_code,
        registered_at=policy.now,
        division=row.division,
        industry=row.industry,
        manager_a=row.manager_a,
        manager_b=row.manager_b,
        agreements=signed,
    )
    facts = [code_fact, Fact("imported", {"unit_code": unit_code, "origin": "import"})]
    if after.manager_a or after.manager_b:
        facts.append(_managers_fact(after))
    facts += _agreement_facts((), signed)
    similar = tuple(other for other in book.similar_to(row.name) if other != code)[:SIMILAR_MAX]
    notices = _notices(row, policy) + (("similar_name",) if similar else ())
    return Loaded(
        row.row,
        "created",
        None,
        after,
        tuple(facts),
        issued,
        adopted.id if adopted else None,
        slot,
        similar,
        notices,
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
        facts.append(_managers_fact(after))

    # The last day of an agreement may have passed without its timer having come round yet; what is
    # decided here must not depend on which of the two is first.
    settled = tuple(agreement_rules.expire(each, policy.today) for each in known.agreements)
    after = replace(after, agreements=settled)
    if row.agreement_no is not None:
        agreement = _agreement_after(after.agreement(row.agreement_no), row, policy)
        if isinstance(agreement, str):
            return Rejected(row.row, (agreement,), known.code)
        after = replace(after, agreements=after.with_agreement(agreement))
    facts += _agreement_facts(known.agreements, after.agreements)

    if after == known:
        return Loaded(row.row, "unchanged", known, known)
    after = replace(after, version=known.version + 1)
    return Loaded(row.row, "updated", known, after, tuple(facts), notices=_notices(row, policy))


def _agreement_after(known: Agreement | None, row: ImportRow, policy: Policy) -> Agreement | str:
    """The agreement that a row names as it stands after the row, or the reason why the row is rejected."""
    if known is None:
        if row.signed_on is None or row.agreement_no is None:
            return "missing_agreement_signed_on"
        return agreement_rules.sign(row.agreement_no, row.signed_on, row.ends_on, policy.now, policy.today)
    if row.signed_on is not None and row.signed_on != known.signed_on:
        return "agreement_signed_on_differs"
    if row.ends_on is None:
        return known
    if row.ends_on < known.signed_on:
        return "agreement_ends_before_signed"
    moved = agreement_rules.move_end(known, row.ends_on, policy.today)
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
    if known.status != "active":
        reasons.append(f"customer_{known.status}")
    return tuple(reasons)


def _managers_fact(customer: Customer) -> Fact:
    return Fact("managers_bound", {"manager_a": customer.manager_a, "manager_b": customer.manager_b})


def _agreement_facts(before: Sequence[Agreement], after: Iterable[Agreement]) -> list[Fact]:
    facts: list[Fact] = []
    known = {each.agreement_no: each for each in before}
    for agreement in after:
        old = known.get(agreement.agreement_no)
        numbered: dict[str, object] = {"agreement_no": agreement.agreement_no}
        if old is None:
            term = {
                "signed_on": agreement.signed_on,
                "ends_on": agreement.ends_on,
                "lines": list(agreement.lines),
                "signing_unit": agreement.unit_code,
            }
            facts.append(Fact("agreement_signed", numbered | term))
        elif old.ends_on != agreement.ends_on:
            facts.append(
                Fact(
                    "agreement_changed",
                    numbered | {"ends_on": agreement.ends_on, "ended_before": old.ends_on},
                )
            )
        if agreement.state == "ended" and (old is None or old.state != "ended"):
            facts.append(Fact("agreement_ended", numbered | {"ended_on": agreement.ended_on}))
    return facts


def agreement_facts(before: Customer, after: Customer) -> tuple[Fact, ...]:
    """The facts of a change that touches nothing but agreements."""
    return tuple(_agreement_facts(before.agreements, after.agreements))


def _notices(row: ImportRow, policy: Policy) -> tuple[str, ...]:
    """What is loaded and yet worth a person's look."""
    notices: list[str] = []
    staff = set(policy.managers.values())
    managers = [each for each in (row.manager_a, row.manager_b) if each is not None]
    if any(each not in staff for each in managers):
        notices.append("unknown_manager")
    if len(managers) == 2 and managers[0] == managers[1]:
        notices.append("single_manager")
    if row.signed_on is not None and row.signed_on > policy.today:
        notices.append("agreement_signed_in_future")
    return tuple(notices)
