"""A plan's states and deadlines: just before, at and just after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.claims.adapters.rule_files import load_rules
from services.claims.domain.agreements import Meaning, Signature, meaning
from services.claims.domain.plans import (
    Plan,
    Step,
    cooling,
    due_at,
    due_step,
    extend,
    judge,
    progress,
    refuse,
    register,
    release,
    submit,
    succeed,
    withdraw,
)
from services.claims.domain.ranking import Candidate, going_before, rank, territory_shared
from services.claims.domain.refusals import (
    AlreadyExtended,
    AlreadyReviewed,
    BadExtension,
    CoolingDown,
    NotSignificant,
    OpensTooEarly,
    WindowHeld,
    WindowOver,
)
from shared.kernel.credit_codes import clean_uscc

RULES, _ = load_rules()
RULE = RULES.holding("/CN/32/3205", date(2026, 1, 15))
THEN = datetime(2026, 1, 15, 2, 30, 15, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
END = datetime.fromisoformat("2026-03-16T00:00:00+08:00")


def draft(**changes: Any) -> Plan:
    given: dict[str, Any] = {
        "id": "P1",
        "subject_id": 1,
        "version": 1,
        "state": "draft",
        "kind": "regular",
        "festival": None,
        "unit_code": "3205",
        "unit_path": "/CN/32/3205",
        "reviewing_unit": "3205",
        "lines": ("express",),
        "plan_text": "x",
        "expected_revenue_fen": None,
        "expected_margin_fen": None,
        "manager_a": "manager",
        "manager_b": None,
        "opens_on": None,
        "may_queue": False,
        "filed_by": "manager",
        "filed_at": THEN,
        "changed_at": THEN,
    }
    return Plan(**{**given, **changes})


def plan_of(step: object) -> Plan:
    assert isinstance(step, Step), step
    return step.plan


def submitted(**changes: Any) -> Plan:
    return plan_of(submit(draft(**changes), RULE, THEN, None))


def active(**changes: Any) -> Plan:
    registered = plan_of(register(submitted(**changes), RULE, THEN, "centre", None))
    return plan_of(due_step(registered, THEN))


@pytest.mark.req("CLM-3")
def test_a_window_opens_with_its_registration_and_ends_at_midnight() -> None:
    plan = active()
    assert plan.opens_at == THEN.replace(microsecond=123000)
    assert (plan.ends_at, plan.last_day) == (END, date(2026, 3, 15))
    assert plan.settled_at == END + timedelta(hours=24)
    assert plan.version == 4


@pytest.mark.req("CLM-3")
def test_a_window_asked_for_later_opens_on_its_day() -> None:
    plan = plan_of(register(submitted(opens_on=date(2026, 1, 31)), RULE, THEN, "centre", None))
    opens = datetime.fromisoformat("2026-01-31T00:00:00+08:00")
    assert (plan.state, plan.opens_at, plan.last_day) == ("registered", opens, date(2026, 3, 31))
    assert due_step(plan, opens - TICK) is None
    assert plan_of(due_step(plan, opens)).state == "active"
    early = submit(draft(opens_on=date(2026, 1, 14)), RULE, THEN, None)
    assert early == OpensTooEarly(date(2026, 1, 15))


@pytest.mark.req("CLM-9")
@pytest.mark.parametrize(
    ("now", "state"),
    [
        (END - TICK, "active"),
        (END, "settling"),
        (END + timedelta(hours=24) - TICK, "settling"),
        (END + timedelta(hours=24), "expired"),
        (END + timedelta(days=400), "expired"),
    ],
)
def test_the_end_and_expiry_come_at_their_instants_however_late_they_are_noticed(
    now: datetime, state: str
) -> None:
    plan, facts = active(), []
    while (step := due_step(plan, now)) is not None:
        plan, facts = step.plan, [*facts, *step.facts]
    assert plan.state == state
    times = {fact.event: fact.happened_at for fact in facts}
    assert times.get("window_settling", END) == END
    assert times.get("window_expired", END) == END
    assert all(fact.by == "service:claims" for fact in facts)
    assert plan.closed_at == (END + timedelta(hours=24) if state == "expired" else None)


@pytest.mark.req("CLM-9")
@pytest.mark.parametrize("now", [END, END + timedelta(days=3)])
def test_after_the_deadline_its_holder_may_do_nothing(now: datetime) -> None:
    plan = plan_of(due_step(active(), now))
    assert progress(plan, now, "manager", "contact", "x", ()) == WindowOver(END)
    assert judge(plan, now, "centre", True, "x") == WindowOver(END)
    assert withdraw(plan, now, "manager", None) == WindowOver(END)
    assert extend(plan, RULE, now, "centre", date(2026, 4, 1), "x", ("y",)) == WindowOver(END)


@pytest.mark.req("CLM-2")
def test_a_review_is_overdue_at_48_hours_and_not_before() -> None:
    plan = submitted()
    due = THEN.replace(microsecond=123000) + timedelta(hours=48)
    assert due_at(plan) == due
    assert due_step(plan, due - TICK) is None
    late = plan_of(due_step(plan, due + timedelta(days=9)))
    assert late.breached_at == due
    assert due_at(late) is None


@pytest.mark.req("CLM-2")
def test_what_is_decided_says_who_decided() -> None:
    plan = plan_of(refuse(submitted(), THEN, "centre", "x"))
    again = register(plan, RULE, THEN, "operator", None)
    assert isinstance(again, AlreadyReviewed) and again.decided_by == "centre"


@pytest.mark.req("CLM-4")
def test_a_second_plan_hears_who_holds_the_customer_and_until_when_or_waits() -> None:
    holder = active()
    no = submit(draft(id="P2"), RULE, THEN, holder)
    assert no == WindowHeld("P1", "3205", END, END + timedelta(hours=24), queue_possible=True)
    waiting = plan_of(submit(draft(id="P2", may_queue=True), RULE, THEN, holder))
    assert (waiting.state, waiting.queued, due_at(waiting)) == ("submitted", True, None)
    freed = plan_of(release(waiting, RULE, END))
    assert (freed.queued, freed.due_at) == (False, END + timedelta(hours=48))


@pytest.mark.req("CLM-9")
@pytest.mark.parametrize(
    ("until", "result"),
    [
        (date(2026, 3, 15), BadExtension(date(2026, 3, 16), date(2026, 4, 15))),
        (date(2026, 3, 16), "extended"),
        (date(2026, 4, 15), "extended"),
        (date(2026, 4, 16), BadExtension(date(2026, 3, 16), date(2026, 4, 15))),
    ],
)
def test_an_extension_reaches_at_most_a_month_beyond_the_last_day(until: date, result: object) -> None:
    plan = active()
    assert extend(plan, RULE, THEN, "centre", until, "x", ("y",)) == NotSignificant()
    plan = plan_of(judge(plan, THEN, "centre", True, "go on"))
    done = extend(plan, RULE, THEN, "centre", until, "x", ("y",))
    if result != "extended":
        assert done == result
        return
    longer = plan_of(done)
    assert (longer.last_day, longer.settled_at) == (until, (longer.ends_at or END) + timedelta(hours=24))
    assert due_step(longer, END) is None
    again = extend(longer, RULE, THEN, "centre", until + timedelta(days=1), "x", ("y",))
    assert isinstance(again, AlreadyExtended) and again.until == longer.ends_at


@pytest.mark.req("CLM-9")
def test_who_lost_a_customer_cools_down_for_thirty_days() -> None:
    plan = active()
    while (step := due_step(plan, END + timedelta(days=2))) is not None:
        plan = step.plan
    until = END + timedelta(days=30)
    assert cooling("3205", (plan,), RULE, until - TICK) == CoolingDown(until, "P1")
    assert cooling("3205", (plan,), RULE, until) is None
    assert cooling("3201", (plan,), RULE, END) is None
    given_up = plan_of(withdraw(active(), THEN, "manager", None))
    assert isinstance(cooling("3205", (given_up,), RULE, THEN), CoolingDown)
    never = plan_of(withdraw(submitted(), THEN, "manager", None))
    won = plan_of(succeed(active(), THEN, "service:claims", "XY-1"))
    assert cooling("3205", (never, won), RULE, THEN) is None


def signed(**changes: Any) -> Signature:
    given = {
        "agreement_no": "XY-1",
        "signed_on": date(2026, 2, 1),
        "recorded_at": datetime(2026, 2, 1, 3, tzinfo=UTC),
        "signing_unit": "3205",
        "signing_path": "/CN/32/3205",
    }
    return Signature(**{**given, **changes})  # type: ignore[arg-type]


def result_of(agreement: Signature, *plans: Plan) -> str | None:
    found: Meaning | None = meaning(agreement, plans)
    return None if found is None else found.result


@pytest.mark.req("CLM-8", "CLM-5")
def test_an_agreement_counts_by_who_signed_it_and_on_which_day() -> None:
    plan = active()
    assert result_of(signed(), plan) == "success"
    assert result_of(signed(signing_path="/CN/32/3205/320583"), plan) == "success"
    assert result_of(signed(signing_path="/CN/32/32050"), plan) == "foreign_agreement"
    assert result_of(signed(signing_path="/CN/32"), plan) == "foreign_agreement"
    for day, result in [
        (date(2026, 1, 14), None),
        (date(2026, 1, 15), "success"),
        (date(2026, 3, 15), "success"),
        (date(2026, 3, 16), None),
    ]:
        assert result_of(signed(signed_on=day, recorded_at=THEN + timedelta(days=1)), plan) == result
    before = THEN.replace(microsecond=122000)
    assert result_of(signed(signed_on=date(2026, 1, 15), recorded_at=before), plan) is None
    assert result_of(signed(signed_on=date(2026, 1, 15), recorded_at=THEN), plan) == "success"


@pytest.mark.req("CLM-9")
def test_an_agreement_still_counts_while_settling_and_is_a_case_afterwards() -> None:
    settling = plan_of(due_step(active(), END))
    assert result_of(signed(), settling) == "success"
    expired = plan_of(due_step(settling, END + timedelta(days=1)))
    assert result_of(signed(), expired) == "late_agreement"
    assert result_of(signed(signing_path="/CN/32/3201"), expired) == "foreign_agreement"
    won = plan_of(succeed(active(), THEN + timedelta(days=1), "service:claims", "XY-0"))
    assert result_of(signed(), won) is None
    assert result_of(signed(), submitted()) is None


def candidate(plan_id: str, **changes: Any) -> Candidate:
    given: dict[str, Any] = {
        "unit_code": plan_id,
        "lines": ("express",),
        "declared": False,
        "territory": 0,
        "margin_fen": 0,
        "submitted_at": THEN,
    }
    return Candidate(plan_id, **{**given, **changes})


@pytest.mark.req("CLM-6")
def test_plans_are_ranked_by_declaration_then_territory_then_benefit() -> None:
    pending = [
        candidate("benefit", margin_fen=900),
        candidate("near", territory=3),
        candidate("first", declared=True),
        candidate("none", margin_fen=None),
        candidate("later", submitted_at=THEN + TICK),
        candidate("sooner", submitted_at=THEN),
    ]
    order = RULE.ranking
    ranked = rank(pending, order)
    assert [(one.candidate.plan_id, one.behind) for one in ranked] == [
        ("first", None),
        ("near", "declaration"),
        ("benefit", "territory"),
        ("sooner", "benefit"),
        ("later", None),
        ("none", "benefit"),
    ]
    assert going_before("later", ranked, order) == ("first", "near", "benefit")
    assert going_before("first", ranked, order) == ()
    swapped = rank(pending, ("declaration", "benefit", "territory"))
    assert [one.candidate.plan_id for one in swapped][:3] == ["first", "benefit", "near"]


@pytest.mark.parametrize(
    ("customer", "unit", "shared"),
    [
        ("320583", "320583", 3),
        ("320583", "320500", 2),
        ("320583", "320000", 1),
        ("320583", "320582", 2),
        ("320583", "320100", 1),
        ("320583", "330500", 0),
        (None, "320500", 0),
        ("320583", None, 0),
    ],
)
def test_territory_is_how_much_of_the_division_is_shared(
    customer: str | None, unit: str | None, shared: int
) -> None:
    assert territory_shared(customer, unit) == shared


@pytest.mark.req("CLM-9", "CLM-22")
@given(st.lists(st.integers(0, 120 * 24), min_size=1, max_size=6))
def test_looking_often_or_seldom_gives_the_same_end(looks: list[int]) -> None:
    seldom = often = replace(active(), significant=True)
    for hours in sorted(looks):
        while (step := due_step(often, THEN + timedelta(hours=hours))) is not None:
            often = step.plan
    while (step := due_step(seldom, THEN + timedelta(hours=max(looks)))) is not None:
        seldom = step.plan
    assert often == seldom


def test_credit_codes_are_checked_and_cleaned() -> None:
    assert clean_uscc(" 91350100m000100y43 ") == "91350100M000100Y43"
    assert clean_uscc("91350100M000100Y44") is None
    assert clean_uscc("x") is None
