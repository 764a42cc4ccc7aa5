"""What timers do (CLM-7, CLM-9, CLM-22): bring the plan's docket up to date, or remind both sides.

A timer acts on what is in force when it fires, never on what it was set for: an extended window has later timers of its
own, and the earlier ones find nothing to do. What they tell bears the time at which it was due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from services.claims.domain.plans import SYSTEM, Fact, Plan, part_of_window, silent_since, was_open_at
from services.claims.handlers.desk import Desk
from services.claims.handlers.messages import publish_fact


async def bring_up_to_date(desk: Desk, plan_id: str, due_at: datetime) -> None:
    """Opening, end, expiry and an overdue review."""
    await desk.docket_of_plan(plan_id, due_at)


async def warn(desk: Desk, plan_id: str, due_at: datetime, days: int) -> None:
    """So many days are left, unless the window has been extended since the timer was set."""
    await _remind(
        desk,
        plan_id,
        due_at,
        lambda plan: plan.ends_at is not None and plan.ends_at - timedelta(days=days) == due_at,
        Fact("window_ending", due_at, SYSTEM, reason=f"{days}"),
    )


async def note_silence(desk: Desk, plan_id: str, due_at: datetime) -> None:
    """The holder has not been heard of for so much of the window."""
    await _remind(
        desk,
        plan_id,
        due_at,
        lambda plan: silent_since(plan) is not None and _silent_for(desk, plan, due_at),
        Fact("window_silent", due_at, SYSTEM),
    )


async def note_missing_guidance(desk: Desk, plan_id: str, due_at: datetime) -> None:
    """The centre has not guided the holder by mid-window; the level above sees it."""
    await _remind(
        desk,
        plan_id,
        due_at,
        lambda plan: plan.judged_at is None or plan.judged_at > due_at,
        Fact("guidance_missing", due_at, SYSTEM),
    )


def _silent_for(desk: Desk, plan: Plan, due_at: datetime) -> bool:
    since = silent_since(plan)
    return since is not None and since + part_of_window(plan, desk.rule_of(plan).silence_of_window) <= due_at


async def _remind(
    desk: Desk, plan_id: str, due_at: datetime, still: Callable[[Plan], bool], fact: Fact
) -> None:
    docket = await desk.docket_of_plan(plan_id, due_at)
    plan = None if docket is None else docket.plans[plan_id]
    if docket is None or plan is None or not was_open_at(plan, due_at) or not still(plan):
        return
    await desk.store.record(plan, (fact,))
    moment = int(due_at.timestamp())
    publish_fact(desk.publish, plan, docket.subject, fact, f"event|{plan.id}|{fact.event}|{moment}")
