"""The routes of development plans (CLM-1, CLM-2, CLM-6 to CLM-9)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.claims.adapters.read_models import PLANS, read_plan
from services.claims.domain.days import last_day_before
from services.claims.domain.plans import Phase
from services.claims.domain.refusals import UnknownPlan
from services.claims.entrypoints.commands import Door, Reader, Rules, answers, open_desk
from services.claims.entrypoints.http.models import (
    ExtendIn,
    Filter,
    JudgeIn,
    PlanChangeIn,
    PlanIn,
    PlanOut,
    Plans,
    ProgressIn,
    RankingOut,
    ReviewIn,
    WithdrawIn,
    plan_out,
    ranking_out,
    summary_of,
)
from services.claims.handlers.act_on_window import (
    ExtendWindow,
    JudgeProgress,
    ReportProgress,
    WithdrawPlan,
    extend_window,
    judge_progress,
    report_progress,
    withdraw_plan,
)
from services.claims.handlers.acting import Entry
from services.claims.handlers.desk import Desk
from services.claims.handlers.file_plan import ChangePlan, SubmitPlan, change_plan, file_plan, submit_plan
from services.claims.handlers.review_plan import ReviewPlan, read_ranking, review_plan
from shared.auth.http import Caller, require
from shared.auth.policy import OutOfScope
from shared.commands import AnyCall, VersionedCall, described
from shared.etags import etag, not_modified
from shared.http_fields import Flag
from shared.kernel.refusals import Refusal
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import Problem

router = APIRouter(prefix="/v1", tags=["plans"])
PlanId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


async def show_plan(desk: Desk, entry: Entry) -> PlanOut:
    """The plan, with its customer as this caller may know it."""
    customer = await desk.customer_of(entry.subject)
    open_to_them = customer is not None and desk.reads_customer(customer)
    subject = entry.subject if open_to_them else entry.subject.as_named(entry.plan)
    return plan_out(entry.plan, subject, await desk.store.steps(entry.plan.id))


@router.post("/plans", summary="File a development plan", **described(file_plan, created=True))
async def file(body: PlanIn, call: AnyCall, door: Door) -> PlanOut:
    """For a customer or a prospect. Where another's window is in force it is refused with who holds it and until
    when, or waits with `queue`."""
    return await door.carry_out(call, "plans.file", file_plan, body.command(), show_plan)


@router.patch("/plans/{plan_id}", summary="Change a draft", **described(change_plan, versioned=True))
async def change(plan_id: PlanId, body: PlanChangeIn, call: VersionedCall, door: Door) -> PlanOut:
    command = ChangePlan(plan_id, body.changes())
    return await door.carry_out(call, "plans.file", change_plan, command, show_plan)


@router.post("/plans/{plan_id}/submit", summary="Hand a draft in", **described(submit_plan, versioned=True))
async def submit(plan_id: PlanId, call: VersionedCall, door: Door) -> PlanOut:
    return await door.carry_out(call, "plans.file", submit_plan, SubmitPlan(plan_id), show_plan)


@router.post(
    "/plans/{plan_id}/withdraw", summary="Take a plan back", **described(withdraw_plan, versioned=True)
)
async def withdraw(
    plan_id: PlanId, call: VersionedCall, door: Door, body: WithdrawIn | None = None
) -> PlanOut:
    """A window in force ends with it, and its unit may not claim the customer again for the cooling time."""
    command = WithdrawPlan(plan_id, None if body is None else body.reason)
    return await door.carry_out(call, "plans.progress", withdraw_plan, command, show_plan)


@router.post(
    "/plans/{plan_id}/review", summary="Enter on file, or refuse", **described(review_plan, versioned=True)
)
async def review(plan_id: PlanId, body: ReviewIn, call: VersionedCall, door: Door) -> PlanOut:
    """Registering opens the window at once, or on the day that the plan asks for."""
    command = ReviewPlan(plan_id, body.decision == "register", body.reason)
    return await door.carry_out(call, "plans.review", review_plan, command, show_plan)


@router.post(
    "/plans/{plan_id}/progress", summary="Report progress", **described(report_progress, versioned=True)
)
async def progress(plan_id: PlanId, body: ProgressIn, call: VersionedCall, door: Door) -> PlanOut:
    command = ReportProgress(plan_id, body.stage, body.note, tuple(body.evidence))
    return await door.carry_out(call, "plans.progress", report_progress, command, show_plan)


@router.post(
    "/plans/{plan_id}/judge",
    summary="Judge progress, guide the holder",
    **described(judge_progress, versioned=True),
)
async def judge(plan_id: PlanId, body: JudgeIn, call: VersionedCall, door: Door) -> PlanOut:
    command = JudgeProgress(plan_id, body.significant, body.note)
    return await door.carry_out(call, "plans.review", judge_progress, command, show_plan)


@router.post(
    "/plans/{plan_id}/extend",
    summary="Extend a window in force",
    **described(extend_window, versioned=True),
)
async def extend(plan_id: PlanId, body: ExtendIn, call: VersionedCall, door: Door) -> PlanOut:
    """For significant progress, with reason and evidence; how often and how long is a rule."""
    command = ExtendWindow(plan_id, body.until, body.reason, tuple(body.evidence))
    return await door.carry_out(call, "plans.review", extend_window, command, show_plan)


@router.get("/plans", summary="Plans in your scope", responses=answers(BadCursor))
async def plans(
    caller: Caller,
    reader: Reader,
    state: Phase | None = None,
    unit: Filter = None,
    customer: Filter = None,
    mine: Flag = False,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Plans:
    """The latest filed first. `unit` includes everything below it, `mine` are those you filed or manage."""
    require(caller, "plans.read")
    asked = {"state": state, "unit": unit, "customer": customer, "person": caller.user if mine else None}
    page = await PLANS.read(reader, caller, asked, cursor, limit)
    items = [summary_of(row, row["ends_at"] and last_day_before(row["ends_at"])) for row in page.items]
    return Plans(items=items, next_cursor=page.next_cursor)


@router.get(
    "/plans/{plan_id}",
    response_model=PlanOut,
    summary="One plan",
    responses={
        304: {"description": "The version that `If-None-Match` names is the current one."},
        **answers(UnknownPlan),
    },
)
async def plan(
    plan_id: PlanId, caller: Caller, reader: Reader, request: Request, response: Response
) -> PlanOut | Response:
    """Answers 404 for a plan outside your scope as for one that does not exist."""
    require(caller, "plans.read")
    found = await read_plan(reader, caller, plan_id)
    if found is None:
        raise Problem(UnknownPlan())
    known = not_modified(request, found[0].version)
    if known is not None:
        return known
    response.headers["etag"] = etag(found[0].version)
    return plan_out(*found)


@router.get(
    "/plans/{plan_id}/ranking",
    summary="Who goes first, and why",
    responses=answers(UnknownPlan, OutOfScope),
)
async def ranked(plan_id: PlanId, caller: Caller, door: Door, rules: Rules) -> RankingOut:
    """Everything that is pending for the same customer, in the order of the published rules."""
    require(caller, "plans.review")
    # What has fallen due counts in the ranking, and is left for its timer or the next command to carry out.
    async with door.unit_of_work.rehearse() as work:
        ranking = await read_ranking(open_desk(work, rules, caller), plan_id)
        if isinstance(ranking, Refusal):
            raise Problem(ranking)
        return ranking_out(ranking)
