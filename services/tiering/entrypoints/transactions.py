"""Transactions over HTTP, for counters without Kafka: checked like every record, then published to the same topic."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.tiering.entrypoints.json_items import NoArrayError, items_of
from shared.auth.http import Caller, require
from shared.contracts.counter_v1 import ReadTransaction, TransactionData, read_transaction
from shared.contracts.envelope import STRUCTURED
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.messaging.records import Outgoing, Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem

ITEMS_MAX = 1000
_HEADERS = (("content-type", STRUCTURED.encode()),)


class Item(BaseModel):
    """The answer to one transaction: accepted for publication, or rejected with the reason of a dead letter."""

    model_config = ConfigDict(frozen=True)

    index: int
    status: str
    source: str | None = None
    id: str | None = None
    reason: str | None = None
    detail: str | None = None


class Answer(BaseModel):
    """`accepted` are on their way to the topic once this is answered; a second call with the same events adds nothing,
    because (`source`, `id`) is their identity."""

    accepted: int
    rejected: int
    items: list[Item]


class Published(BaseModel):
    """Accepted events and the answers to all of them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    outgoing: list[Outgoing] = Field(default_factory=list)
    items: list[Item] = Field(default_factory=list)


def read_items(events: Sequence[bytes]) -> Published:
    """Check each event as the consumer will, from its own bytes: what is accepted here is never a dead letter there, and one
    that is rejected costs its neighbours nothing."""
    published = Published()
    for index, event in enumerate(events):
        reading = read_transaction(Record(TransactionData.TOPIC, 0, 0, None, event, _HEADERS, 0))
        if isinstance(reading, ReadTransaction):
            said = reading.transaction.outgoing(
                id=reading.id, source=reading.source, traceparent=reading.traceparent
            )
            published.outgoing.append(Outgoing(TransactionData.TOPIC, *said))
            published.items.append(Item(index=index, status="accepted", source=reading.source, id=reading.id))
        else:
            published.items.append(
                Item(index=index, status="rejected", reason=reading.reason, detail=reading.detail)
            )
    return published


def events_of(body: bytes) -> list[bytes]:
    """The events of a call, each as its bytes. Raises `Problem`."""
    try:
        events = items_of(body)
    except NoArrayError as error:
        raise Problem(
            400, "not_json", "请求内容不是有效的 JSON 数组。", "The body is not a valid JSON array."
        ) from error
    if len(events) > ITEMS_MAX:
        raise Problem(
            422,
            "too_many_items",
            f"一次最多提交{ITEMS_MAX}笔交易。",
            f"One call takes {ITEMS_MAX} transactions at most.",
            items_max=ITEMS_MAX,
        )
    return events


def _as_asked(body: bytes) -> Any:
    """What tells one call from another under one key: the JSON, or, where only some items can be read, the bytes."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return sha256(body).hexdigest()


_BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "array",
                "maxItems": ITEMS_MAX,
                "items": {},
                "description": "CloudEvents in structured mode.",
            }
        }
    },
}


def routes(unit_of_work: UnitOfWork) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["transactions"])

    @router.post("/transactions", openapi_extra={"requestBody": _BODY})
    async def publish_transactions(
        caller: Caller, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Answer:
        """Publish up to 1 000 counter transactions; every one gets its own answer."""
        require(caller, "transactions.publish")
        body = await request.body()
        published = read_items(events_of(body))
        accepted = len(published.outgoing)
        answer = Answer(accepted=accepted, rejected=len(published.items) - accepted, items=published.items)

        async def publish(work: Work) -> Any:
            for outgoing in published.outgoing:
                work.publish(outgoing)
            return answer.model_dump()

        asked = Asked("transactions", caller.user, idempotency_key, _as_asked(body))
        return Answer.model_validate(await answered_once(unit_of_work, asked, publish))

    return router
