"""The life of a declaration (REG-1 to REG-3; S0 art.6(2), 7(2), 12; S1 art.10(1), 12(1)).

A manager's declaration (注册申请) is pre-reviewed by their professional or county unit and then decided by the city's
centre; a unit's own (注册申报) goes straight to the centre. A manager's unit is the unit of their post, whatever unit the
customer is declared for; who belongs to a centre itself is pre-reviewed by a second person of it.

    draft → submitted → pre_reviewed → approved | rejected | returned;  withdrawn by the declarer until decided

A declaration that nobody pre-reviews stands at the centre as `submitted`. A returned one goes back, once it is submitted
again, to whoever returned it, and their time goes on with what was left. Nobody pre-reviews or decides their own.

What has fallen due by an instant is marked before anything else is done at that instant (`settle`), with the time at
which it fell due, so that neither a late timer nor an early command changes the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal, TypeVar

from services.registry.domain.declaration_refusals import (
    NotAtCentre,
    NotEditable,
    NotInPreReview,
    NotSubmittable,
    NotWithdrawable,
    OwnRequest,
    UnitFixed,
)
from services.registry.domain.organisation import Unit
from services.registry.domain.time_limits import Run, TimeLimits

State = Literal["draft", "submitted", "pre_reviewed", "approved", "rejected", "returned", "withdrawn"]
DeclaredBy = Literal["manager", "unit"]
Stage = Literal["pre_review", "centre"]
WaitingFor = Literal["declarer", "pre_review", "centre"]
PreReview = Literal["pass", "return", "reject"]
Decision = Literal["approve", "return", "reject"]

OPEN: Final[tuple[State, ...]] = ("submitted", "pre_reviewed", "returned")
"""States in which a declaration has been made and not ended; it goes before a later one of the same customer."""
DECIDED: Final[tuple[State, ...]] = ("approved", "rejected")


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at the customer; personal data, which never leaves the registry."""

    name: str
    position: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What the declarer says about the customer. Revenue is fen a year; managers are user names."""

    name: str
    uscc: str | None = None
    nature: str | None = None
    industry: str | None = None
    address: str | None = None
    division: str | None = None
    contacts: tuple[Contact, ...] = ()
    expected_lines: tuple[str, ...] = ()
    expected_revenue_fen: int | None = None
    manager_a: str | None = None
    manager_b: str | None = None


@dataclass(frozen=True, slots=True)
class Declarer:
    """Who declares. `post` is the unit of a manager's post; None where they speak for the unit that they declare for."""

    user: str
    post: str | None = None

    @property
    def declared_by(self) -> DeclaredBy:
        return "unit" if self.post is None else "manager"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration as it stands. `version` counts its states; `stage` is where it was handed in last."""

    id: str
    version: int
    state: State
    declared_by: DeclaredBy
    declarer: str
    content: Content
    unit_code: str
    unit_path: str
    pre_review_unit: str | None
    pre_review_path: str | None
    deciding_unit: str
    deciding_path: str
    created_at: datetime
    submitted_at: datetime | None = None
    arrived_at: datetime | None = None
    stage: Stage | None = None
    run: Run | None = None
    warn_at: datetime | None = None
    due_at: datetime | None = None
    pre_review_overdue_at: datetime | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    escalated_to: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decided_for: str | None = None
    decision_seconds: int | None = None
    customer_code: str | None = None

    @property
    def waiting_for(self) -> WaitingFor | None:
        """Whose turn it is; None when it has ended."""
        if self.state in ("draft", "returned"):
            return "declarer"
        return self.stage if self.state in ("submitted", "pre_reviewed") else None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the decisions depend on: the organisation as it is, the limits, and the day."""

    units: Mapping[str, Unit]
    limits: TimeLimits
    default_unit: str
    today: date


