"""A development plan and its window: states, deadlines, and who may do what when (CLM-1 to CLM-4, CLM-7 to CLM-9).

`draft → submitted → registered → active → settling → succeeded | expired | withdrawn | refused`. A registration fixes
when the window opens and ends. What time alone brings (opening, the end, expiry, an overdue review) is `due_step`: the
timers carry it out, and every command does so first, so that a late timer lets nobody act and changes no result.

Every step raises the version by one and says what happened, with the true time of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

from services.claims.domain.days import (
    end_of,
    last_day_before,
    months_later,
    start_of,
    to_millisecond,
)
from services.claims.domain.refusals import (
    AlreadyExtended,
    AlreadyReviewed,
    BadExtension,
    CoolingDown,
    NotSignificant,
    OpensTooEarly,
    WindowHeld,
    WindowOver,
    WrongState,
)
from services.claims.domain.rules import Rule
from shared.kernel.days import day_of

Phase = Literal[
    "draft",
    "submitted",
    "registered",
    "active",
    "settling",
    "succeeded",
    "expired",
    "withdrawn",
    "refused",
]
Kind = Literal["regular", "festival"]
HOLDING: Final = ("registered", "active", "settling")
"""States in which the plan holds the customer against everybody else."""
SYSTEM: Final = "service:claims"
"""Who signs what happens by itself."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of several services that fit, for comparison (S1 art.12(3)): fen a year, quality in words."""

    service: str
    margin_fen: int | None
    cost_fen: int | None
    quality: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with everything it says and all that became of it. Money in fen a year; instants aware."""

    id: str
    subject_id: int
    version: int
    state: Phase
    kind: Kind
    festival: str | None
    unit_code: str
    unit_path: str
    reviewing_unit: str
    lines: tuple[str, ...]
    plan_text: str
    expected_revenue_fen: int | None
    expected_margin_fen: int | None
    manager_a: str
    manager_b: str | None
    opens_on: date | None
    may_queue: bool
    filed_by: str
    filed_at: datetime
    changed_at: datetime
    named_code: str | None = None
    named_uscc: str | None = None
    named_name: str | None = None
    """Whom it is for in the words of who filed it: a code, or a credit code and a name."""
    identified: bool = False
    """Whether its readers may know the customer behind those words."""
    comparison: tuple[Alternative, ...] = ()
    files: tuple[str, ...] = ()
    queued: bool = False
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    breached_at: datetime | None = None
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    review_reason: str | None = None
    opens_at: datetime | None = None
    ends_at: datetime | None = None
    settled_at: datetime | None = None
    rule_version: int | None = None
    stage: str | None = None
    progressed_at: datetime | None = None
    significant: bool = False
    judged_at: datetime | None = None
    guidance: str | None = None
    extensions: int = 0
    extended_until: datetime | None = None
    closed_at: datetime | None = None
    agreement_no: str | None = None

    @property
    def holds(self) -> bool:
        return self.state in HOLDING

    @property
    def people(self) -> tuple[str | None, ...]:
        """Who filed it and who would carry it out."""
        return (self.filed_by, self.manager_a, self.manager_b)

    @property
    def last_day(self) -> date | None:
        return None if self.ends_at is None else last_day_before(self.ends_at)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `note` and `evidence` stay in the plan's own file, `reason` is told to others."""

    event: str
    happened_at: datetime
    by: str
    reason: str | None = None
    note: str | None = None
    evidence: tuple[str, ...] = ()
    agreement_no: str | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A plan after one change, and what happened by it."""

    plan: Plan
    facts: tuple[Fact, ...]


def _step(plan: Plan, *facts: Fact, **changes: object) -> Step:
    return Step(replace(plan, version=plan.version + 1, **changes), facts)  # type: ignore[arg-type]


def identifies(plan: Plan, managers: tuple[str | None, ...] = ()) -> bool:
    """Whether the plan's readers may know its customer, and not only what the plan was filed with: the filer may read it,
    or manages it by now, or a window is published with it (S3 art.12(2)). Codes can be counted up and credit codes looked
    up, so that a draft would else tell any customer's name."""
    return plan.identified or plan.opens_at is not None or plan.filed_by in managers


# --- What time alone brings ------------------------------------------------------------------------------------


def due_at(plan: Plan) -> datetime | None:
    """When the next thing happens to the plan by itself; None where nothing will."""
    match plan.state:
        case "submitted" if not plan.queued and plan.breached_at is None:
            return plan.due_at
        case "registered":
            return plan.opens_at
        case "active":
            return plan.ends_at
        case "settling":
            return plan.settled_at
    return None


