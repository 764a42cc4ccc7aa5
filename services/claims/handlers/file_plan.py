"""File a development plan, change its draft, hand it in (CLM-1, CLM-4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from services.claims.domain.days import day_of, to_millisecond
from services.claims.domain.festivals import next_season, season_touched, unreckoned_year
from services.claims.domain.plans import Compared, Kind, Plan, Step, cooling, submit, window_of
from services.claims.domain.refusals import (
    AlreadyFiled,
    BadCreditCode,
    CustomerGone,
    FestivalNotReckoned,
    OutsideSeason,
    Refusal,
    UnknownCustomer,
    UnknownUnit,
    WrongState,
)
from services.claims.handlers.acting import Allow, Confirm, Done, act
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Docket, KnownCustomer, KnownUnit
from shared.ids import new_id
from shared.kernel.credit_codes import clean_uscc

Reads = Callable[[KnownCustomer], bool]
"""Whether the caller may read the customer."""


@dataclass(frozen=True, slots=True)
class Filing:
    """What a plan says when it is filed: for a customer by code, or for a prospect by credit code and name."""

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
    comparison: tuple[Compared, ...]
    files: tuple[str, ...]
    manager_a: str
    manager_b: str | None
    opens_on: date | None
    may_queue: bool


async def file_plan(
    desk: Desk, filing: Filing, by: str, allow: Callable[[str], None], reads: Reads, hand_in: bool
) -> Done | Refusal:
    """A new plan, as a draft or handed in at once. `allow` raises where the caller may not file for a unit of that
    path; `reads` says whether they may read a customer."""
    unit = await desk.store.unit(filing.unit_code)
    if unit is None or (unit.valid_to is not None and unit.valid_to < day_of(desk.now)):
        return UnknownUnit(filing.unit_code)
    allow(unit.unit_path)
    subject_id = await _subject(desk, filing)
    if not isinstance(subject_id, int):
        return subject_id
    docket = await desk.docket(subject_id)
    assert docket is not None  # noqa: S101 - it was made or found in this transaction
    plan = await _plan(desk, filing, docket, unit, by, reads)
    step = await hand_over(desk, docket, plan) if hand_in else None
    if step is not None and not isinstance(step, Step):
        return step
    await desk.carry_out(docket, Step(plan, ()))
    if step is not None:
        await desk.carry_out(docket, step)
    return Done(docket.plans[plan.id], docket.subject)


async def _subject(desk: Desk, filing: Filing) -> int | Refusal:
    if filing.customer_code is not None:
        customer = await desk.store.customer(filing.customer_code)
        if customer is None:
            return UnknownCustomer(filing.customer_code)
    else:
        uscc = clean_uscc(filing.prospect_uscc or "")
        if uscc is None:
            return BadCreditCode()
        customer = await desk.store.customer_of_uscc(uscc)
        if customer is None:
            return await desk.store.subject_of_prospect(uscc, filing.prospect_name or "")
    if customer.status != "active":
        return CustomerGone(customer.customer_code, customer.status, customer.merged_into)
    return await desk.store.subject_of_customer(customer)


async def _plan(desk: Desk, filing: Filing, docket: Docket, unit: KnownUnit, by: str, reads: Reads) -> Plan:
    now = to_millisecond(desk.now)
    code = docket.subject.customer_code
    customer = None if code is None else await desk.store.customer(code)
    return Plan(
        id=new_id(),
        subject_id=docket.subject.id,
        version=1,
        state="draft",
        kind=filing.kind,
        festival=filing.festival,
        unit_code=unit.unit_code,
        unit_path=unit.unit_path,
        reviewing_unit=await _reviewing_unit(desk, unit),
        lines=filing.lines,
        plan_text=filing.plan_text,
        expected_revenue_fen=filing.expected_revenue_fen,
        expected_margin_fen=filing.expected_margin_fen,
        comparison=filing.comparison,
        files=filing.files,
        manager_a=filing.manager_a,
        manager_b=filing.manager_b,
        opens_on=filing.opens_on,
        may_queue=filing.may_queue,
        filed_by=by,
        filed_at=now,
        changed_at=now,
        named_code=filing.customer_code,
        named_uscc=clean_uscc(filing.prospect_uscc or ""),
        named_name=filing.prospect_name,
        identified=customer is not None and reads(customer),
    )


async def _reviewing_unit(desk: Desk, unit: KnownUnit) -> str:
    """The centre at or above the unit: the nearest of the levels that have one by rule, at last the root."""
    levels = desk.rules.holding(unit.unit_path, day_of(desk.now)).centre_levels
    above = await desk.store.units_above(unit.unit_path)
    centre = next((each for each in above if each.level in levels), above[-1] if above else unit)
    return centre.unit_code


async def change_plan(
    desk: Desk, plan_id: str, changes: Mapping[str, Any], by: str, allow: Allow, confirm: Confirm
) -> Done | Refusal:
    """Change what a draft says; `changes` are fields of the plan."""

    async def decide(_docket: Docket, plan: Plan) -> Step | Refusal:
        if plan.state != "draft":
            return WrongState(plan.state, ("draft",))
        return Step(replace(plan, version=plan.version + 1, **changes), ())

    return await act(desk, plan_id, allow, decide, confirm)


async def submit_plan(desk: Desk, plan_id: str, allow: Allow, confirm: Confirm) -> Done | Refusal:
    """Hand a draft in."""

    async def decide(docket: Docket, plan: Plan) -> Step | Refusal:
        return await hand_over(desk, docket, plan)

    return await act(desk, plan_id, allow, decide, confirm)


async def hand_over(desk: Desk, docket: Docket, plan: Plan) -> Step | Refusal:
    """Whether the plan can be handed in now, and the step if so."""
    rule = desk.rules.holding(plan.unit_path, day_of(desk.now))
    step = submit(plan, rule, desk.now, docket.holder())
    if not isinstance(step, Step):
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
