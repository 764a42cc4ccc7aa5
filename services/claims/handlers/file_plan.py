"""File a development plan, change its draft, hand it in (CLM-1, CLM-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from services.claims.domain.days import to_millisecond
from services.claims.domain.festivals import next_season, season_touched, unreckoned_year
from services.claims.domain.plans import Alternative, Kind, Plan, Step, cooling, submit, window_of
from services.claims.domain.refusals import (
    AlreadyFiled,
    BadCreditCode,
    CoolingDown,
    CustomerNotActive,
    FestivalNotReckoned,
    MergedInto,
    OpensTooEarly,
    OutsideSeason,
    UnknownCustomer,
    UnknownPlan,
    UnknownUnit,
    WindowHeld,
    WrongState,
)
from services.claims.handlers.acting import Entry, docket_for, finish
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Docket, KnownUnit
from shared.auth.policy import Forbidden, OutOfScope, permit
from shared.etags import ChangedMeanwhile
from shared.ids import new_id
from shared.kernel.commands import Done
from shared.kernel.credit_codes import clean_uscc
from shared.kernel.days import day_of
from shared.kernel.refusals import Refusal

SubmissionRefusal = (
    WrongState | OpensTooEarly | WindowHeld | AlreadyFiled | CoolingDown | OutsideSeason | FestivalNotReckoned
)
"""Why a plan cannot be handed in now."""
SubjectRefusal = UnknownCustomer | BadCreditCode | MergedInto | CustomerNotActive
"""Why nobody can file a plan for this customer or prospect."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What a plan says when it is filed: for a customer by code, or for a prospect by credit code and name. It is handed
    in at once, or stays a draft."""

    unit_code: str
    customer_code: str | None
    prospect_uscc: str | None
    prospect_name: str | None
    kind: Kind
    festival: str | None
    lines: tuple[str, ...]
    plan_text: str
    expected_revenue_fen: int | None
    expected_margin_fen: int | None
    comparison: tuple[Alternative, ...]
    files: tuple[str, ...]
    manager_a: str
    manager_b: str | None
    opens_on: date | None
    may_queue: bool
    hand_in: bool


async def file_plan(
    command: FilePlan, desk: Desk
) -> Done[Entry] | UnknownUnit | Forbidden | OutOfScope | SubjectRefusal | SubmissionRefusal:
    """A new plan, as a draft or handed in at once."""
    unit = await desk.store.unit(command.unit_code)
    if unit is None or (unit.valid_to is not None and unit.valid_to < day_of(desk.now)):
        return UnknownUnit(command.unit_code)
    barred = permit(desk.caller, "plans.file", unit.unit_path)
    if barred is not None:
        return barred
    subject_id = await _subject(command, desk)
    if isinstance(subject_id, Refusal):
        return subject_id
    docket = await desk.docket(subject_id)
    assert docket is not None  # noqa: S101 - it was made or found in this transaction
    plan = await _plan(command, desk, docket, unit)
    step = await hand_over(desk, docket, plan) if command.hand_in else None
    if isinstance(step, Refusal):
        return step
    await desk.carry_out(docket, Step(plan, ()))
    if step is not None:
        await desk.carry_out(docket, step)
    return Done(Entry(docket.plans[plan.id], docket.subject), created=True)


async def _subject(command: FilePlan, desk: Desk) -> int | SubjectRefusal:
    if command.customer_code is not None:
        customer = await desk.store.customer(command.customer_code)
        if customer is None:
            return UnknownCustomer(command.customer_code)
    else:
        uscc = clean_uscc(command.prospect_uscc or "")
        if uscc is None:
            return BadCreditCode()
        customer = await desk.store.customer_of_uscc(uscc)
        if customer is None:
            return await desk.store.subject_of_prospect(uscc, command.prospect_name or "")
    if customer.status == "active":
        return await desk.store.subject_of_customer(customer)
    if customer.merged_into is not None:
        return MergedInto(customer.merged_into)
    return CustomerNotActive(customer.status)


async def _plan(command: FilePlan, desk: Desk, docket: Docket, unit: KnownUnit) -> Plan:
    now = to_millisecond(desk.now)
    customer = await desk.customer_of(docket.subject)
    return Plan(
        id=new_id(),
        subject_id=docket.subject.id,
        version=1,
        state="draft",
        kind=command.kind,
        festival=command.festival,
        unit_code=unit.unit_code,
        unit_path=unit.unit_path,
        reviewing_unit=await _reviewing_unit(desk, unit),
        lines=command.lines,
        plan_text=command.plan_text,
        expected_revenue_fen=command.expected_revenue_fen,
        expected_margin_fen=command.expected_margin_fen,
        comparison=command.comparison,
        files=command.files,
        manager_a=command.manager_a,
        manager_b=command.manager_b,
        opens_on=command.opens_on,
        may_queue=command.may_queue,
        filed_by=desk.caller.user,
        filed_at=now,
        changed_at=now,
        named_code=command.customer_code,
        named_uscc=clean_uscc(command.prospect_uscc or ""),
        named_name=command.prospect_name,
        identified=customer is not None and desk.reads_customer(customer),
    )


async def _reviewing_unit(desk: Desk, unit: KnownUnit) -> str:
    """The centre at or above the unit: the nearest of the levels that have one by rule, at last the root."""
    levels = desk.rules.holding(unit.unit_path, day_of(desk.now)).centre_levels
    above = await desk.store.units_above(unit.unit_path)
    centre = next((each for each in above if each.level in levels), above[-1] if above else unit)
    return centre.unit_code


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a draft shall say from now on; `changes` are fields of the plan."""

    plan_id: str
    changes: Mapping[str, Any]