def due_step(plan: Plan, now: datetime) -> Step | None:
    """The next step that has fallen due by `now`, with its true time; a deadline belongs to what comes after it."""
    due = due_at(plan)
    if due is None or due > now:
        return None
    match plan.state:
        case "submitted":
            return _step(plan, Fact("review_overdue", due, SYSTEM), breached_at=due)
        case "registered":
            return _step(plan, Fact("window_opened", due, SYSTEM), state="active")
        case "active":
            return _step(plan, Fact("window_settling", due, SYSTEM), state="settling")
    # Of an expiry the true time is the end of the window; settling was only a wait for what was on its way.
    ended = plan.ends_at or due
    return _step(plan, Fact("window_expired", ended, SYSTEM), state="expired", closed_at=due)


# --- Filing and review -----------------------------------------------------------------------------------------


def submit(
    plan: Plan, rule: Rule, now: datetime, holder: Plan | None
) -> Step | WrongState | OpensTooEarly | WindowHeld:
    """Hand the plan in. Where another holds the customer it waits in the queue, if that was asked for."""
    if plan.state != "draft":
        return WrongState(plan.state, ("draft",))
    if plan.opens_on is not None and plan.opens_on < day_of(now):
        return OpensTooEarly(day_of(now))
    now = to_millisecond(now)
    if holder is None:
        facts = [Fact("plan_submitted", now, plan.filed_by)]
        return _step(plan, *facts, state="submitted", submitted_at=now, due_at=now + rule.review)
    if not plan.may_queue:
        return window_held(holder)
    facts = [Fact("plan_submitted", now, plan.filed_by), Fact("plan_queued", now, SYSTEM)]
    return _step(plan, *facts, state="submitted", submitted_at=now, queued=True)


def queue(plan: Plan, now: datetime) -> Step:
    """Another's plan was registered first: this one waits, and its review time with it."""
    return _step(plan, Fact("plan_queued", to_millisecond(now), SYSTEM), queued=True, due_at=None)


def release(plan: Plan, rule: Rule, released_at: datetime) -> Step:
    """The window it waited for is over: it is told, and its review time begins."""
    fact = Fact("window_released", released_at, SYSTEM)
    return _step(plan, fact, queued=False, due_at=released_at + rule.review, breached_at=None)


def window_held(holder: Plan) -> WindowHeld:
    """Who holds the customer, and until when, as the window stands now."""
    assert holder.ends_at is not None and holder.settled_at is not None  # noqa: S101 - who holds has a window
    return WindowHeld(holder.id, holder.unit_code, holder.ends_at, holder.settled_at, queue_possible=True)


def window_of(plan: Plan, rule: Rule, now: datetime) -> tuple[datetime, date]:
    """When a window registered now opens, and its last day. It opens at once, or on the later day asked for."""
    today = day_of(now)
    later = plan.opens_on is not None and plan.opens_on > today
    opens_on = plan.opens_on if later and plan.opens_on is not None else today
    opens_at = start_of(opens_on) if later else to_millisecond(now)
    return opens_at, months_later(opens_on, rule.months_of(plan.kind))


def register(
    plan: Plan, rule: Rule, now: datetime, by: str, reason: str | None
) -> Step | WrongState | AlreadyReviewed:
    """Enter the plan on file: its window is fixed, under the rule that holds on the day it opens."""
    if plan.state != "submitted":
        return _no_review(plan)
    opens_at, last_day = window_of(plan, rule, now)
    ends_at = end_of(last_day)
    now = to_millisecond(now)
    return _step(
        plan,
        Fact("plan_registered", now, by, reason=reason),
        state="registered",
        queued=False,
        reviewed_at=now,
        reviewed_by=by,
        review_reason=reason,
        opens_at=opens_at,
        ends_at=ends_at,
        settled_at=ends_at + rule.settling,
        rule_version=rule.version,
    )


def refuse(plan: Plan, now: datetime, by: str, reason: str) -> Step | WrongState | AlreadyReviewed:
    """The centre does not enter the plan on file."""
    if plan.state != "submitted":
        return _no_review(plan)
    now = to_millisecond(now)
    return _step(
        plan,
        Fact("plan_refused", now, by, reason=reason),
        state="refused",
        queued=False,
        reviewed_at=now,
        reviewed_by=by,
        review_reason=reason,
        closed_at=now,
    )


def _no_review(plan: Plan) -> WrongState | AlreadyReviewed:
    if plan.reviewed_by is not None and plan.reviewed_at is not None:
        return AlreadyReviewed(plan.state, plan.reviewed_by, plan.reviewed_at)
    return WrongState(plan.state, ("submitted",))


def cooling(unit_code: str, plans: tuple[Plan, ...], rule: Rule, now: datetime) -> CoolingDown | None:
    """Whether the unit lost this customer too recently: by expiry, or by giving up a window it had."""
    for plan in plans:
        if plan.unit_code == unit_code and plan.opens_at is not None and plan.closed_at is not None:
            lost_at = plan.ends_at if plan.state == "expired" else plan.closed_at
            lost = plan.state == "expired" or (plan.state == "withdrawn" and plan.closed_at >= plan.opens_at)
            if lost and lost_at is not None and now < lost_at + rule.cooling:
                return CoolingDown(lost_at + rule.cooling, plan.id)
    return None


