"""What holder and centre do while a window is in force: progress, judgement, extension, withdrawal (CLM-7, CLM-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.claims.domain.plans import extend, judge, progress, withdraw
from services.claims.domain.refusals import (
    AlreadyExtended,
    BadExtension,
    NotSignificant,
    OwnRequest,
    UnknownPlan,
    WindowOver,
    WrongState,
)
from services.claims.handlers.acting import Entry, docket_for, finish
from services.claims.handlers.desk import Desk
from shared.auth.policy import Forbidden, OutOfScope
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import Refusal


@dataclass(frozen=True, slots=True)
class ReportProgress:
    plan_id: str
    stage: str
    note: str
    evidence: tuple[str, ...]


async def report_progress(
    command: ReportProgress, desk: Desk
) -> Done[Entry] | UnknownPlan | Forbidden | OutOfScope | WindowOver | WrongState | ChangedMeanwhile:
    """The holder reports progress."""
    docket = await docket_for(desk, command.plan_id, "plans.progress")
    if isinstance(docket, Refusal):
        return docket
    plan = docket.plans[command.plan_id]
    step = progress(plan, desk.now, desk.caller.user, command.stage, command.note, command.evidence)
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)


@dataclass(frozen=True, slots=True)
class JudgeProgress:
    plan_id: str
    significant: bool
    note: str


async def judge_progress(
    command: JudgeProgress, desk: Desk
) -> (
    Done[Entry]
    | UnknownPlan
    | Forbidden
    | OutOfScope
    | OwnRequest
    | WindowOver
    | WrongState
    | ChangedMeanwhile
):
    """The centre judges the progress and guides the holder; nobody judges their own."""
    docket = await docket_for(desk, command.plan_id, "plans.review")
    if isinstance(docket, Refusal):
        return docket
    plan = docket.plans[command.plan_id]
    if desk.caller.user in plan.people:
        return OwnRequest()
    step = judge(plan, desk.now, desk.caller.user, command.significant, command.note)
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)


@dataclass(frozen=True, slots=True)
class ExtendWindow:
    plan_id: str
    until: date
    """The new last day."""
    reason: str
    evidence: tuple[str, ...]


async def extend_window(
    command: ExtendWindow, desk: Desk
) -> (
    Done[Entry]
    | UnknownPlan
    | Forbidden
    | OutOfScope
    | OwnRequest
    | WindowOver
    | WrongState
    | AlreadyExtended
    | NotSignificant
    | BadExtension
    | ChangedMeanwhile
):
    """The centre extends a window, under the rule that it opened under."""
    docket = await docket_for(desk, command.plan_id, "plans.review")
    if isinstance(docket, Refusal):
        return docket
    plan = docket.plans[command.plan_id]
    if desk.caller.user in plan.people:
        return OwnRequest()
    step = extend(
        plan,
        desk.rule_of(plan),
        desk.now,
        desk.caller.user,
        command.until,
        command.reason,
        command.evidence,
    )
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)


@dataclass(frozen=True, slots=True)
class WithdrawPlan:
    plan_id: str
    reason: str | None


async def withdraw_plan(
    command: WithdrawPlan, desk: Desk
) -> Done[Entry] | UnknownPlan | Forbidden | OutOfScope | WindowOver | WrongState | ChangedMeanwhile:
    """The unit takes its plan back."""
    docket = await docket_for(desk, command.plan_id, "plans.progress")
    if isinstance(docket, Refusal):
        return docket
    step = withdraw(docket.plans[command.plan_id], desk.now, desk.caller.user, command.reason)
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)