@dataclass(frozen=True, slots=True)
class Note:
    """One step for the record: who did what, when, and what they said. `acted_for` is the person they stood in for."""

    step: str
    person: str
    at: datetime
    comment: str | None = None
    acted_for: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should look at: `unit_code` is whom it concerns, `escalated_to` who is told above them."""

    kind: Literal["decision_due_soon", "decision_overdue", "pre_review_overdue"]
    unit_code: str
    escalated_to: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """What a step led to. Nothing happened where `after` is what was before."""

    after: Declaration
    notes: tuple[Note, ...] = ()
    alerts: tuple[Alert, ...] = ()


SYSTEM: Final = "service:registry"


def route(terms: Terms, unit_code: str, post: str | None) -> tuple[str | None, str]:
    """Who pre-reviews (None: nobody) and which centre decides about a declaration for this unit. `post` is the unit of
    the manager's post; None for a unit's own declaration."""
    above = list(_upwards(terms.units, unit_code))
    centre = next((unit for unit in above if unit.centre), None)
    if centre is None:
        centre = next((unit for unit in _upwards(terms.units, terms.default_unit) if unit.centre), above[-1])
    return None if post is None else _own_unit(terms, post) or centre.code, centre.code


def _own_unit(terms: Terms, post: str) -> str | None:
    """The unit that pre-reviews what a manager of this post declares: the nearest professional or county unit, or a
    centre where the post is nowhere below one of them."""
    for unit in _upwards(terms.units, post):
        open_unit = unit.valid_to is None or unit.valid_to > terms.today
        if open_unit and (unit.centre or unit.level in ("professional", "county")):
            return unit.code
    return None


def declare(
    id: str,
    content: Content,
    unit_code: str,
    declarer: Declarer,
    now: datetime,
    terms: Terms,
    comment: str | None = None,
) -> Moved:
    """A draft: nobody but its declarer has to do anything yet."""
    pre_review_unit, deciding_unit = route(terms, unit_code, declarer.post)
    draft = Declaration(
        id=id,
        version=1,
        state="draft",
        declared_by=declarer.declared_by,
        declarer=declarer.user,
        content=content,
        unit_code=unit_code,
        unit_path=terms.units[unit_code].path,
        pre_review_unit=pre_review_unit,
        pre_review_path=None if pre_review_unit is None else terms.units[pre_review_unit].path,
        deciding_unit=deciding_unit,
        deciding_path=terms.units[deciding_unit].path,
        created_at=now,
    )
    return Moved(draft, (Note("declared", declarer.user, now, comment),))


def edit(
    declaration: Declaration,
    content: Content,
    unit_code: str,
    declarer: Declarer,
    now: datetime,
    terms: Terms,
    comment: str | None = None,
) -> Moved | NotEditable | UnitFixed:
    """Changes a draft or a returned declaration. A returned one stays with the unit it was declared for, because the
    same people look at it again."""
    if declaration.state not in ("draft", "returned"):
        return _wrong_state(NotEditable, declaration)
    after = replace(declaration, content=content)
    if unit_code != declaration.unit_code:
        if declaration.state == "returned":
            return UnitFixed(declaration.unit_code)
        named = replace(after, unit_code=unit_code, unit_path=terms.units[unit_code].path)
        after = _routed(named, declarer, terms)
    return Moved(after, (Note("edited", declarer.user, now, comment),))


def submit(
    declaration: Declaration, declarer: Declarer, now: datetime, terms: Terms, comment: str | None = None
) -> Moved | NotSubmittable:
    """Hands the declaration in: to the pre-review or the centre at first, later to whoever returned it. A draft goes the
    way of the day on which it is handed in: post and units may have changed since it was written."""
    if declaration.state == "draft":
        note = Note("submitted", declarer.user, now, comment)
        handed_in = _routed(replace(declaration, state="submitted", submitted_at=now), declarer, terms)
        if handed_in.pre_review_unit is None:
            return Moved(_arrive(handed_in, now, terms), (note,))
        limit = terms.limits.of(terms.units, handed_in.deciding_unit, terms.today)
        run = Run(limit.mode, limit.pre_review, None, since=now)
        return Moved(_timed(replace(handed_in, stage="pre_review", run=run), terms), (note,))
    if declaration.state == "returned" and declaration.run is not None:
        at_centre = declaration.stage == "centre" and declaration.pre_review_unit is not None
        again = replace(
            declaration,
            state="pre_reviewed" if at_centre else "submitted",
            run=declaration.run.resumed(now),
        )
        return Moved(_timed(again, terms), (Note("resubmitted", declarer.user, now, comment),))
    return _wrong_state(NotSubmittable, declaration)


def withdraw(
    declaration: Declaration, person: str, now: datetime, terms: Terms, comment: str | None = None
) -> Moved | NotWithdrawable:
    """Takes the declaration back, until it is decided."""
    if declaration.state in (*DECIDED, "withdrawn"):
        return _wrong_state(NotWithdrawable, declaration)
    due = settle(declaration, now, terms)
    after = _stopped(replace(due.after, state="withdrawn"), now, terms)
    return Moved(after, (*due.notes, Note("withdrawn", person, now, comment)), due.alerts)


def pre_review(
    declaration: Declaration,
    decision: PreReview,
    person: str,
    now: datetime,
    terms: Terms,
    comment: str | None,
) -> Moved | OwnRequest | NotInPreReview:
    """The unit's word on its manager's declaration: on to the centre, back to the declarer, or no."""
    if person == declaration.declarer:
        return OwnRequest()
    if declaration.waiting_for != "pre_review":
        return _wrong_state(NotInPreReview, declaration)
    due = settle(declaration, now, terms)
    step = {"pass": "pre_reviewed", "return": "returned", "reject": "rejected"}[decision]
    notes = (*due.notes, Note(step, person, now, comment))
    if decision == "pass":
        return Moved(_arrive(replace(due.after, state="pre_reviewed"), now, terms), notes, due.alerts)
    stopped = _stopped(due.after, now, terms)
    if decision == "return":
        return Moved(replace(stopped, state="returned"), notes, due.alerts)
    return Moved(replace(stopped, state="rejected", decided_at=now, decided_by=person), notes, due.alerts)


def decide(
    declaration: Declaration,
    decision: Decision,
    person: str,
    now: datetime,
    terms: Terms,
    comment: str | None,
    acted_for: str | None = None,
) -> Moved | OwnRequest | NotAtCentre:
    """The centre's decision. An approval is whole with the code of the customer that it registers (`with_code`)."""
    if declaration.declarer in (person, acted_for):
        return OwnRequest()
    if declaration.waiting_for != "centre" or declaration.run is None:
        return _wrong_state(NotAtCentre, declaration)
    due = settle(declaration, now, terms)
    counted = declaration.run.counted(now, terms.limits.calendar)
    stopped = _stopped(due.after, now, terms)
    step: State = "approved" if decision == "approve" else "rejected" if decision == "reject" else "returned"
    notes = (*due.notes, Note(step, person, now, comment, acted_for))
    if decision == "return":
        return Moved(replace(stopped, state="returned"), notes, due.alerts)
    decided = replace(
        stopped,
        state=step,
        decided_at=now,
        decided_by=person,
        decided_for=acted_for,
        decision_seconds=int(counted.total_seconds()),
    )
    return Moved(decided, notes, due.alerts)


