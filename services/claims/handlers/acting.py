"""The shape of every command on a plan that is there: open its docket, may the caller, what does the rule say, store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.claims.domain.plans import Plan, Step
from services.claims.domain.refusals import Refusal, UnknownPlan
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Docket, Subject

Allow = Callable[[Plan], None]
"""Raises where the caller may not do this to the plan."""
Confirm = Callable[[int], None]
"""Raises where the caller meant another version than this one."""
Decide = Callable[[Docket, Plan], Awaitable[Step | Refusal]]


@dataclass(frozen=True, slots=True)
class Done:
    """The plan as it now is."""

    plan: Plan
    subject: Subject


async def act(desk: Desk, plan_id: str, allow: Allow, decide: Decide, confirm: Confirm) -> Done | Refusal:
    """Carry a command out. A refusal is said before a version that has moved on: whoever is too late should hear who
    decided, not only that something changed."""
    docket = await desk.docket_of_plan(plan_id)
    if docket is None:
        return UnknownPlan()
    plan = docket.plans[plan_id]
    allow(plan)
    step = await decide(docket, plan)
    if not isinstance(step, Step):
        return step
    confirm(plan.version)
    await desk.carry_out(docket, step)
    await desk.bring_up_to_date(docket)
    return Done(docket.plans[plan_id], docket.subject)