async def change_plan(
    command: ChangePlan, desk: Desk
) -> Done[Entry] | UnknownPlan | Forbidden | OutOfScope | WrongState | ChangedMeanwhile:
    """Change what a draft says."""
    docket = await docket_for(desk, command.plan_id, "plans.file")
    if isinstance(docket, Refusal):
        return docket
    plan = docket.plans[command.plan_id]
    if plan.state != "draft":
        return WrongState(plan.state, ("draft",))
    step = Step(replace(plan, version=plan.version + 1, **command.changes), ())
    return await finish(desk, docket, step)


@dataclass(frozen=True, slots=True)
class SubmitPlan:
    plan_id: str


async def submit_plan(
    command: SubmitPlan, desk: Desk
) -> Done[Entry] | UnknownPlan | Forbidden | OutOfScope | SubmissionRefusal | ChangedMeanwhile:
    """Hand a draft in."""
    docket = await docket_for(desk, command.plan_id, "plans.file")
    if isinstance(docket, Refusal):
        return docket
    step = await hand_over(desk, docket, docket.plans[command.plan_id])
    return step if isinstance(step, Refusal) else await finish(desk, docket, step)


async def hand_over(desk: Desk, docket: Docket, plan: Plan) -> Step | SubmissionRefusal:
    """Whether the plan can be handed in now, and the step if so."""
    rule = desk.rules.holding(plan.unit_path, day_of(desk.now))
    step = submit(plan, rule, desk.now, docket.holder())
    if isinstance(step, WindowHeld):
        return await desk.with_name(step)
    if isinstance(step, Refusal):
        return step
    for other in docket.plans.values():
        same = (other.unit_code, other.manager_a) == (plan.unit_code, plan.manager_a)
        if other.state == "submitted" and same and other.id != plan.id:
            return AlreadyFiled(other.id)
    cooled = cooling(plan.unit_code, tuple(docket.plans.values()), rule, desk.now)
    return cooled or outside_season(desk, plan) or step


def outside_season(desk: Desk, plan: Plan) -> OutsideSeason | FestivalNotReckoned | None:
    """A festival plan whose window, opened now or on the day it asks for, would not touch the season, or lies where
    nobody knows the season."""
    if plan.festival is None:
        return None
    rule = desk.rules.holding(plan.unit_path, day_of(desk.now))
    opens_at, last_day = window_of(plan, rule, desk.now)
    first_day = day_of(opens_at)
    if season_touched(plan.festival, first_day, last_day, desk.festival_days, rule) is not None:
        return None
    unknown = unreckoned_year(plan.festival, first_day, last_day, desk.festival_days)
    if unknown is not None:
        return FestivalNotReckoned(plan.festival, unknown)
    following = next_season(plan.festival, first_day, desk.festival_days, rule)
    return OutsideSeason(
        plan.festival,
        first_day,
        last_day,
        None if following is None else following.first_day,
        None if following is None else following.last_day,
    )
