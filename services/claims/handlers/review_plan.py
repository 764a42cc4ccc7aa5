"""The centre reviews a plan: enters it on file, which opens its window, or refuses it (CLM-2, CLM-3, CLM-4, CLM-6)."""

from __future__ import annotations

from services.claims.domain.days import day_of
from services.claims.domain.plans import Plan, Step, cooling, held, refuse, register
from services.claims.domain.ranking import (
    Candidate,
    Ranked,
    going_before,
    order_of,
    rank,
    territory_shared,
)
from services.claims.domain.refusals import NotFirst, OwnRequest, Refusal
from services.claims.domain.rules import Criterion
from services.claims.handlers.acting import Allow, Confirm, Done, act
from services.claims.handlers.desk import Desk
from services.claims.handlers.file_plan import outside_season
from services.claims.handlers.ports import Docket


async def review_plan(
    desk: Desk,
    plan_id: str,
    by: str,
    registers: bool,
    reason: str | None,
    allow: Allow,
    confirm: Confirm,
) -> Done | Refusal:
    """Enter the plan on file or refuse it; nobody reviews what they filed or would carry out."""

    async def decide(docket: Docket, plan: Plan) -> Step | Refusal:
        if by in (plan.filed_by, plan.manager_a, plan.manager_b):
            return OwnRequest()
        if not registers:
            return refuse(plan, desk.now, by, reason or "")
        return await _registration(desk, docket, plan, by, reason)

    return await act(desk, plan_id, allow, decide, confirm)


async def _registration(
    desk: Desk, docket: Docket, plan: Plan, by: str, reason: str | None
) -> Step | Refusal:
    rule = desk.rules.holding(plan.unit_path, day_of(desk.now))
    step = register(plan, rule, desk.now, by, reason)
    if not isinstance(step, Step):
        return step
    holder = docket.holder()
    if holder is not None:
        return held(holder)
    cooled = cooling(plan.unit_code, tuple(docket.plans.values()), rule, desk.now)
    if cooled is not None:
        return cooled
    outside = outside_season(desk, plan)
    if outside is not None:
        return outside
    if reason is None:
        ranked, order = await ranking(desk, docket, plan)
        before = going_before(plan.id, ranked, order)
        if before:
            return NotFirst(before)
    return step


async def ranking(desk: Desk, docket: Docket, plan: Plan) -> tuple[list[Ranked], tuple[Criterion, ...]]:
    """Everything that is pending for the customer together with this plan, in the order of the published rules."""
    pending = [other for other in docket.plans.values() if other.state == "submitted"]
    candidates = [await _candidate(desk, docket, one) for one in pending]
    order = order_of(desk.rules.holding(plan.unit_path, day_of(desk.now)), candidates)
    return rank(candidates, order), order


async def _candidate(desk: Desk, docket: Docket, plan: Plan) -> Candidate:
    code = docket.subject.customer_code
    customer = None if code is None else await desk.store.customer(code)
    unit = await desk.store.unit(plan.unit_code)
    declared = customer is not None and f"{customer.unit_path}/".startswith(f"{plan.unit_path}/")
    territory = territory_shared(
        None if customer is None else customer.division, None if unit is None else unit.division
    )
    return Candidate(
        plan.id,
        plan.unit_code,
        plan.lines,
        declared,
        territory,
        plan.expected_margin_fen,
        plan.submitted_at or plan.filed_at,
    )
