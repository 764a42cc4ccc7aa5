"""Closing a year over HTTP: ask for it, watch it, or see what it would move (TIE-9)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.tiering.adapters import read_models
from services.tiering.domain.refusals import BadPeriod, NoQuarterlyScheme, NotClosed
from services.tiering.entrypoints.answers import CloseAnswer, CloseList, Rehearsal, iso
from services.tiering.handlers.close_year import CloseYear
from services.tiering.handlers.ports import Close
from shared.auth.http import Caller, require
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.kernel.refusals import Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.money import format_yuan
from shared.problems import Problem
from shared.scope import reading

_YEAR = re.compile(r"(19|20|21)[0-9]{2}")
_QUARTER = re.compile(r"(19|20|21)[0-9]{2}Q[1-4]")


class CloseRequest(BaseModel):
    """A revenue year such as `2011`; with `dry_run` nothing is closed and the moves are told."""

    model_config = ConfigDict(extra="forbid")

    period: Annotated[str, Field(max_length=6)]
    dry_run: bool = False


def routes(unit_of_work: UnitOfWork, engine: AsyncEngine, commands: CloseYear) -> APIRouter:
    router = APIRouter(prefix="/v1/closes", tags=["closes"])

    @router.post("")
    async def close_period(
        caller: Caller, asked: CloseRequest, response: Response, idempotency_key: IdempotencyKey = None
    ) -> CloseAnswer | Rehearsal:
        """Close a year. It is recorded at once and carried out in the background; a second call changes nothing."""
        require(caller, "periods.close")
        year = _year_of(asked.period)
        if asked.dry_run:
            async with unit_of_work.rehearse() as work:
                moves = await commands.rehearse(work, year)
            if isinstance(moves, Refusal):
                raise Problem(moves)
            return {
                "period": asked.period,
                "dry_run": True,
                "moves": [
                    {
                        "customer_code": one.customer_code,
                        "scheme": one.scheme,
                        "from_tier": one.from_tier,
                        "to_tier": one.to_tier,
                        "reason": one.move.reason.value,
                        "effective_on": one.move.effective_on.isoformat(),
                        "total": format_yuan(one.move.total_fen),
                    }
                    for one in moves
                ],
            }

        async def request(work: Work) -> Any:
            close = await commands.request(work, year, caller.user)
            if isinstance(close, Refusal):
                raise Problem(close)
            return answer_of(close)

        once = Asked("closes", caller.user, idempotency_key, asked.model_dump())
        answer: CloseAnswer = await answered_once(unit_of_work, once, request)
        response.status_code = 200 if answer["state"] == "done" else 202
        return answer

    @router.get("")
    async def list_closes(caller: Caller) -> CloseList:
        """Every close asked for so far."""
        require(caller, "tiers.read")
        async with reading(engine, caller, "tiers.read") as connection:
            return {"items": [answer_of(close) for close in await read_models.closes(connection)]}

    @router.get("/{period}")
    async def show_close(caller: Caller, period: str) -> CloseAnswer:
        """How far a close is."""
        require(caller, "tiers.read")
        async with reading(engine, caller, "tiers.read") as connection:
            found = await read_models.closes(connection, _year_of(period))
        if not found:
            raise Problem(NotClosed(period))
        return answer_of(found[0])

    return router


def answer_of(close: Close) -> CloseAnswer:
    return {
        "period": str(close.year),
        "state": close.state,
        "requested_by": close.requested_by,
        "requested_at": close.requested_at.isoformat(),
        "closed_at": iso(close.closed_at),
        "finished_at": iso(close.finished_at),
        "holders": close.holders,
        "settled": close.settled,
        "moves": close.moves,
    }


def _year_of(period: str) -> int:
    if _QUARTER.fullmatch(period):
        raise Problem(NoQuarterlyScheme())
    if not _YEAR.fullmatch(period):
        raise Problem(BadPeriod())
    return int(period)
