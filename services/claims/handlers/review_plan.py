"""The centre reviews a plan: enters it on file, which opens its window, or refuses it (CLM-2, CLM-3, CLM-4, CLM-6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.claims.domain.plans import Plan, Step, cooling, refuse, register, window_held
from services.claims.domain.ranking import (
    Candidate,
    Standing,
    going_before,
    order_of,
    rank,
    territory_shared,
)
from services.claims.domain.refusals import (
    AlreadyReviewed,
    CoolingDown,
    FestivalNotReckoned,
    NotFirst,
    OutsideSeason,
    OwnRequest,
    UnknownPlan,
    WindowHeld,
    WrongState,
)
from services.claims.domain.rules import Criterion
from services.claims.handlers.acting import Entry, docket_for, finish
from services.claims.handlers.desk import Desk
from services.claims.handlers.file_plan import outside_season
from services.claims.handlers.ports import Docket
from shared.auth.policy import Forbidden, OutOfScope
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.days import day_of
from shared.kernel.refusals import Refusal
from shared.kernel.units import covers

RegistrationRefusal = (
    WrongState | AlreadyReviewed | WindowHeld | CoolingDown | OutsideSeason | FestivalNotReckoned | NotFirst
)
"""Why a plan cannot be entered on file."""


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """The centre's decision. A refusal bears its reason, and so does a registration that departs from the ranking."""

    plan_id: str
    registers: bool
    reason: str | None


async def review_plan(
    command: ReviewPlan, desk: Desk
) -> Done[Entry] | UnknownPlan | Forbidden | OutOfScope | OwnRequest | RegistrationRefusal | ChangedMeanwhile:
    """Enter the plan on file or refuse it; nobody reviews what they filed or would carry out."""
    docket = await docket_for(desk, command.plan_id, "plans.review")
    if isinstance(docket, Refusal):
        return docket
    plan = docket.plans[command.plan_id]
    if desk.caller.user in plan.people:
        return OwnRequest()
    step = (
        await _registration(desk, docket, plan, command.reason)
        if command.registers
        else refuse(plan, desk.now, desk.caller.user, command.reason or "")
    )
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)


async def _registration(
    desk: Desk, docket: Docket, plan: Plan, reason: str | None
) -> Step | RegistrationRefusal:
    rule = desk.rules.holding(plan.unit_path, day_of(desk.now))
    step = register(plan, rule, desk.now, desk.caller.user, reason)
    if isinstance(step, Refusal):
        return step
    holder = docket.holder()
    if holder is not None:
        return await desk.with_name(window_held(holder))
    cooled = cooling(plan.unit_code, tuple(docket.plans.values()), rule, desk.now)
    if cooled is not None:
        return cooled
    outside = outside_season(desk, plan)
    if outside is not None:
        return outside
    if reason is None:
        ranking = await _ranking(desk, docket, plan)
        before = going_before(plan.id, ranking.places, ranking.order)
        if before:
            return NotFirst(before)
    return step


@dataclass(frozen=True, slots=True)
class Ranking:
    """Everything that is pending for one customer, in the order of the published rules."""

    order: tuple[Criterion, ...]
    places: tuple[Standing, ...]


async def read_ranking(desk: Desk, plan_id: str) -> Ranking | UnknownPlan | Forbidden | OutOfScope:
    """The ranking in which a plan stands. Margins of plans that the caller may not read are left out."""
    docket = await docket_for(desk, plan_id, "plans.review")
    if isinstance(docket, Refusal):
        return docket
    ranking = await _ranking(desk, docket, docket.plans[plan_id])
    places = tuple(
        one
        if desk.reads_plan(docket.plans[one.candidate.plan_id])
        else replace(one, candidate=replace(one.candidate, margin_fen=None))
        for one in ranking.places
    )
    return replace(ranking, places=places)


async def _ranking(desk: Desk, docket: Docket, plan: Plan) -> Ranking:
    pending = [other for other in docket.plans.values() if other.state == "submitted"]
    candidates = [await _candidate(desk, docket, one) for one in pending]
    order = order_of(desk.rules.holding(plan.unit_path, day_of(desk.now)), candidates)
    return Ranking(order, tuple(rank(candidates, order)))


async def _candidate(desk: Desk, docket: Docket, plan: Plan) -> Candidate:
    customer = await desk.customer_of(docket.subject)
    unit = await desk.store.unit(plan.unit_code)
    declared = customer is not None and covers(plan.unit_path, customer.unit_path)
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
