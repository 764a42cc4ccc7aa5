"""What holder and centre do while a window is in force: progress, judgement, extension, withdrawal (CLM-7, CLM-9)."""

from __future__ import annotations

from datetime import date

from services.claims.domain.plans import Plan, Step, extend, judge, progress, withdraw
from services.claims.domain.refusals import OwnRequest, Refusal
from services.claims.handlers.acting import Allow, Confirm, Done, act
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Docket


async def report_progress(
    desk: Desk,
    plan_id: str,
    by: str,
    stage: str,
    note: str,
    evidence: tuple[str, ...],
    allow: Allow,
    confirm: Confirm,
) -> Done | Refusal:
    """The holder reports progress."""

    async def decide(_docket: Docket, plan: Plan) -> Step | Refusal:
        return progress(plan, desk.now, by, stage, note, evidence)

    return await act(desk, plan_id, allow, decide, confirm)


async def judge_progress(
    desk: Desk, plan_id: str, by: str, significant: bool, note: str, allow: Allow, confirm: Confirm
) -> Done | Refusal:
    """The centre judges the progress and guides the holder; nobody judges their own."""

    async def decide(_docket: Docket, plan: Plan) -> Step | Refusal:
        if by in (plan.filed_by, plan.manager_a, plan.manager_b):
            return OwnRequest()
        return judge(plan, desk.now, by, significant, note)

    return await act(desk, plan_id, allow, decide, confirm)


async def extend_window(
    desk: Desk,
    plan_id: str,
    by: str,
    until: date,
    reason: str,
    evidence: tuple[str, ...],
    allow: Allow,
    confirm: Confirm,
) -> Done | Refusal:
    """The centre extends a window, under the rule that it opened under."""

    async def decide(_docket: Docket, plan: Plan) -> Step | Refusal:
        if by in (plan.filed_by, plan.manager_a, plan.manager_b):
            return OwnRequest()
        return extend(plan, desk.rule_of(plan), desk.now, by, until, reason, evidence)

    return await act(desk, plan_id, allow, decide, confirm)


async def withdraw_plan(
    desk: Desk, plan_id: str, by: str, reason: str | None, allow: Allow, confirm: Confirm
) -> Done | Refusal:
    """The unit takes its plan back."""

    async def decide(_docket: Docket, plan: Plan) -> Step | Refusal:
        return withdraw(plan, desk.now, by, reason)

    return await act(desk, plan_id, allow, decide, confirm)