# --- While the window is in force ------------------------------------------------------------------------------


def _bars(plan: Plan, *states: str) -> WindowOver | WrongState | None:
    """None where the plan's state admits the act; after the deadline the holder may not act."""
    if plan.state in states:
        return None
    if plan.state in ("settling", "expired") and plan.ends_at is not None:
        return WindowOver(plan.ends_at)
    return WrongState(plan.state, states)


def progress(
    plan: Plan, now: datetime, by: str, stage: str, note: str, evidence: tuple[str, ...]
) -> Step | WindowOver | WrongState:
    """The holder reports how far the development has come."""
    if (no := _bars(plan, "active")) is not None:
        return no
    now = to_millisecond(now)
    fact = Fact("progress_reported", now, by, note=note, evidence=evidence)
    return _step(plan, fact, stage=stage, progressed_at=now)


def judge(plan: Plan, now: datetime, by: str, significant: bool, note: str) -> Step | WindowOver | WrongState:
    """The centre says whether the progress is significant, and guides the holder."""
    if (no := _bars(plan, "active")) is not None:
        return no
    now = to_millisecond(now)
    fact = Fact("progress_judged", now, by, note=note)
    return _step(plan, fact, significant=significant, judged_at=now, guidance=note)


def extend(
    plan: Plan, rule: Rule, now: datetime, by: str, until: date, reason: str, evidence: tuple[str, ...]
) -> Step | WindowOver | WrongState | AlreadyExtended | NotSignificant | BadExtension:
    """Prolong a window in force for significant progress, once and by at most so many months (defaults)."""
    if (no := _bars(plan, "active")) is not None:
        return no
    last_day = plan.last_day
    assert last_day is not None  # noqa: S101 - an active plan has its window
    if plan.extensions >= rule.extensions_max:
        return AlreadyExtended(plan.extended_until or end_of(last_day), rule.extensions_max)
    if not plan.significant:
        return NotSignificant()
    latest = months_later(last_day, rule.extension_months_max)
    if not last_day < until <= latest:
        return BadExtension(last_day + timedelta(days=1), latest)
    ends_at = end_of(until)
    return _step(
        plan,
        Fact("window_extended", to_millisecond(now), by, reason=reason, evidence=evidence),
        ends_at=ends_at,
        settled_at=ends_at + rule.settling,
        extensions=plan.extensions + 1,
        extended_until=ends_at,
    )


def withdraw(plan: Plan, now: datetime, by: str, reason: str | None) -> Step | WindowOver | WrongState:
    """The unit takes its plan back; a window in force ends with it."""
    if (no := _bars(plan, "draft", "submitted", "registered", "active")) is not None:
        return no
    now = to_millisecond(now)
    event = "window_withdrawn" if plan.state == "active" else "plan_withdrawn"
    return _step(plan, Fact(event, now, by, reason=reason), state="withdrawn", queued=False, closed_at=now)


def succeed(plan: Plan, now: datetime, by: str, agreement_no: str) -> Step:
    """The holder's agreement has come while the window is in force or settling."""
    now = to_millisecond(now)
    fact = Fact("window_succeeded", now, by, agreement_no=agreement_no)
    return _step(plan, fact, state="succeeded", closed_at=now, agreement_no=agreement_no)


def give_way(plan: Plan, now: datetime, reason: str) -> Step:
    """Of two windows of one customer (two customers turned out to be one) the later ends."""
    now = to_millisecond(now)
    event = "window_withdrawn" if plan.state in ("active", "settling") else "plan_withdrawn"
    fact = Fact(event, now, SYSTEM, reason=reason)
    return _step(plan, fact, state="withdrawn", queued=False, closed_at=now)


def move(plan: Plan, subject_id: int) -> Step:
    """The plan is now known under another subject: its prospect got a code, or its customer was merged."""
    return _step(plan, subject_id=subject_id)


# --- When to remind --------------------------------------------------------------------------------------------


def part_of_window(plan: Plan, part: float) -> timedelta:
    """So much of the window's length."""
    assert plan.opens_at is not None and plan.ends_at is not None  # noqa: S101 - asked of windows only
    return (plan.ends_at - plan.opens_at) * part


def silent_since(plan: Plan) -> datetime | None:
    """When the holder was last heard of: the last progress, else the opening."""
    return plan.progressed_at or plan.opens_at


def was_open_at(plan: Plan, instant: datetime) -> bool:
    """Whether the window was in force at an instant, as far as is known now."""
    if plan.opens_at is None or plan.ends_at is None or not plan.opens_at <= instant < plan.ends_at:
        return False
    return plan.closed_at is None or instant < plan.closed_at
