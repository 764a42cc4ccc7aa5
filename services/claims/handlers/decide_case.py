"""The centre decides a case (CLM-5, CLM-9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.claims.domain.days import to_millisecond
from services.claims.domain.refusals import CaseDecided, OwnRequest, Refusal, UnknownPlan
from services.claims.handlers.acting import Confirm
from services.claims.handlers.desk import Desk
from services.claims.handlers.messages import publish_case
from services.claims.handlers.ports import Case


async def decide_case(
    desk: Desk,
    case_id: str,
    by: str,
    decision: str,
    reason: str,
    allow: Callable[[Case], None],
    confirm: Confirm,
) -> Case | Refusal:
    """Once, with a reason; nobody decides on a window of their own."""
    case = await desk.store.case(case_id)
    if case is None:
        return UnknownPlan()
    allow(case)
    docket = await desk.docket_of_plan(case.plan_id)
    assert docket is not None  # noqa: S101 - a case keeps its plan
    plan = docket.plans[case.plan_id]
    if case.state != "open":
        return CaseDecided(case.decision or "", case.decided_by or "", case.decided_at or case.opened_at)
    if by in (plan.filed_by, plan.manager_a, plan.manager_b):
        return OwnRequest()
    confirm(case.version)
    decided = replace(
        case,
        version=case.version + 1,
        state="decided",
        decision=decision,
        reason=reason,
        decided_by=by,
        decided_at=to_millisecond(desk.now),
    )
    await desk.store.store_case(decided)
    publish_case(desk.publish, decided, plan, docket.subject)
    return decided
