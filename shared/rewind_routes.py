"""Rewinding a service's consumers over HTTP, the same in every service (PLT-5): an act of operators, for the whole
organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from shared.auth.http import Caller, require
from shared.idempotency import Asked, IdempotencyKey, answered_once, unavailable
from shared.kernel import refusals
from shared.messaging.consumer import BatchConsumer
from shared.messaging.failures import Kind, classify
from shared.messaging.kafka import KafkaAccess
from shared.messaging.rewinding import Rewound, Target, offsets_of, rewind_to, rewindings
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem


def _no_number_of_seconds(to: object) -> object:
    """A date's parser takes numbers, as JSON or as text, for seconds since 1970; here a number is an offset or a mistake."""
    try:
        number = float(to) if isinstance(to, str | float | int) else 0.0
    except ValueError:
        return to
    if isinstance(to, str | float | bool) or number < 0:
        raise ValueError("an offset is a whole number from 0 on")
    return to


class Rewind(BaseModel):
    """Read again from here: `beginning`, an offset, or an instant with its offset from UTC."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[
        Literal["beginning"] | Annotated[int, Field(ge=0, lt=2**63, strict=True)] | AwareDatetime,
        BeforeValidator(_no_number_of_seconds),
    ]
    topic: str | None = None
    """Only this one of the consumer's topics."""
    partition: int | None = Field(default=None, ge=0, lt=2**31)
    dry_run: bool = False


def routes(unit_of_work: UnitOfWork, kafka: KafkaAccess, consumers: Mapping[str, BatchConsumer]) -> APIRouter:
    """`consumers` by name."""
    router = APIRouter(prefix="/v1/consumers", tags=["operation"])

    @router.get("")
    async def list_consumers(caller: Caller) -> dict[str, Any]:
        """The service's consumers and the topics that they read."""
        require(caller, "consumers.rewind")
        return {"items": [{"name": name, "topics": list(one.topics)} for name, one in consumers.items()]}

    @router.post("/{name}/rewind")
    async def rewind_consumer(
        caller: Caller, name: str, asked: Rewind, idempotency_key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """Have a consumer read again what its topics still have. Nothing takes effect twice; a position that already lies
        before the place stays. With `dry_run` nothing is moved."""
        require(caller, "consumers.rewind")
        consumer = _named(consumers, name)
        offsets = await _offsets(kafka, consumer, asked)

        async def run(work: Work) -> Any:
            moved = await rewind_to(work.connection, consumer.group, offsets)
            return _answer(unit_of_work.service, consumer, moved, dry_run=False)

        if asked.dry_run:
            async with unit_of_work.engine.connect() as connection:
                moved = await rewindings(connection, consumer.group, offsets)
            return _answer(unit_of_work.service, consumer, moved, dry_run=True)
        body = asked.model_dump(mode="json")
        once = Asked(f"consumers/{consumer.name}/rewind", caller.user, idempotency_key, body)
        answer: dict[str, Any] = await answered_once(unit_of_work, once, run)
        return answer

    return router


@dataclass(frozen=True, slots=True)
class UnknownConsumer(refusals.Refusal):
    """There is no such consumer; `known` are those of this service."""

    known: tuple[str, ...]
    code: ClassVar[str] = "consumer_unknown"
    kind: ClassVar[refusals.Kind] = "unknown"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class TopicNotRead(refusals.Refusal):
    """The consumer does not read this topic; `topics` are those that it reads."""

    topics: tuple[str, ...]
    code: ClassVar[str] = "topic_not_read"
    kind: ClassVar[refusals.Kind] = "invalid"

    def members(self) -> Mapping[str, Any]:
        return {}


def _named(consumers: Mapping[str, BatchConsumer], name: str) -> BatchConsumer:
    for consumer in consumers.values():
        if name in (consumer.name, consumer.group):
            return consumer
    raise Problem(UnknownConsumer(tuple(consumers)))


async def _offsets(kafka: KafkaAccess, consumer: BatchConsumer, asked: Rewind) -> dict[str, dict[int, int]]:
    """Where the wanted partitions would go."""
    if asked.topic is not None and asked.topic not in consumer.topics:
        raise Problem(TopicNotRead(consumer.topics))
    target: Target = asked.to if isinstance(asked.to, int | datetime) else "beginning"
    try:
        found = {
            topic: await offsets_of(kafka, topic, target)
            for topic in consumer.topics
            if asked.topic in (None, topic)
        }
    except Exception as error:
        if classify(error) is not Kind.TRANSIENT:
            raise
        raise unavailable() from error
    if asked.partition is None:
        return found
    return {
        topic: {number: offset for number, offset in offsets.items() if number == asked.partition}
        for topic, offsets in found.items()
    }


def _answer(service: str, consumer: BatchConsumer, moved: list[Rewound], *, dry_run: bool) -> dict[str, Any]:
    return {
        "service": service,
        "consumer": consumer.name,
        "dry_run": dry_run,
        "moved": [
            {"topic": place.topic, "partition": place.partition, "before": before, "after": after}
            for place, before, after in moved
        ],
        "offsets_to_read": sum(before - after for _, before, after in moved),
    }
