"""What a command meets at the desk before anything is stored: may the caller, what says the rule, which version is meant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from services.claims.adapters.lunar import festival_day
from services.claims.domain.plans import Plan, refuse
from services.claims.domain.refusals import AlreadyReviewed, OwnRequest, UnknownPlan
from services.claims.handlers.desk import NOBODY, Desk
from services.claims.handlers.ports import Docket, PlanStore, Subject
from services.claims.handlers.review_plan import ReviewPlan, review_plan
from shared.auth.policy import Forbidden
from shared.auth.principals import Principal, Role, RoleGrant
from shared.etags import ChangedMeanwhile
from tests.unit.claims.test_plan_rules import RULES, THEN, plan_of, submitted

SOON = THEN + timedelta(hours=1)
REGISTER = ReviewPlan("P1", registers=True, reason=None)


class OneDocket:
    """A store that has one docket and takes nothing: whoever stores something here has gone too far."""

    def __init__(self, plan: Plan) -> None:
        self._docket = Docket(Subject(1, "C1", None, "x"), {plan.id: plan})

    async def subject_of_plan(self, plan_id: str) -> int | None:
        return 1 if plan_id in self._docket.plans else None

    async def docket(self, _subject_id: int) -> Docket:
        return self._docket


def person(user: str, role: Role, path: str = "/CN/32/3205") -> Principal:
    return Principal(user, user, (RoleGrant(role, path.rpartition("/")[2], path),))


def desk_of(plan: Plan, caller: Principal, version: int | None = None) -> Desk:
    nowhere = cast(Any, None)
    store = cast(PlanStore, OneDocket(plan))
    return Desk(SOON, store, nowhere, nowhere, nowhere, RULES, festival_day, caller, version)


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("caller", "answer"),
    [
        (person("centre", "centre", "/CN/32/3201"), UnknownPlan),
        (person("another", "manager"), UnknownPlan),
        (NOBODY, UnknownPlan),
        (person("manager", "manager"), Forbidden),
        (person("auditor", "auditor"), Forbidden),
        (person("manager", "centre"), OwnRequest),
    ],
)
async def test_who_may_not_read_a_plan_hears_of_none_and_who_may_not_act_hears_that(
    caller: Principal, answer: type
) -> None:
    assert isinstance(await review_plan(REGISTER, desk_of(submitted(), caller)), answer)


async def test_a_plan_that_does_not_exist_is_unknown() -> None:
    asked = ReviewPlan("P9", registers=True, reason=None)
    assert await review_plan(asked, desk_of(submitted(), person("centre", "centre"))) == UnknownPlan()


@pytest.mark.req("CLM-2")
async def test_whoever_is_too_late_hears_who_decided_rather_than_that_something_changed() -> None:
    plan = submitted()
    centre = person("centre", "centre")
    done = plan_of(refuse(plan, THEN, "colleague", "x"))
    late = await review_plan(REGISTER, desk_of(done, centre, plan.version))
    assert isinstance(late, AlreadyReviewed) and late.decided_by == "colleague"
    refusal = ReviewPlan("P1", registers=False, reason="x")
    assert await review_plan(refusal, desk_of(plan, centre, plan.version - 1)) == ChangedMeanwhile(
        plan.version
    )
