"""The centre decides a case (CLM-5, CLM-9)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.claims.domain.days import to_millisecond
from services.claims.domain.refusals import CaseDecided, OwnRequest, UnknownCase
from services.claims.handlers.desk import Desk
from services.claims.handlers.messages import publish_case
from services.claims.handlers.ports import Case
from shared.auth.policy import Forbidden, OutOfScope, permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class DecideCase:
    case_id: str
    decision: str
    reason: str


async def decide_case(
    command: DecideCase, desk: Desk
) -> Done[Case] | UnknownCase | Forbidden | OutOfScope | CaseDecided | OwnRequest | ChangedMeanwhile:
    """Once, with a reason; nobody decides on a window of their own."""
    case = await desk.store.case(command.case_id)
    if case is None or permit(desk.caller, "cases.read", case.unit_path) is not None:
        return UnknownCase()
    barred = permit(desk.caller, "cases.decide", case.unit_path)
    if barred is not None:
        return barred
    docket = await desk.docket_of_plan(case.plan_id)
    assert docket is not None  # noqa: S101 - a case keeps its plan
    plan = docket.plans[case.plan_id]
    if case.state != "open":
        return CaseDecided(case.decision or "", case.decided_by or "", case.decided_at or case.opened_at)
    if desk.caller.user in plan.people:
        return OwnRequest()
    moved_on = stale(desk.version, case.version)
    if moved_on is not None:
        return moved_on
    decision = replace(
        case,
        version=case.version + 1,
        state="decided",
        decision=command.decision,
        reason=command.reason,
        decided_by=desk.caller.user,
        decided_at=to_millisecond(desk.now),
    )
    await desk.store.store_case(decision)
    publish_case(desk.publish, decision, plan, docket.subject)
    return Done(decision)
