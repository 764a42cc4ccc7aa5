"""Where every change of a plan passes: one subject under lock, brought up to date, changed, stored and told.

What time alone brings is carried out first, in the order of the true times, by whoever comes first: a timer, or a
command that meets a deadline before its timer did. Either way the same steps are taken with the same times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.claims.domain.festivals import FestivalDays
from services.claims.domain.plans import (
    SYSTEM,
    Plan,
    Step,
    due_at,
    due_step,
    identifies,
    part_of_window,
    queue,
    release,
    silent_since,
)
from services.claims.domain.refusals import UnknownPlan, WindowHeld
from services.claims.domain.rules import Rule, Rulebook
from services.claims.handlers.messages import publish_fact, publish_plan, publish_window
from services.claims.handlers.ports import (
    Docket,
    KnownCustomer,
    PlanStore,
    PlanTimers,
    Publish,
    Subject,
    TellGone,
)
from shared.auth.policy import Forbidden, Operation, OutOfScope, permit
from shared.auth.principals import Principal
from shared.kernel.days import day_of
from shared.kernel.refusals import Named

WINDOW_OPEN: Final = "window_open"
WINDOW_END: Final = "window_end"
WINDOW_SETTLED: Final = "window_settled"
WINDOW_WARNING: Final = "window_warning"
WINDOW_SILENCE: Final = "window_silence"
WINDOW_GUIDANCE: Final = "window_guidance"
REVIEW_OVERDUE: Final = "plan_review_overdue"


NOBODY: Final = Principal(SYSTEM, "claims", ())
"""Who works at a desk that no person asked for, such as a timer's: it may nothing, and signs as the system."""


