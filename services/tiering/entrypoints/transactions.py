"""Transactions over HTTP, for counters without Kafka: checked like every record, then published to the same topic."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from shared.auth.http import Caller, require
from shared.contracts.counter_v1 import ReadTransaction, TransactionData, read_transaction
from shared.contracts.envelope import STRUCTURED
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.messaging.records import Outgoing, Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

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


Events = Annotated[list[Any], Body(max_length=ITEMS_MAX, description="CloudEvents in structured mode.")]


class Published(BaseModel):
    """Accepted events and the answers to all of them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    outgoing: list[Outgoing] = Field(default_factory=list)
    items: list[Item] = Field(default_factory=list)


def read_items(events: list[Any]) -> Published:
    """Check each event as the consumer will: what is accepted here is never a dead letter there."""
    published = Published()
    for index, event in enumerate(events):
        record = Record(TransactionData.TOPIC, 0, 0, None, orjson.dumps(event), _HEADERS, 0)
        reading = read_transaction(record)
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


def routes(unit_of_work: UnitOfWork) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["transactions"])

    @router.post("/transactions")
    async def publish_transactions(
        caller: Caller, events: Events, idempotency_key: IdempotencyKey = None
    ) -> Answer:
        """Publish up to 1 000 counter transactions; every one gets its own answer."""
        require(caller, "transactions.publish")
        published = read_items(events)
        accepted = len(published.outgoing)
        answer = Answer(accepted=accepted, rejected=len(events) - accepted, items=published.items)

        async def publish(work: Work) -> Any:
            for outgoing in published.outgoing:
                work.publish(outgoing)
            return answer.model_dump()

        asked = Asked("transactions", caller.user, idempotency_key, events)
        return Answer.model_validate(await answered_once(unit_of_work, asked, publish))

    return router
