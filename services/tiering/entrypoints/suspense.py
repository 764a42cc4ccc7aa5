"""Suspense over HTTP: what is held and why, and a steward's decision (TIE-1, TIE-3, TIE-5)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.tiering.adapters import read_models
from services.tiering.domain.holding import HoldReason
from services.tiering.domain.refusals import NotInSuspense
from services.tiering.entrypoints.answers import DecisionAnswer, SuspenseItem, SuspensePage
from services.tiering.handlers.decide_suspense import DecideSuspense, allowed_for
from services.tiering.handlers.ports import Decision
from shared.auth.http import Caller, require
from shared.http_fields import Position, RowNumber, StorableText
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.kernel.refusals import Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem
from shared.scope import reading


class DecisionRequest(BaseModel):
    """`keep` or `replace` for a conflict, `book` or `close` for a doubted date, `close` for the rest."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["keep", "replace", "book", "close"]
    comment: Annotated[StorableText, Field(min_length=1, max_length=500)]


def routes(unit_of_work: UnitOfWork, engine: AsyncEngine, commands: DecideSuspense) -> APIRouter:
    router = APIRouter(prefix="/v1/suspense", tags=["suspense"])

    @router.get("")
    async def list_suspense(
        caller: Caller,
        state: Literal["held", "booked", "closed", "all"] = "held",
        reason: HoldReason | None = None,
        customer_code: str | None = None,
        after: Position = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> SuspensePage:
        """Transactions in suspense, in order of arrival."""
        require(caller, "suspense.read")
        async with reading(engine, caller, "suspense.read") as connection:
            found = await read_models.suspense(
                connection,
                None if state == "all" else state,
                reason and reason.value,
                customer_code,
                after,
                limit,
            )
        return {
            "items": [_item(row) for row in found],
            "next": str(found[-1]["number"]) if found else str(after),
            "more": len(found) == limit,
        }

    @router.get("/{number}")
    async def show_suspense(caller: Caller, number: RowNumber) -> SuspenseItem:
        """One transaction in suspense."""
        require(caller, "suspense.read")
        async with reading(engine, caller, "suspense.read") as connection:
            row = await read_models.suspended(connection, number)
        if row is None:
            raise Problem(NotInSuspense(number))
        return _item(row)

    @router.post("/{number}/decision")
    async def decide(
        caller: Caller, number: RowNumber, asked: DecisionRequest, idempotency_key: IdempotencyKey = None
    ) -> DecisionAnswer:
        """Decide about one transaction; a second decision is refused."""
        require(caller, "suspense.decide")
        async with reading(engine, caller, "suspense.decide") as connection:
            # What the caller cannot see they cannot decide: the same scope, enforced by the database.
            if await read_models.suspended(connection, number) is None:
                raise Problem(NotInSuspense(number))

        async def run(work: Work) -> Any:
            decision = Decision(number, asked.decision, caller.user, asked.comment)
            outcome = await commands.decide(work, decision)
            if isinstance(outcome, Refusal):
                raise Problem(outcome)
            return {"number": number, "state": outcome.state.value, "reason": outcome.reason.value}

        request = Asked(f"suspense/{number}", caller.user, idempotency_key, asked.model_dump())
        answer: DecisionAnswer = await answered_once(unit_of_work, request, run)
        return answer

    return router


def _item(row: read_models.Row) -> SuspenseItem:
    said = row["transaction"]
    reason = HoldReason(row["reason"])
    return {
        "number": row["number"],
        "state": row["state"],
        "reason": reason.value,
        "source": row["source"],
        "id": row["id"],
        "customer_code": row["customer_code"],
        "counter_id": row["counter_id"],
        "data": json.loads(said) if isinstance(said, str) else said,
        "arrived_at": row["arrived_at"].isoformat(),
        "held_at": row["held_at"].isoformat(),
        "ended_at": row["ended_at"] and row["ended_at"].isoformat(),
        "decided_by": row["decided_by"],
        "decision": row["decision"],
        "comment": row["comment"],
        "decisions": list(allowed_for(reason)) if row["state"] == "held" else [],
    }
