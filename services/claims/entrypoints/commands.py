"""How a route runs a command: a desk in a transaction, the caller's permission, and refusals as problems."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from services.claims.adapters.lunar import festival_day
from services.claims.adapters.plans import PostgresPlans, PostgresPlanTimers
from services.claims.adapters.publishing import publisher, tombstones
from services.claims.domain.plans import Plan
from services.claims.domain.refusals import Refusal, WindowHeld
from services.claims.domain.rules import Rulebook
from services.claims.entrypoints.resources import plan_out
from services.claims.entrypoints.sentences import problem_of, unknown_plan
from services.claims.handlers.acting import Allow, Done
from services.claims.handlers.desk import Desk, WindowTaken
from services.claims.handlers.ports import KnownCustomer, Subject
from shared.auth.http import require
from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.etags import etag
from shared.idempotency import Asked, answered_once
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem

Command = Callable[[Desk], Awaitable[Done | Refusal]]


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands on plans."""

    unit_of_work: UnitOfWork
    rules: Rulebook

    def desk(self, work: Work) -> Desk:
        """Everything a command needs, inside this unit of work."""
        return open_desk(work, self.rules)

    async def on_plan(self, caller: Principal, asked: Asked, command: Command, response: Response) -> Any:
        """Run it and answer with the plan as it now is. A refusal leaves nothing behind, its key included."""

        async def run(work: Work) -> Any:
            desk, store = self.desk(work), PostgresPlans(work)
            try:
                done = await command(desk)
            except WindowTaken:
                raise Problem(
                    409,
                    "window_held",
                    "另有机构正在独家开发该客户。",
                    "Another unit holds the exclusive right to this customer.",
                ) from None
            if not isinstance(done, Done):
                raise await refused(done, store)
            steps = await store.steps(done.plan.id)
            subject = await _shown(caller, done, store)
            return plan_out(done.plan, subject, steps).model_dump(mode="json")

        answer = await answered_once(self.unit_of_work, asked, run)
        response.headers["etag"] = etag(answer["version"])
        return answer


def open_desk(work: Work, rules: Rulebook) -> Desk:
    """A desk inside this unit of work."""
    return Desk(
        work.now,
        PostgresPlans(work),
        PostgresPlanTimers(work),
        publisher(work),
        tombstones(work),
        rules,
        festival_day,
    )


async def refused(refusal: Refusal, store: PostgresPlans) -> Problem:
    """The problem of a refusal, with the name of the unit that holds the customer."""
    holder = await store.unit(refusal.holder_unit) if isinstance(refusal, WindowHeld) else None
    return problem_of(refusal, holder)


async def _shown(caller: Principal, done: Done, store: PostgresPlans) -> Subject:
    """The customer as this caller may know it."""
    code = done.subject.customer_code
    customer = None if code is None else await store.customer(code)
    if customer is not None and may_read(caller, customer):
        return done.subject
    return done.subject.as_named(done.plan)


def may_read(caller: Principal, customer: KnownCustomer) -> bool:
    """Whether the caller may read this customer."""
    return permit(caller, "customers.read", customer.unit_path, customer.managers) is None


def allowing(caller: Principal, operation: Operation) -> Allow:
    """Lets the caller do this to plans of their scope. A plan that they may not even see is unknown to them."""

    def allow(plan: Plan) -> None:
        bound = (plan.manager_a, plan.manager_b, plan.filed_by)
        if permit(caller, "plans.read", plan.unit_path, bound) is not None:
            raise unknown_plan()
        require(caller, operation, plan.unit_path, bound)

    return allow
