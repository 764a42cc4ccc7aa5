"""The shape of every command on a plan that is there: its docket, may the caller, what does the rule say, store."""

from __future__ import annotations

from dataclasses import dataclass

from services.claims.domain.plans import Plan, Step
from services.claims.domain.refusals import UnknownPlan
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Docket, Subject
from shared.auth.policy import Forbidden, Operation, OutOfScope
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class Entry:
    """A plan as it now is, and whom it is about."""

    plan: Plan
    subject: Subject


async def docket_for(
    desk: Desk, plan_id: str, operation: Operation
) -> Docket | UnknownPlan | Forbidden | OutOfScope:
    """The docket of a plan to which the caller may do this, under lock and up to date. Its own plan is there by its id."""
    docket = await desk.docket_of_plan(plan_id)
    if docket is None:
        return UnknownPlan()
    return desk.bars(operation, docket.plans[plan_id]) or docket


async def finish(desk: Desk, docket: Docket, step: Step) -> Done[Entry] | ChangedMeanwhile:
    """Take the step, unless the caller means another version of the plan. Called once no rule stands against it: whoever
    is too late should hear who decided, not only that something changed."""
    plan_id = step.plan.id
    moved_on = stale(desk.version, docket.plans[plan_id].version)
    if moved_on is not None:
        return moved_on
    await desk.carry_out(docket, step)
    await desk.bring_up_to_date(docket)
    return Done(Entry(docket.plans[plan_id], docket.subject))