class WindowTaken(RuntimeError):
    """The database holds another window in that time although nobody else holds the subject: a fault of ours."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One unit of work on plans: its instant, what it needs, who asks, and which version they mean (None: any)."""

    now: datetime
    store: PlanStore
    timers: PlanTimers
    publish: Publish
    tell_gone: TellGone
    rules: Rulebook
    festival_days: FestivalDays
    caller: Principal = NOBODY
    version: int | None = None

    def bars(self, operation: Operation, plan: Plan) -> UnknownPlan | Forbidden | OutOfScope | None:
        """Why the caller may not do this to the plan. One that they may not even read is unknown to them."""
        if not self.reads_plan(plan):
            return UnknownPlan()
        return permit(self.caller, operation, plan.unit_path, plan.people)

    def reads_plan(self, plan: Plan) -> bool:
        """Whether the caller may read this plan."""
        return permit(self.caller, "plans.read", plan.unit_path, plan.people) is None

    def reads_customer(self, customer: KnownCustomer) -> bool:
        """Whether the caller may read this customer."""
        return permit(self.caller, "customers.read", customer.unit_path, customer.managers) is None

    async def customer_of(self, subject: Subject) -> KnownCustomer | None:
        """The customer that plans are about; None for a prospect."""
        return None if subject.customer_code is None else await self.store.customer(subject.customer_code)

    async def with_name(self, refusal: WindowHeld) -> WindowHeld:
        """The refusal with the name of the unit that holds the customer."""
        unit = await self.store.unit(refusal.holder_unit)
        return refusal if unit is None else replace(refusal, holder=Named(unit.name_zh, unit.name_en))

    def rule_of(self, plan: Plan) -> Rule:
        """The rule that the plan's window opened under, before that the one of the day it was handed in."""
        if plan.rule_version is not None:
            return self.rules.version(plan.rule_version)
        return self.rules.holding(plan.unit_path, day_of(plan.submitted_at or self.now))

    async def docket_of_plan(self, plan_id: str, until: datetime | None = None) -> Docket | None:
        """The docket on which a plan is, up to date; None where there is no such plan. A timer brings it only as far as
        its own instant (`until`), so that late timers leave what happened in the order of its true times."""
        while True:
            subject_id = await self.store.subject_of_plan(plan_id)
            if subject_id is None:
                return None
            docket = await self.docket(subject_id, until)
            # Between the two statements the plan may have moved to another subject: then it is looked up again.
            if docket is not None and plan_id in docket.plans:
                return docket

    async def docket(self, subject_id: int, until: datetime | None = None) -> Docket | None:
        """A subject under lock, up to date."""
        docket = await self.store.docket(subject_id)
        if docket is not None:
            await self.bring_up_to_date(docket, until)
        return docket

    async def bring_up_to_date(self, docket: Docket, until: datetime | None = None) -> None:
        """Carry out everything that has fallen due, the earliest first."""
        until = until or self.now
        while True:
            due = [
                (at, plan.id, plan)
                for plan in docket.plans.values()
                if (at := due_at(plan)) is not None and at <= until
            ]
            if not due:
                return
            step = due_step(min(due)[2], until)
            assert step is not None  # noqa: S101 - it is due
            await self.carry_out(docket, step)

    async def carry_out(self, docket: Docket, step: Step) -> Plan:
        """Store a step, tell it, set its timers, and do what follows for the others on the docket."""
        plan = replace(
            step.plan, changed_at=self.now, identified=await self._identified(step.plan, docket.subject)
        )
        before = docket.plans.get(plan.id)
        docket.plans[plan.id] = plan
        if before is None:
            await self.store.insert(plan)
        else:
            await self.store.update(plan)
        await self.store.record(plan, step.facts)
        held = before is not None and before.holds
        if plan.holds and not held:
            if not await self.store.take_window(plan, docket.subject):
                raise WindowTaken(plan.id)
        elif plan.opens_at is not None:
            await self.store.store_window(plan, docket.subject)
        self._tell(docket, before, Step(plan, step.facts))
        await self._set_timers(before, plan)
        if plan.holds and not held:
            await self._queue_others(docket, plan)
        elif held and not plan.holds and docket.holder() is None:
            await self._release_queued(docket, plan)
        return plan

    async def _identified(self, plan: Plan, subject: Subject) -> bool:
        if identifies(plan):
            return True
        customer = await self.customer_of(subject)
        return customer is not None and identifies(plan, customer.managers)

    def _tell(self, docket: Docket, before: Plan | None, step: Step) -> None:
        plan, subject = step.plan, docket.subject
        named = subject.as_named(plan)
        publish_plan(self.publish, plan, named, self.now)
        published = ("active", "settling")
        if plan.state in published:
            publish_window(self.publish, plan, subject, self.now)
        elif before is not None and before.state in published:
            self.tell_gone(subject.key, f"window|{plan.id}|{plan.version}")
        for fact in step.facts:
            publish_fact(self.publish, plan, named, fact, f"event|{plan.id}|{plan.version}|{fact.event}")

    async def _set_timers(self, before: Plan | None, plan: Plan) -> None:
        schedule = self.timers.schedule
        if plan.state == "submitted" and plan.due_at is not None and plan.breached_at is None:
            await schedule(REVIEW_OVERDUE, plan.id, plan.due_at)
        if plan.state == "registered" and plan.opens_at is not None and plan.opens_at > self.now:
            await schedule(WINDOW_OPEN, plan.id, plan.opens_at)
        if plan.state != "active" or plan.ends_at is None or plan.settled_at is None:
            return
        rule = self.rule_of(plan)
        if before is None or before.state != "active" or before.ends_at != plan.ends_at:
            await schedule(WINDOW_END, plan.id, plan.ends_at)
            await schedule(WINDOW_SETTLED, plan.id, plan.settled_at)
            for days in rule.warning_days:
                due = plan.ends_at - timedelta(days=days)
                if plan.opens_at is not None and due > plan.opens_at:
                    await schedule(WINDOW_WARNING, plan.id, due, days=days)
        if before is None or before.state != "active":
            await schedule(
                WINDOW_GUIDANCE, plan.id, self._part_on(plan, plan.opens_at, rule.guidance_of_window)
            )
        if before is None or before.state != "active" or before.progressed_at != plan.progressed_at:
            await schedule(
                WINDOW_SILENCE, plan.id, self._part_on(plan, silent_since(plan), rule.silence_of_window)
            )

    @staticmethod
    def _part_on(plan: Plan, since: datetime | None, part: float) -> datetime:
        assert since is not None  # noqa: S101 - the window has opened
        return since + part_of_window(plan, part)

    async def _queue_others(self, docket: Docket, holder: Plan) -> None:
        for other in list(docket.plans.values()):
            if other.id != holder.id and other.state == "submitted" and other.may_queue and not other.queued:
                await self.carry_out(docket, queue(other, self.now))

    async def _release_queued(self, docket: Docket, gone: Plan) -> None:
        """The window is over: whoever waited is told, in the order of filing; their review time begins."""
        released_at = gone.closed_at or self.now
        for other in list(docket.plans.values()):
            if other.state == "submitted" and other.queued:
                await self.carry_out(docket, release(other, self.rule_of(other), released_at))
