"""The life of a declaration: its way, its limits, and who may do what when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.registry.adapters.declaration_files import read_time_limits
from services.registry.adapters.files import read_configuration
from services.registry.domain import declarations as rules
from services.registry.domain.declaration_record import broken_at, steps_after
from services.registry.domain.declarations import Content, Declaration, Declarer, Moved, Note, Terms
from services.registry.domain.organisation import Unit, build_tree
from services.registry.domain.time_limits import TimeLimits
from shared.kernel.refusals import Refusal

START = datetime(2026, 3, 9, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
UNITS = build_tree(read_configuration().units)
LIMITS = read_time_limits()
TERMS = Terms(UNITS, LIMITS, "3205", date(2026, 3, 9))
MANAGER = Declarer("manager", "320583")
UNIT = Declarer("unit")
CONTENT = Content("昆山示例纺织有限公司", expected_lines=("express",))


def moved(outcome: Moved | Refusal) -> Declaration:
    assert isinstance(outcome, Moved), outcome
    return outcome.after


def refused(outcome: Moved | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def at_pre_review(terms: Terms = TERMS) -> Declaration:
    draft = rules.declare("d", CONTENT, "320583", MANAGER, START, terms).after
    return moved(rules.submit(draft, MANAGER, START, terms))


def at_centre(terms: Terms = TERMS) -> Declaration:
    draft = rules.declare("d", CONTENT, "320583", UNIT, START, terms).after
    return moved(rules.submit(draft, UNIT, START, terms))


def returned(declaration: Declaration, at: datetime) -> Declaration:
    return moved(rules.decide(declaration, "return", "centre", at, TERMS, "请补充"))


@pytest.mark.req("REG-2")
@pytest.mark.parametrize(
    ("unit", "post", "pre_review", "deciding"),
    [
        ("320583", "320583", "320583", "3205"),
        ("3205-express", "3205-express", "3205-express", "3205"),
        ("3205", "320583", "320583", "3205"),  # naming the city leads round nobody
        ("3205-express", "320583", "320583", "3205"),  # nor does naming another unit
        ("32050001", "32058301", "320583", "3205"),  # an outlet of a county
        ("32010401", "3205-express", "3205-express", "3201"),  # decided where the customer is
        ("320583", "3205", "3205", "3205"),  # who belongs to the centre
        ("320583", "32050001", "3205", "3205"),  # an outlet right below the centre
        ("320583", "32", "32", "3205"),  # who belongs to the centre above
        ("32-express", "32-express", "32-express", "32"),
        ("320583", "nowhere", "3205", "3205"),  # a post that is no unit: the centre that decides
        ("320583", None, None, "3205"),
        ("CN", None, None, "3205"),  # nobody above: the centre of the default unit
    ],
)
def test_a_managers_goes_by_the_unit_of_their_post_and_a_units_own_straight_to_the_centre(
    unit: str, post: str | None, pre_review: str | None, deciding: str
) -> None:
    assert rules.route(TERMS, unit, post) == (pre_review, deciding)


@pytest.mark.req("REG-2")
def test_a_centre_on_a_county_decides_itself_and_a_closed_unit_pre_reviews_nothing() -> None:
    units = dict(UNITS)
    units["320583"] = replace(units["320583"], centre=True)
    assert rules.route(replace(TERMS, units=units), "320583", "320583") == ("320583", "320583")
    units["320583"] = replace(UNITS["320583"], valid_to=date(2026, 3, 9))
    assert rules.route(replace(TERMS, units=units), "320583", "320583") == ("3205", "3205")


@pytest.mark.req("REG-2")
def test_a_draft_goes_the_way_of_the_post_that_its_declarer_has_when_it_is_handed_in() -> None:
    draft = rules.declare("d", CONTENT, "320583", MANAGER, START, TERMS).after
    moved_on = moved(rules.submit(draft, Declarer("manager", "3205-express"), START, TERMS))
    assert (moved_on.pre_review_unit, moved_on.pre_review_path) == (
        "3205-express",
        "/CN/32/3205/3205-express",
    )


@pytest.mark.req("REG-2")
def test_without_any_centre_the_root_decides() -> None:
    units = build_tree([Unit("CN", "全国", "National", "national", None)])
    assert rules.route(Terms(units, LIMITS, "CN", TERMS.today), "CN", None) == (None, "CN")
    assert rules.route(Terms(units, LIMITS, "CN", TERMS.today), "CN", "CN") == ("CN", "CN")


@pytest.mark.req("REG-3")
@pytest.mark.parametrize(
    ("passed", "warned", "breached"),
    [
        (36 * HOUR - SECOND, False, False),
        (36 * HOUR, True, False),
        (36 * HOUR + SECOND, True, False),
        (48 * HOUR - SECOND, True, False),
        (48 * HOUR, True, True),
        (48 * HOUR + SECOND, True, True),
        (480 * HOUR, True, True),
    ],
)
def test_the_limit_warns_at_36_hours_and_is_broken_at_48_with_the_times_at_which_it_was(
    passed: timedelta, warned: bool, breached: bool
) -> None:
    due = rules.settle(at_centre(), START + passed, TERMS)
    assert due.after.warned_at == (START + 36 * HOUR if warned else None)
    assert due.after.breached_at == (START + 48 * HOUR if breached else None)
    assert due.after.escalated_to == ("32" if breached else None)
    kinds = ["decision_due_soon"] * warned + ["decision_overdue"] * breached
    assert [alert.kind for alert in due.alerts] == kinds
    assert rules.settle(due.after, START + passed, TERMS) == Moved(due.after)


@pytest.mark.req("REG-3")
def test_a_decision_that_comes_before_a_late_timer_marks_the_breach_all_the_same() -> None:
    late = rules.decide(at_centre(), "reject", "centre", START + 50 * HOUR, TERMS, "不符合")
    assert isinstance(late, Moved)
    assert late.after.breached_at == START + 48 * HOUR
    assert late.after.decision_seconds == 50 * 3600
    assert [note.step for note in late.notes] == ["warned", "breached", "rejected"]
    assert [alert.kind for alert in late.alerts] == ["decision_due_soon", "decision_overdue"]
    in_time = moved(rules.decide(at_centre(), "reject", "centre", START + 48 * HOUR - SECOND, TERMS, "不"))
    assert in_time.breached_at is None


@pytest.mark.req("REG-3")
def test_time_at_the_declarer_does_not_count_and_resubmission_goes_on_with_the_rest() -> None:
    back = returned(at_centre(), START + 10 * HOUR)
    assert (back.state, back.waiting_for, back.due_at, back.warn_at) == ("returned", "declarer", None, None)
    assert rules.settle(back, START + 500 * HOUR, TERMS) == Moved(back)
    again = moved(rules.submit(back, UNIT, START + 100 * HOUR, TERMS))
    assert (again.state, again.waiting_for) == ("submitted", "centre")
    assert (again.warn_at, again.due_at) == (START + 126 * HOUR, START + 138 * HOUR)
    assert again.submitted_at == again.arrived_at == START
    decided = moved(rules.decide(again, "reject", "centre", START + 130 * HOUR, TERMS, "不符合"))
    assert decided.decision_seconds == 40 * 3600
    assert decided.breached_at is None and decided.warned_at == START + 126 * HOUR


@pytest.mark.req("REG-3")
def test_what_was_overdue_when_it_was_returned_stays_overdue_and_warns_nobody_again() -> None:
    back = returned(at_centre(), START + 60 * HOUR)
    assert back.breached_at == START + 48 * HOUR
    again = moved(rules.submit(back, UNIT, START + 100 * HOUR, TERMS))
    assert (again.warn_at, again.due_at) == (START + 36 * HOUR, START + 48 * HOUR)
    assert rules.settle(again, START + 500 * HOUR, TERMS) == Moved(again)


@pytest.mark.req("REG-3")
def test_the_pre_review_has_a_limit_of_its_own_and_the_centres_begins_at_arrival() -> None:
    waiting = at_pre_review()
    assert (waiting.warn_at, waiting.due_at, waiting.arrived_at) == (None, START + 48 * HOUR, None)
    late = rules.settle(waiting, START + 48 * HOUR, TERMS)
    assert [(alert.kind, alert.unit_code, alert.escalated_to) for alert in late.alerts] == [
        ("pre_review_overdue", "320583", "3205")
    ]
    passed = moved(rules.pre_review(late.after, "pass", "reviewer", START + 60 * HOUR, TERMS, None))
    assert (passed.state, passed.arrived_at) == ("pre_reviewed", START + 60 * HOUR)
    assert (passed.warn_at, passed.due_at) == (START + 96 * HOUR, START + 108 * HOUR)
    assert passed.pre_review_overdue_at == START + 48 * HOUR and passed.breached_at is None


@pytest.mark.req("REG-3")
def test_in_working_mode_a_friday_afternoon_is_due_on_tuesday() -> None:
    (entry,) = LIMITS.entries
    working = TimeLimits(2, (replace(entry, mode="working"),), LIMITS.calendar)
    terms = replace(TERMS, limits=working, today=date(2026, 3, 6))
    friday = datetime(2026, 3, 6, 7, tzinfo=UTC)
    draft = rules.declare("d", CONTENT, "320583", UNIT, friday, terms).after
    found = moved(rules.submit(draft, UNIT, friday, terms))
    assert (found.warn_at, found.due_at) == (
        datetime(2026, 3, 9, 19, tzinfo=UTC),
        datetime(2026, 3, 10, 7, tzinfo=UTC),
    )
    monday = datetime(2026, 3, 8, 16, tzinfo=UTC)
    decided = moved(rules.decide(found, "reject", "centre", monday, terms, "不符合"))
    assert decided.decision_seconds == 9 * 3600


@pytest.mark.req("REG-1")
def test_a_returned_declaration_goes_back_to_whoever_returned_it() -> None:
    back = moved(rules.pre_review(at_pre_review(), "return", "reviewer", START + HOUR, TERMS, "补充"))
    again = moved(rules.submit(back, MANAGER, START + 5 * HOUR, TERMS))
    assert (again.state, again.waiting_for, again.due_at) == ("submitted", "pre_review", START + 52 * HOUR)
    passed = moved(rules.pre_review(again, "pass", "reviewer", START + 6 * HOUR, TERMS, None))
    back = returned(passed, START + 7 * HOUR)
    again = moved(rules.submit(back, MANAGER, START + 8 * HOUR, TERMS))
    assert (again.state, again.waiting_for) == ("pre_reviewed", "centre")


@pytest.mark.req("REG-1")
def test_each_step_is_refused_where_it_does_not_fit() -> None:
    draft = rules.declare("d", CONTENT, "320583", MANAGER, START, TERMS).after
    waiting, centre = at_pre_review(), at_centre()
    withdrawn = moved(rules.withdraw(waiting, "manager", START, TERMS))
    assert (withdrawn.state, withdrawn.waiting_for, withdrawn.due_at) == ("withdrawn", None, None)
    for found in (draft, centre, withdrawn):
        assert refused(rules.pre_review(found, "pass", "x", START, TERMS, None)) == "not_in_pre_review"
    for found in (draft, waiting, withdrawn):
        assert refused(rules.decide(found, "approve", "x", START, TERMS, None)) == "not_at_centre"
    for found in (waiting, centre, withdrawn):
        assert refused(rules.submit(found, MANAGER, START, TERMS)) == "not_submittable"
        assert refused(rules.edit(found, CONTENT, "320583", MANAGER, START, TERMS)) == "not_editable"
    rejected = moved(rules.decide(centre, "reject", "x", START, TERMS, "不"))
    for found in (rejected, withdrawn):
        assert refused(rules.withdraw(found, "manager", START, TERMS)) == "not_withdrawable"


@pytest.mark.req("REG-2")
def test_nobody_decides_their_own_nor_through_a_deputy() -> None:
    assert refused(rules.pre_review(at_pre_review(), "pass", "manager", START, TERMS, None)) == "own_request"
    assert refused(rules.decide(at_centre(), "approve", "unit", START, TERMS, None)) == "own_request"
    through = rules.decide(at_centre(), "approve", "deputy", START, TERMS, None, acted_for="unit")
    assert refused(through) == "own_request"


@pytest.mark.req("REG-1")
def test_a_draft_may_go_to_another_unit_and_a_returned_declaration_stays() -> None:
    draft = rules.declare("d", CONTENT, "320583", MANAGER, START, TERMS).after
    elsewhere = moved(rules.edit(draft, CONTENT, "32010401", MANAGER, START, TERMS))
    assert (elsewhere.unit_path, elsewhere.deciding_unit) == ("/CN/32/3201/320104/32010401", "3201")
    assert elsewhere.pre_review_unit == "320583", "that of the post, as before"
    back = returned(at_centre(), START + HOUR)
    assert refused(rules.edit(back, CONTENT, "320581", UNIT, START, TERMS)) == "unit_fixed"
    named = replace(CONTENT, name="改名公司")
    assert moved(rules.edit(back, named, "320583", UNIT, START, TERMS)).content.name == "改名公司"


@pytest.mark.req("REG-6")
def test_a_record_that_was_tampered_with_says_where() -> None:
    declaration = at_centre()
    first = steps_after(
        declaration, [Note("declared", "unit", START), Note("submitted", "unit", START)], None
    )
    steps = first + steps_after(declaration, [Note("rejected", "centre", START, "不符合")], first[-1])
    assert broken_at("d", steps) is None
    assert broken_at("e", steps) == 1
    assert broken_at("d", steps[1:]) == 1
    assert broken_at("d", [steps[0], steps[2]]) == 2
    forged = replace(steps[1], note=replace(steps[1].note, person="other"))
    assert broken_at("d", [steps[0], forged, steps[2]]) == 2
    reworded = replace(steps[0], content={**(steps[0].content or {}), "name": "另一家"})
    assert broken_at("d", [reworded, *steps[1:]]) == 1
