"""What customers' states mean for plans (CLM-5, CLM-8, CLM-9): a prospect got its code, customers were merged, an
agreement came.

The states are read rather than the events: one state carries every agreement with its signing unit and the instant it
was recorded, so that a state met again, or one that stands for several skipped ones, says no more and no less. What an
agreement meant is noted once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from services.claims.domain.agreements import Signature, meaning
from services.claims.domain.plans import Plan, give_way, move, queue, succeed
from services.claims.handlers.desk import Desk
from services.claims.handlers.messages import publish_case
from services.claims.handlers.ports import Case, Docket, KnownCustomer
from shared.ids import new_id

_PUBLISHED = ("active", "settling")


async def follow_customers(desk: Desk, customer_codes: Sequence[str]) -> None:
    """Look at those customers that have plans, or have now turned out to."""
    for code, subject_id in await desk.store.subjects_concerned(customer_codes):
        docket = await desk.docket(subject_id)
        customer = await _survivor(desk, code)
        if docket is None or customer is None:
            continue
        docket = await _as(desk, docket, customer)
        if customer.status == "active":
            await _read_agreements(desk, docket, customer)


async def _survivor(desk: Desk, code: str) -> KnownCustomer | None:
    """The customer that this code means after all merges that are known."""
    customer = await desk.store.customer(code)
    seen = {code}
    while customer is not None and customer.merged_into is not None and customer.merged_into not in seen:
        seen.add(customer.merged_into)
        # A survivor nobody has told us of yet follows with its own state, which comes here again.
        following = await desk.store.customer(customer.merged_into)
        if following is None:
            return replace(
                customer,
                customer_code=customer.merged_into,
                uscc=None,
                status="unknown",
                merged_into=None,
                agreements=(),
            )
        customer = following
    return customer


async def _as(desk: Desk, docket: Docket, customer: KnownCustomer) -> Docket:
    """The docket as that of the customer: renamed, or united with the one that the customer has already."""
    subject = docket.subject
    if subject.customer_code == customer.customer_code:
        renamed = replace(subject, name=customer.name, uscc=customer.uscc or subject.uscc)
        if renamed != subject and await _free_uscc(desk, docket, customer):
            docket.subject = renamed
            await desk.store.rename(renamed)
        return docket
    other = await _docket_of(desk, customer)
    if other is None:
        uscc = subject.uscc if subject.customer_code is None else customer.uscc
        after = replace(
            subject, customer_code=customer.customer_code, name=customer.name, uscc=uscc or customer.uscc
        )
        await desk.store.rename(after)
        await _move_plans(desk, docket, Docket(after))
        return await _reopened(desk, subject.id)
    await _part_windows(desk, docket, other)
    await _move_plans(desk, docket, other)
    await desk.store.dissolve(subject.id, other.subject.id)
    if customer.uscc is None and other.subject.uscc is None and subject.customer_code is None:
        await desk.store.rename(replace(other.subject, uscc=subject.uscc))
    holder = other.holder()
    for plan in list(other.plans.values()):
        if holder is not None and plan.state == "submitted" and plan.may_queue and not plan.queued:
            await desk.carry_out(other, queue(plan, desk.now))
    return other


async def _free_uscc(desk: Desk, docket: Docket, customer: KnownCustomer) -> bool:
    """Whether no prospect stands under the customer's credit code; one that does is united with it on its own turn."""
    if customer.uscc is None or customer.uscc == docket.subject.uscc:
        return True
    owner = await desk.store.subject_of_uscc(customer.uscc)
    return owner in (None, docket.subject.id)


async def _docket_of(desk: Desk, customer: KnownCustomer) -> Docket | None:
    found = await desk.store.subject_of_code(customer.customer_code)
    return None if found is None else await desk.docket(found)


async def _reopened(desk: Desk, subject_id: int) -> Docket:
    docket = await desk.docket(subject_id)
    assert docket is not None  # noqa: S101 - it is locked by this transaction
    return docket


async def _part_windows(desk: Desk, one: Docket, other: Docket) -> None:
    """Of two windows the one that opened first stays; the other ends, and the centre gets a case."""
    windows = [(docket, holder) for docket in (one, other) if (holder := docket.holder()) is not None]
    if len(windows) < 2:
        return
    windows.sort(key=lambda each: (each[1].opens_at, each[1].filed_at, each[1].id))
    (_, stays), (docket, goes) = windows
    reason = f"merged customers; the window of {stays.unit_code} opened first"
    gone = await desk.carry_out(docket, give_way(goes, desk.now, reason))
    await _open_case(
        desk,
        docket,
        gone,
        "merged_windows",
        other_unit=stays.unit_code,
        agreement_no=None,
        evidence={
            "stays": stays.id,
            "goes": goes.id,
            "customers": sorted(str(each[0].subject.key) for each in windows),
        },
    )


async def _move_plans(desk: Desk, source: Docket, target: Docket) -> None:
    """Tell every plan anew under its new subject; the window's record under the old key goes."""
    for plan in list(source.plans.values()):
        if plan.state in _PUBLISHED and source.subject.key != target.subject.key:
            desk.tell_gone(source.subject.key, f"window|{plan.id}|{plan.version}|moved")
        target.plans[plan.id] = plan
        await desk.carry_out(target, move(plan, target.subject.id))


async def _read_agreements(desk: Desk, docket: Docket, customer: KnownCustomer) -> None:
    for agreement in customer.agreements:
        signature = await _signature(desk, agreement, customer)
        found = meaning(signature, docket.plans.values())
        if found is None or not await desk.store.note_outcome(
            docket.subject.id, signature.agreement_no, signature.recorded_at, found.result
        ):
            continue
        if found.result == "success":
            await desk.carry_out(
                docket, succeed(found.plan, desk.now, "service:claims", signature.agreement_no)
            )
        else:
            await _open_case(
                desk,
                docket,
                found.plan,
                found.result,
                other_unit=signature.signing_unit,
                agreement_no=signature.agreement_no,
                evidence={
                    "signed_on": signature.signed_on.isoformat(),
                    "recorded_at": signature.recorded_at.isoformat(),
                    "arrived_at": desk.now.isoformat(),
                    "signing_unit": signature.signing_unit,
                    "window_state": found.plan.state,
                },
            )


async def _signature(desk: Desk, agreement: Mapping[str, Any], customer: KnownCustomer) -> Signature:
    unit_code = agreement.get("unit_code")
    unit = None if unit_code is None else await desk.store.unit(unit_code)
    return Signature(
        agreement["agreement_no"],
        date.fromisoformat(agreement["signed_on"]),
        datetime.fromisoformat(agreement["recorded_at"]),
        unit_code or customer.unit_code,
        customer.unit_path if unit_code is None else f"/{unit_code}" if unit is None else unit.unit_path,
    )


async def _open_case(
    desk: Desk,
    docket: Docket,
    plan: Plan,
    kind: Any,
    *,
    other_unit: str | None,
    agreement_no: str | None,
    evidence: Mapping[str, Any],
) -> None:
    case = Case(
        new_id(),
        kind,
        docket.subject.id,
        plan.id,
        plan.unit_path,
        other_unit,
        agreement_no,
        evidence,
        desk.now,
    )
    await desk.store.open_case(case)
    publish_case(desk.publish, case, plan, docket.subject)