def with_code(approved: Moved, customer_code: str) -> Moved:
    """An approval with the code of the customer that was registered because of it."""
    return replace(approved, after=replace(approved.after, customer_code=customer_code))


def settle(declaration: Declaration, at: datetime, terms: Terms) -> Moved:
    """Marks what has fallen due by `at`, each with the instant at which it did."""
    after, due_at, warn_at = declaration, declaration.due_at, declaration.warn_at
    notes: list[Note] = []
    alerts: list[Alert] = []
    if declaration.waiting_for == "pre_review":
        if due_at is not None and due_at <= at and declaration.pre_review_overdue_at is None:
            unit = declaration.pre_review_unit or declaration.deciding_unit
            after = replace(after, pre_review_overdue_at=due_at)
            notes.append(Note("pre_review_overdue", SYSTEM, due_at))
            alerts.append(Alert("pre_review_overdue", unit, _above(terms.units, unit), due_at))
    elif declaration.waiting_for == "centre":
        unit = declaration.deciding_unit
        above = _above(terms.units, unit)
        if warn_at is not None and warn_at <= at and declaration.warned_at is None:
            after = replace(after, warned_at=warn_at)
            notes.append(Note("warned", SYSTEM, warn_at))
            alerts.append(Alert("decision_due_soon", unit, None, due_at or warn_at))
        if due_at is not None and due_at <= at and declaration.breached_at is None:
            after = replace(after, breached_at=due_at, escalated_to=above)
            notes.append(Note("breached", SYSTEM, due_at))
            alerts.append(Alert("decision_overdue", unit, above, due_at))
    return Moved(after, tuple(notes), tuple(alerts))


def _routed(declaration: Declaration, declarer: Declarer, terms: Terms) -> Declaration:
    """With the way that it goes: who pre-reviews and who decides."""
    pre_review_unit, deciding_unit = route(terms, declaration.unit_code, declarer.post)
    return replace(
        declaration,
        pre_review_unit=pre_review_unit,
        pre_review_path=None if pre_review_unit is None else terms.units[pre_review_unit].path,
        deciding_unit=deciding_unit,
        deciding_path=terms.units[deciding_unit].path,
    )


def _arrive(declaration: Declaration, now: datetime, terms: Terms) -> Declaration:
    """At the centre: its 48 hours begin."""
    limit = terms.limits.of(terms.units, declaration.deciding_unit, terms.today)
    run = Run(limit.mode, limit.limit, limit.warn, since=now)
    return _timed(replace(declaration, stage="centre", arrived_at=now, run=run), terms)


def _timed(declaration: Declaration, terms: Terms) -> Declaration:
    """With the instants at which the running limit warns and ends; those that have been reached stay what they were."""
    assert declaration.run is not None  # noqa: S101 - only called where a run was just set
    calendar = terms.limits.calendar
    warn_at, due_at = declaration.run.warn_at(calendar), declaration.run.due_at(calendar)
    if declaration.stage == "pre_review":
        return replace(declaration, warn_at=None, due_at=declaration.pre_review_overdue_at or due_at)
    return replace(
        declaration, warn_at=declaration.warned_at or warn_at, due_at=declaration.breached_at or due_at
    )


def _stopped(declaration: Declaration, now: datetime, terms: Terms) -> Declaration:
    run = declaration.run
    paused = None if run is None else run.paused(now, terms.limits.calendar)
    return replace(declaration, run=paused, warn_at=None, due_at=None)


_WrongState = TypeVar(
    "_WrongState", NotEditable, NotSubmittable, NotWithdrawable, NotInPreReview, NotAtCentre
)


def _wrong_state(refusal: type[_WrongState], declaration: Declaration) -> _WrongState:
    return refusal(declaration.state, declaration.waiting_for)


def _upwards(units: Mapping[str, Unit], code: str) -> list[Unit]:
    """A unit and all units above it, nearest first."""
    found: list[Unit] = []
    unit = units.get(code)
    while unit is not None:
        found.append(unit)
        unit = None if unit.parent is None else units.get(unit.parent)
    return found


def _above(units: Mapping[str, Unit], code: str) -> str | None:
    unit = units.get(code)
    return None if unit is None else unit.parent
