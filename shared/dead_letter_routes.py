"""Dead letters over HTTP, the same in every service: what could not be read, and what a person does about it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from shared.auth.http import Caller, require
from shared.http_fields import Position, RowNumber
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.kernel.refusals import Kind, Refusal
from shared.messaging import dead_letters
from shared.messaging.dead_letters import Cut, DeadLetterDecided, Row, UnknownDeadLetter
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem


class Replay(BaseModel):
    """Send the message back to its topic, byte for byte or with a corrected value (base64)."""

    model_config = ConfigDict(extra="forbid")

    value_base64: str | None = None


@dataclass(frozen=True, slots=True)
class BadBase64(Refusal):
    """A corrected value that is not Base64."""

    code: ClassVar[str] = "bad_base64"
    kind: ClassVar[Kind] = "invalid"


State = Literal["open", "replayed", "closed"]


class DeadLetterItem(TypedDict):
    """A message that was given up, or many in a row, and what became of them; instants are ISO 8601. `cut` says of
    each part that was too large to be kept how long it is, and its hash."""

    id: int
    service: str
    reason: str
    detail: str
    state: State
    topic: str
    partition: int
    offset: int
    last_offset: int
    records: int
    reasons: dict[str, int]
    cut: Cut | None
    failed_at: str
    decided_by: str | None
    decided_at: str | None


class HeaderBytes(TypedDict):
    name: str
    value_base64: str | None


class DeadLetterMessage(DeadLetterItem):
    """With its bytes: base64 for what may be anything, and text where it is text."""

    key_base64: str | None
    value_base64: str | None
    value_text: str | None
    headers: list[HeaderBytes]


class DeadLetterPage(TypedDict):
    """`next` is the `after` of the page that follows."""

    items: list[DeadLetterItem]
    next: str
    more: bool


class DisposalAnswer(TypedDict):
    id: int
    state: State


class ReplayAnswer(DisposalAnswer):
    topic: str


def routes(unit_of_work: UnitOfWork) -> APIRouter:
    """Read by the batch writer's role: a dead letter belongs to no unit, and only grants on the root reach here."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

    @router.get("")
    async def list_dead_letters(
        caller: Caller,
        state: Literal["open", "replayed", "closed", "all"] = "open",
        after: Position = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DeadLetterPage:
        """Messages that could not be read or handled, in the order of failing."""
        require(caller, "dead_letters.read")
        async with unit_of_work.engine.connect() as connection:
            found = await dead_letters.listed(connection, None if state == "all" else state, after, limit)
        return {
            "items": [told(unit_of_work.service, row) for row in found],
            "next": str(found[-1].id) if found else str(after),
            "more": len(found) == limit,
        }

    @router.get("/{number}")
    async def show_dead_letter(caller: Caller, number: RowNumber) -> DeadLetterMessage:
        """One dead letter with its bytes."""
        require(caller, "dead_letters.read")
        async with unit_of_work.engine.connect() as connection:
            row = await dead_letters.one(connection, number)
        if row is None:
            raise Problem(UnknownDeadLetter(number))
        return _message(unit_of_work.service, row)

    @router.post("/{number}/replay")
    async def replay_dead_letter(
        caller: Caller, number: RowNumber, asked: Replay, idempotency_key: IdempotencyKey = None
    ) -> ReplayAnswer:
        """Send one back to the topic it came from; a second call is refused."""
        require(caller, "dead_letters.replay")
        try:
            value = (
                None if asked.value_base64 is None else base64.b64decode(asked.value_base64, validate=True)
            )
        except ValueError as error:
            raise Problem(BadBase64()) from error

        async def run(work: Work) -> Any:
            row = await dead_letters.replay(work, number, caller.user, value)
            if isinstance(row, Refusal):
                raise Problem(row)
            return {"id": number, "state": "replayed", "topic": row.topic}

        once = Asked(f"dead-letters/{number}/replay", caller.user, idempotency_key, asked.model_dump())
        answer: ReplayAnswer = await answered_once(unit_of_work, once, run)
        return answer

    @router.post("/{number}/close")
    async def close_dead_letter(
        caller: Caller, number: RowNumber, idempotency_key: IdempotencyKey = None
    ) -> DisposalAnswer:
        """Dispose of one without sending it back."""
        require(caller, "dead_letters.replay")

        async def run(work: Work) -> Any:
            if not await dead_letters.decide(work, number, "closed", caller.user):
                raise Problem(DeadLetterDecided(number))
            return {"id": number, "state": "closed"}

        once = Asked(f"dead-letters/{number}/close", caller.user, idempotency_key, None)
        answer: DisposalAnswer = await answered_once(unit_of_work, once, run)
        return answer

    return router


def told(service: str, row: Row) -> DeadLetterItem:
    return {
        "id": row.id,
        "service": service,
        "reason": row.reason,
        "detail": row.detail,
        "state": row.state,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "last_offset": row.offset if row.last_offset is None else row.last_offset,
        "records": row.records,
        "reasons": row.reasons or {row.reason: row.records},
        "cut": row.cut,
        "failed_at": row.failed_at.isoformat(),
        "decided_by": row.decided_by,
        "decided_at": None if row.decided_at is None else row.decided_at.isoformat(),
    }


def _message(service: str, row: Row) -> DeadLetterMessage:
    return {
        **told(service, row),
        "key_base64": _base64(row.key),
        "value_base64": _base64(row.value),
        "value_text": None if row.value is None else row.value.decode("utf-8", "replace"),
        "headers": [{"name": name, "value_base64": _base64(value)} for name, value in row.headers],
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
