"""Whatever arrives, tiering goes on: it becomes a dead letter, is held or booked, and nothing stops the batch."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS
from shared.messaging.records import Record
from shared.messaging.work import REASONS
from tests.integration.tiering.conftest import MakeBench
from tests.support import generated
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Customer
from tests.support.streams import Publish

pytestmark = pytest.mark.engines

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["content-type", "ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "reply_to", "x"]
        ),
        st.none()
        | st.binary(max_size=40)
        | st.sampled_from([b"application/cloudevents+json", b"1.0", b"\xff\xfe"]),
    ),
    max_size=8,
)
ANYTHING = st.tuples(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=200), HEADERS)


def valid_messages() -> list[tuple[bytes | None, bytes, list[tuple[str, bytes | None]]]]:
    scenario = generated.build(seed=5, size=400)
    records = [record for phase in scenario.phases if isinstance(phase, Publish) for record in phase.records]
    return [
        (one.key, one.value, list(one.headers)) for one in records if one.value and len(one.value) < 2_000
    ][:300]


VALID = valid_messages()


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """A valid message with a few bytes cut, changed or doubled, or a header lost."""
    key, value, headers = draw(st.sampled_from(VALID))
    body = bytearray(value)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    if headers and draw(st.booleans()):
        headers = [one for one in headers if one is not draw(st.sampled_from(headers))]
    return key, bytes(body), headers


@pytest.mark.req("PLT-2", "TIE-1")
async def test_arbitrary_bytes_and_mutated_messages_never_stop_tiering(make_bench: MakeBench) -> None:
    bench = await make_bench(generated.build(seed=5, size=50).start, batch=50)
    batches: list[list[object]] = []

    @settings(
        max_examples=150,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(ANYTHING | mutated(), min_size=2, max_size=30))
    def collect(messages: list[object]) -> None:
        batches.append(messages)

    collect()
    sent = 0
    for batch in batches:
        await bench.publish(batch)  # type: ignore[arg-type]
        sent += len(batch)
    await tell_rubbish(bench, batches)
    async with bench.engine.connect() as connection:
        reasons = set((await connection.execute(text("SELECT DISTINCT reason FROM dead_letters"))).scalars())
        dead = await connection.scalar(
            text("SELECT count(*) FROM dead_letters WHERE topic = :topic"), {"topic": COUNTER_TRANSACTIONS}
        )
        kept = await connection.scalar(text("SELECT count(*) FROM identities"))
    assert sent > 300
    assert reasons <= REASONS
    assert dead + kept <= sent, "a message is a dead letter, or it has an identity, or it only came again"
    # After all that, a good customer with a good transaction still comes through.
    await bench.tell([Customer("3205999999999")])
    async with bench.engine.connect() as connection:
        assert (
            await connection.scalar(text("SELECT count(*) FROM accounts WHERE code = '3205999999999'")) == 1
        )


async def tell_rubbish(bench: LedgerBench, batches: list[list[object]]) -> None:
    """The same bytes on the customers' topic."""
    for number, batch in enumerate(batches[:20]):
        records = [
            Record(CUSTOMERS, 5, number * 100 + at, key, value, tuple(headers), 0)
            for at, (key, value, headers) in enumerate(batch)  # type: ignore[misc]
        ]
        async with bench.unit_of_work.begin(consumer="tiering.customers") as work:
            await bench.learn.handle(work, records)


@pytest.mark.req("TIE-1")
async def test_a_message_given_up_keeps_every_byte_and_tells_the_counter(make_bench: MakeBench) -> None:
    bench = await make_bench(generated.build(seed=5, size=50).start)
    event = {
        "specversion": "1.0", "id": "bad-1", "source": "/counters/1", "type": "keypost.counter.transaction.v1",
        "data": {"customer_code": "3205000000011", "counter_id": "32050001", "line": "express", "kind": "sale",
                 "amount": 12.5, "occurred_at": "2023-01-10T09:00:00+08:00"},
    }  # fmt: skip
    value = json.dumps(event).encode()
    headers = [("content-type", b"application/cloudevents+json"), ("x-raw", b"\xff\x00"), ("x-null", None)]
    await bench.publish([(b"key\xff", value, headers)])
    async with bench.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM dead_letters"))).one()
        outgoing = (await connection.execute(text("SELECT topic, key, value FROM outbox ORDER BY id"))).all()
    assert (row.reason, row.key, row.value) == ("bad_field", b"key\xff", value)
    by_topic = {one.topic: one for one in outgoing}
    assert by_topic["tiering.dead-letters.v1"].value == value
    receipt = json.loads(by_topic["counter.receipts.v1"].value)
    assert (receipt["state"], receipt["reason"], receipt["id"]) == ("rejected", "bad_field", "bad-1")
    assert by_topic["counter.receipts.v1"].key == b"32050001"
