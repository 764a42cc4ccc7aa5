"""States and changes as their owners publish them, every class of poison, and a handler on a database of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from confluent_kafka import Producer
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import SystemClock
from shared.contracts.envelope import Message
from shared.contracts.registry_v1 import AgreementState, CustomerState, UnitState
from shared.contracts.tiering_v1 import TierChanged, TierState
from shared.db import create_engine
from shared.messaging.batches import BatchHandler
from shared.messaging.records import Record
from shared.messaging.unit_of_work import UnitOfWork
from tests.support.engines import Database, Engines

SUZHOU = "/CN/32/3205"
NANJING = "/CN/32/3201"
THEN = datetime(2026, 3, 9, 2, 11, 12, 345_000, tzinfo=UTC)


def unit(code: str = "3205", path: str = SUZHOU, **changes: Any) -> UnitState:
    given: dict[str, Any] = {
        "unit_code": code,
        "version": 1,
        "name_zh": "苏州市分公司",
        "name_en": "Suzhou",
        "level": "city",
        "parent": "32",
        "path": path,
        **changes,
    }
    return UnitState(**given)


def customer(code: str, path: str = SUZHOU, **changes: Any) -> CustomerState:
    given: dict[str, Any] = {
        "customer_code": code,
        "version": 1,
        "name": "苏州织造有限公司",
        "kind": "active",
        "status": "active",
        "unit_code": path.rpartition("/")[2],
        "unit_path": path,
        "manager_a": "manager",
        "registered_at": THEN,
        "as_of": THEN,
        **changes,
    }
    return CustomerState(**given)


def agreement(number: str = "XY-1", **changes: Any) -> AgreementState:
    given: dict[str, Any] = {
        "agreement_no": number,
        "signed_on": date(2026, 1, 5),
        "state": "in_force",
        "recorded_at": THEN,
        **changes,
    }
    return AgreementState(**given)


def tier(code: str, **changes: Any) -> TierState:
    given: dict[str, Any] = {
        "customer_code": code,
        "scheme": "city-default",
        "scheme_version": 1,
        "version": 1,
        "tier": "silver",
        "effective_on": date(2026, 3, 9),
        "period": "2026",
        "total_fen": 5_000_000,
        "key_account": True,
        "as_of": THEN,
        **changes,
    }
    return TierState(**given)


def change(code: str, **changes: Any) -> TierChanged:
    given: dict[str, Any] = {
        "customer_code": code,
        "scheme": "city-default",
        "scheme_version": 1,
        "version": 1,
        "from_tier": "none",
        "to_tier": "silver",
        "direction": "promotion",
        "reason": "threshold_reached",
        "effective_on": date(2026, 3, 9),
        "period": "2026",
        "total_fen": 5_000_000,
        "key_account": True,
        "decided_at": THEN,
        "caused_by": None,
        **changes,
    }
    return TierChanged(**given)


_numbers = itertools.count()


@dataclass(frozen=True)
class Sent:
    """A record as a producer gives it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic: str = ""

    @classmethod
    def of(cls, message: Message) -> Sent:
        key, value, headers = message.outgoing(id=f"test|{next(_numbers)}", time=THEN)
        return cls(key, value, headers, message.TOPIC)


def poisons(message: Message) -> dict[str, Sent]:
    """One record of every reason for which this kind of message is refused, each made from a good one."""
    good = Sent.of(message)
    body = json.loads(good.value or b"")
    headers = dict(good.headers)
    code = next(name for name in ("customer_code", "unit_code") if name in body)

    def headed(**changes: bytes) -> tuple[tuple[str, bytes | None], ...]:
        return tuple({**headers, **changes}.items())

    return {
        "not_json": replace(good, value=b"{"),
        "not_cloudevent": replace(good, headers=headed(ce_specversion=b"7")),
        "wrong_type": replace(good, headers=headed(ce_type=b"keypost.other.v1")),
        "missing_field": replace(
            good, value=json.dumps({name: body[name] for name in body if name != code}).encode()
        ),
        "bad_field": replace(good, value=json.dumps({**body, code: 7}).encode()),
        "oversized": replace(good, value=json.dumps({**body, "more": "x" * 270_000}).encode()),
        "bad_encoding": replace(good, value=b'{"name": "\xff"}'),
    }


_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "x"]),
        st.one_of(st.none(), st.binary(max_size=40), st.sampled_from([b"1.0", b"application/json"])),
    ),
    max_size=7,
)


@st.composite
def arbitrary_records(draw: st.DrawFn, topics: Sequence[str]) -> list[Record]:
    """A batch of records that hold anything at all."""
    content = st.none() | st.binary()
    return [
        Record(draw(st.sampled_from(topics)), 0, at, draw(content), draw(content), tuple(draw(_HEADERS)), 0)
        for at in range(draw(st.integers(0, 5)))
    ]


def publish(engines: Engines, sent: Iterable[Sent | Message], user: str = "admin") -> None:
    """Write the records to their topics and wait until the broker has them."""
    producer = Producer(engines.librdkafka(user, **{"enable.idempotence": True, "linger.ms": 5}))
    for one in sent:
        record = one if isinstance(one, Sent) else Sent.of(one)
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    assert producer.flush(20) == 0


@dataclass
class HandlerBench:
    """A handler on a migrated database. Records get rising offsets of one partition per topic."""

    database: Database
    handler: BatchHandler
    offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine: AsyncEngine = create_engine(self.database.writer, "tests")
        self.unit_of_work = UnitOfWork(self.engine, SystemClock(), self.database.service)

    def records(self, sent: Iterable[Sent | Message]) -> list[Record]:
        """The records as they would arrive."""
        made = []
        for one in sent:
            of = one if isinstance(one, Sent) else Sent.of(one)
            offset = self.offsets.get(of.topic, 0)
            self.offsets[of.topic] = offset + 1
            made.append(Record(of.topic, 0, offset, of.key, of.value, of.headers, 0))
        return made

    async def take(self, records: Sequence[Record]) -> None:
        async with self.unit_of_work.begin(consumer="test") as work:
            await self.handler.handle(work, records)

    async def tell(self, *sent: Sent | Message) -> list[Record]:
        """Hand these over as one batch; the records, so that they can come again."""
        records = self.records(sent)
        await self.take(records)
        return records

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement), values)]
