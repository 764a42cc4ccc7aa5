"""Transactions over HTTP, for counters without Kafka: checked like every record, then published to the same topic.

Each one is asked about by itself: its counter's unit and its customer's have to lie within the caller's grant, and a
machine publishes under the sources and counters of its grant alone (ADR 11). One that may not be published is refused
with a reason of its own and does not hold up its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from services.tiering.adapters.places import Place, places_of
from services.tiering.domain.refusals import NoArray, TooManyItems
from services.tiering.entrypoints.json_items import NoArrayError, items_of
from shared.auth.http import Caller, require
from shared.auth.policy import Sending, permit_publishing
from shared.auth.principals import Principal
from shared.contracts.counter_systems import CounterSystem, reserved_for
from shared.contracts.counter_v1 import ReadTransaction, TransactionData, read_transaction
from shared.contracts.envelope import STRUCTURED
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.messaging.records import Outgoing, Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem

ITEMS_MAX = 1000
OUT_OF_SCOPE = "out_of_scope"
"""The reason for which a sound transaction is refused to this caller."""
_HEADERS = (("content-type", STRUCTURED.encode()),)


class Item(BaseModel):
    """The answer to one transaction: accepted for publication, or rejected with the reason of a dead letter, or with
    `out_of_scope` where the caller may not publish it."""

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


@dataclass(frozen=True, slots=True)
class Published:
    """The answers to some events, and the accepted ones by the places of their answers."""

    items: list[Item] = field(default_factory=list)
    sound: dict[int, ReadTransaction] = field(default_factory=dict)

    @property
    def outgoing(self) -> list[Outgoing]:
        return [
            Outgoing(
                TransactionData.TOPIC,
                *one.transaction.outgoing(id=one.id, source=one.source, traceparent=one.traceparent),
            )
            for one in self.sound.values()
        ]


def read_items(events: Sequence[bytes]) -> Published:
    """Check each event as the consumer will, from its own bytes: what is accepted here is never a dead letter there, and one
    that is rejected costs its neighbours nothing."""
    published = Published()
    for index, event in enumerate(events):
        reading = read_transaction(Record(TransactionData.TOPIC, 0, 0, None, event, _HEADERS, 0))
        if isinstance(reading, ReadTransaction):
            published.sound[index] = reading
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
        raise Problem(NoArray()) from error
    if len(events) > ITEMS_MAX:
        raise Problem(TooManyItems(ITEMS_MAX))
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


def within_rights(read: Published, places: Sequence[Place], caller: Principal) -> Published:
    """What the caller may publish of it. `places` are those of the sound transactions, in their order."""
    permitted = Published(items=list(read.items))
    for (index, reading), place in zip(read.sound.items(), places, strict=True):
        sending = Sending(reading.source, reading.transaction.counter_id, place.counter, place.customer)
        against = permit_publishing(caller, sending)
        if against is None:
            permitted.sound[index] = reading
            continue
        permitted.items[index] = Item(
            index=index,
            status="rejected",
            source=reading.source,
            id=reading.id,
            reason=OUT_OF_SCOPE,
            detail="its counter's unit or its customer's is not yours"
            if against == "unit"
            else f"its {against} is none that you may publish for",
        )
    return permitted


def topic_of(source: str, systems: Sequence[CounterSystem]) -> str:
    """The topic that a source's transactions come by."""
    owner = reserved_for(systems, source)
    return TransactionData.TOPIC if owner is None else owner.transactions_topic


def routes(unit_of_work: UnitOfWork, systems: Sequence[CounterSystem] = ()) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["transactions"])

    @router.post("/transactions", openapi_extra={"requestBody": _BODY})
    async def publish_transactions(
        caller: Caller, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Answer:
        """Publish up to 1 000 counter transactions; every one gets its own answer."""
        require(caller, "transactions.publish")
        body = await request.body()
        read = read_items(events_of(body))

        async def publish(work: Work) -> Any:
            places = await places_of(work, [one.transaction for one in read.sound.values()])
            permitted = within_rights(read, places, caller)
            for one, made in zip(permitted.sound.values(), permitted.outgoing, strict=True):
                work.publish(made._replace(topic=topic_of(one.source, systems)))
            accepted = len(permitted.sound)
            answer = Answer(
                accepted=accepted, rejected=len(permitted.items) - accepted, items=permitted.items
            )
            return answer.model_dump()

        asked = Asked("transactions", caller.user, idempotency_key, _as_asked(body))
        return Answer.model_validate(await answered_once(unit_of_work, asked, publish))

    return router
