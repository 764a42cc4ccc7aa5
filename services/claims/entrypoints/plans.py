"""The routes of development plans (CLM-1, CLM-2, CLM-6 to CLM-9)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from services.claims.adapters.plan_reads import PlanReads
from services.claims.domain.days import last_day_before
from services.claims.domain.plans import Phase, Plan
from services.claims.entrypoints.commands import Commands, allowing, may_read
from services.claims.entrypoints.resources import (
    ExtendIn,
    JudgeIn,
    PlanChangeIn,
    PlanIn,
    PlanOut,
    Plans,
    ProgressIn,
    RankedOut,
    RankingOut,
    ReviewIn,
    WithdrawIn,
    plan_out,
    summary_of,
)
from services.claims.entrypoints.sentences import unknown_plan
from services.claims.handlers.act_on_window import (
    extend_window,
    judge_progress,
    report_progress,
    withdraw_plan,
)
from services.claims.handlers.file_plan import change_plan, file_plan, submit_plan
from services.claims.handlers.review_plan import ranking, review_plan
from shared.auth.http import Caller, require
from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.etags import IfMatch, check_version, etag, not_modified, required_version
from shared.http_fields import Flag
from shared.idempotency import Asked, IdempotencyKey
from shared.messaging.work import Work
from shared.paging import PAGE_DEFAULT, Cursor, Limit

Filter = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
PlanId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
CRITERIA = {
    "declaration": ("在先的有效申报", "earlier valid declaration"),
    "territory": ("属地单位", "territorial unit"),
    "benefit": ("预期效益", "expected benefit"),
}


def routes(commands: Commands, reads: PlanReads) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["plans"])
    on_plan = commands.on_plan

    @router.post("/plans", status_code=201, response_model=PlanOut, summary="File a development plan")
    async def file(
        body: PlanIn, caller: Caller, response: Response, idempotency_key: IdempotencyKey = None
    ) -> Any:
        """For a customer or a prospect. Where another's window is in force it is refused with who holds it and until
        when, or waits with `queue`."""
        require(caller, "plans.file")
        filing = body.filing()
        asked = _asked("plans", caller, idempotency_key, body)

        def allow(unit_path: str) -> None:
            require(caller, "plans.file", unit_path)

        return await on_plan(
            caller,
            asked,
            lambda desk: file_plan(desk, filing, caller.user, allow, partial(may_read, caller), body.submit),
            response,
        )

    @router.patch("/plans/{plan_id}", response_model=PlanOut, summary="Change a draft")
    async def change(
        plan_id: PlanId,
        body: PlanChangeIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        allow, confirm = _may(caller, "plans.file"), _confirm(if_match)
        sent = body.model_dump(mode="json", exclude_unset=True)
        asked = Asked(f"plans/{plan_id}", caller.user, idempotency_key, sent)
        changes = body.changes()
        return await on_plan(
            caller,
            asked,
            lambda desk: change_plan(desk, plan_id, changes, caller.user, allow, confirm),
            response,
        )

    @router.post("/plans/{plan_id}/submit", response_model=PlanOut, summary="Hand a draft in")
    async def submit(
        plan_id: PlanId,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        allow, confirm = _may(caller, "plans.file"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/submit", caller, idempotency_key)
        return await on_plan(caller, asked, lambda desk: submit_plan(desk, plan_id, allow, confirm), response)

    @router.post("/plans/{plan_id}/withdraw", response_model=PlanOut, summary="Take a plan back")
    async def withdraw(
        plan_id: PlanId,
        caller: Caller,
        response: Response,
        body: WithdrawIn | None = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        """A window in force ends with it, and its unit may not claim the customer again for the cooling time."""
        allow, confirm = _may(caller, "plans.progress"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/withdraw", caller, idempotency_key, body)
        reason = None if body is None else body.reason
        return await on_plan(
            caller,
            asked,
            lambda desk: withdraw_plan(desk, plan_id, caller.user, reason, allow, confirm),
            response,
        )

    @router.post("/plans/{plan_id}/review", response_model=PlanOut, summary="Enter on file, or refuse")
    async def review(
        plan_id: PlanId,
        body: ReviewIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        """Registering opens the window at once, or on the day that the plan asks for."""
        allow, confirm = _may(caller, "plans.review"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/review", caller, idempotency_key, body)
        registers = body.decision == "register"
        return await on_plan(
            caller,
            asked,
            lambda desk: review_plan(desk, plan_id, caller.user, registers, body.reason, allow, confirm),
            response,
        )

    @router.post("/plans/{plan_id}/progress", response_model=PlanOut, summary="Report progress")
    async def progress(
        plan_id: PlanId,
        body: ProgressIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        allow, confirm = _may(caller, "plans.progress"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/progress", caller, idempotency_key, body)
        evidence = tuple(body.evidence)
        return await on_plan(
            caller,
            asked,
            lambda desk: report_progress(
                desk, plan_id, caller.user, body.stage, body.note, evidence, allow, confirm
            ),
            response,
        )

    @router.post("/plans/{plan_id}/judge", response_model=PlanOut, summary="Judge progress, guide the holder")
    async def judge(
        plan_id: PlanId,
        body: JudgeIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        allow, confirm = _may(caller, "plans.review"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/judge", caller, idempotency_key, body)
        return await on_plan(
            caller,
            asked,
            lambda desk: judge_progress(
                desk, plan_id, caller.user, body.significant, body.note, allow, confirm
            ),
            response,
        )

    @router.post("/plans/{plan_id}/extend", response_model=PlanOut, summary="Extend a window in force")
    async def extend(
        plan_id: PlanId,
        body: ExtendIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        """For significant progress, with reason and evidence; how often and how long is a rule."""
        allow, confirm = _may(caller, "plans.review"), _confirm(if_match)
        asked = _asked(f"plans/{plan_id}/extend", caller, idempotency_key, body)
        evidence = tuple(body.evidence)
        return await on_plan(
            caller,
            asked,
            lambda desk: extend_window(
                desk, plan_id, caller.user, body.until, body.reason, evidence, allow, confirm
            ),
            response,
        )

    @router.get("/plans", summary="Plans in your scope")
    async def plans(
        caller: Caller,
        state: Phase | None = None,
        unit: Filter = None,
        customer: Filter = None,
        mine: Flag = False,
        cursor: Cursor = None,
        limit: Limit = PAGE_DEFAULT,
    ) -> Plans:
        """The latest filed first. `unit` includes everything below it, `mine` are those you filed or manage."""
        require(caller, "plans.read")
        person = caller.user if mine else None
        filters = _filters(state=state, unit=unit, customer=customer, person=person)
        rows, following = await reads.plans(caller, filters, cursor, limit)
        items = [summary_of(row, row["ends_at"] and last_day_before(row["ends_at"])) for row in rows]
        return Plans(items=items, next_cursor=following)

    @router.get(
        "/plans/{plan_id}",
        response_model=PlanOut,
        summary="One plan",
        responses={304: {"description": "The version that `If-None-Match` names is the current one."}},
    )
    async def plan(plan_id: PlanId, caller: Caller, request: Request, response: Response) -> Any:
        """Answers 404 for a plan outside your scope as for one that does not exist."""
        require(caller, "plans.read")
        found = await reads.plan(caller, plan_id)
        if found is None:
            raise unknown_plan()
        known = not_modified(request, found[0].version)
        if known is not None:
            return known
        response.headers["etag"] = etag(found[0].version)
        return plan_out(*found)

    @router.get("/plans/{plan_id}/ranking", summary="Who goes first, and why")
    async def ranked(plan_id: PlanId, caller: Caller) -> RankingOut:
        """Everything that is pending for the same customer, in the order of the published rules."""
        require(caller, "plans.review")

        async def command(work: Work) -> RankingOut:
            desk = commands.desk(work)
            docket = await desk.docket_of_plan(plan_id)
            if docket is None:
                raise unknown_plan()
            allowing(caller, "plans.review")(docket.plans[plan_id])
            found, order = await ranking(desk, docket, docket.plans[plan_id])
            return RankingOut(
                order=list(order),
                items=[
                    RankedOut(
                        place=one.place,
                        plan_id=one.candidate.plan_id,
                        unit_code=one.candidate.unit_code,
                        declared=one.candidate.declared,
                        territory=one.candidate.territory,
                        expected_margin=one.candidate.margin_fen
                        if _sees(caller, docket.plans[one.candidate.plan_id])
                        else None,
                        submitted_at=one.candidate.submitted_at,
                        behind=one.behind,
                        behind_zh=None if one.behind is None else CRITERIA[one.behind][0],
                        behind_en=None if one.behind is None else CRITERIA[one.behind][1],
                    )
                    for one in found
                ],
            )

        async with commands.unit_of_work.rehearse() as work:
            return await command(work)

    return router


def _sees(caller: Principal, plan: Plan) -> bool:
    return (
        permit(caller, "plans.read", plan.unit_path, (plan.manager_a, plan.manager_b, plan.filed_by)) is None
    )


def _may(caller: Principal, operation: Operation) -> Any:
    require(caller, operation)
    return allowing(caller, operation)


def _confirm(if_match: str | None) -> Any:
    return partial(check_version, required_version(if_match))


def _asked(command: str, caller: Principal, key: str | None, body: Any = None) -> Asked:
    return Asked(command, caller.user, key, None if body is None else body.model_dump(mode="json"))


def _filters(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}
