"""The consumer on a real broker and a real database: whatever fails, each record has its effect once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer

from shared import failpoints
from shared.clock import SystemClock
from shared.messaging import consumer as consumer_module
from shared.messaging import dead_letters, positions
from shared.messaging.batches import BatchProcessor
from shared.messaging.consumer import BatchConsumer
from shared.messaging.failures import SupersededError
from shared.messaging.positions import Place
from shared.messaging.records import Outgoing, Record
from shared.messaging.relay import Relay
from shared.messaging.rewinding import offsets_of, rewind_to, rewindings
from tests.support.messaging import Bench, Effects
from tests.support.raw_records import BAD_NAME, batch, produce_raw
from tests.support.waiting import until

pytestmark = pytest.mark.engines


@asynccontextmanager
async def consuming(
    bench: Bench, topic: str, handler: Effects, name: str = "", **options: Any
) -> AsyncIterator[BatchConsumer]:
    consumer = BatchConsumer(
        bench.service,
        bench.kafka,
        name=name or topic,
        topics=(topic,),
        handler=handler,
        unit_of_work=bench.unit_of_work,
        **options,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def made(bench: Bench, topic: str, count: int) -> Callable[[], Any]:
    async def enough() -> bool:
        return len(await bench.effects(topic)) >= count

    return enough


def read_up_to(bench: Bench, group: str, topic: str, offset: int) -> Callable[[], Any]:
    """The stored position of the topic's only partition has come so far."""

    async def there() -> bool:
        async with bench.engine.connect() as connection:
            return (await positions.load(connection, group)).get(Place(topic, 0)) == offset

    return there


def each_once_in_order(effects: list[tuple[int, int]], count: int) -> None:
    assert len(effects) == len(set(effects)) == count
    for partition in {partition for partition, _ in effects}:
        offsets = [offset for at, offset in effects if at == partition]
        assert offsets == sorted(offsets)


@pytest.mark.req("PLT-2")
async def test_records_have_their_effect_once_although_commits_and_their_answers_are_lost(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic()
    handler = Effects()
    failpoints.arm("after_commit=error%4,before_commit=error%5")
    async with consuming(bench, topic, handler, max_records=50):
        for part in range(6):
            bench.produce(topic, [b"%d" % number for number in range(part * 30, part * 30 + 30)])
        await until(made(bench, topic, 180), 40)
        failpoints.arm("")
        bench.produce(topic, [b"last"])
        await until(made(bench, topic, 181))
    each_once_in_order(await bench.effects(topic), 181)
    assert handler.discarded > 0


@pytest.mark.req("PLT-2")
async def test_a_batch_whose_positions_have_moved_is_dropped_without_any_effect(bench: Bench) -> None:
    place = Place("moved", 0)
    async with bench.unit_of_work.begin() as work:
        await positions.start_at(work.connection, "zombie", {place: 7})
    handler = Effects()
    processor = BatchProcessor("zombie", handler, bench.unit_of_work, asyncio.Event())
    records = [Record("moved", 0, 5, None, b"x", (), 0)]
    with pytest.raises(SupersededError):
        await processor.process(records, {place: 5})
    assert await bench.effects("moved") == []
    assert handler.batches == []


@pytest.mark.req("PLT-2", "PLT-3")
async def test_two_instances_share_the_partitions_and_a_stopped_one_leaves_nothing_undone(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic()
    first, second = Effects(), Effects()
    options: dict[str, Any] = {"name": topic, "max_records": 20, "session_timeout_ms": 6000}
    async with consuming(bench, topic, first, instance=0, **options) as one:
        bench.produce(topic, [b"a"] * 200)
        await until(made(bench, topic, 200))
        async with consuming(bench, topic, second, instance=1, **options):
            await until(lambda: shared_by_two(bench, one.group), 30)
            bench.produce(topic, [b"b"] * 200)
            await until(made(bench, topic, 400))
    each_once_in_order(await bench.effects(topic), 400)
    at_first, at_second = (
        {record.partition for record in effects.seen if record.value == b"b"} for effects in (first, second)
    )
    assert at_first and at_second and not at_first & at_second


def shared_by_two(bench: Bench, group: str) -> bool:
    """Two members have partitions of their own, as the broker sees it."""
    members = bench.engines.admin.describe_consumer_groups([group])[group].result(5).members
    return len(members) == 2 and all(member.assignment.topic_partitions for member in members)


@pytest.mark.req("PLT-2")
async def test_a_record_that_makes_our_code_fail_is_found_and_it_alone_becomes_a_dead_letter(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    values = [b"%d" % number for number in range(100)]
    handler = Effects()
    handler.poison = {b"37"}
    bench.produce(
        topic, values, 0, headers=[("twice", b"1"), ("twice", b"\xff"), ("null", None), ("empty", b"")]
    )
    async with consuming(bench, topic, handler) as consumer:
        await until(made(bench, topic, 99))
        await until(read_up_to(bench, consumer.group, topic, 100))
        async with bench.unit_of_work.begin() as work:
            await positions.rewind(work.connection, consumer.group, topic, 0, 30)
        # The same record once more, after a rewinding: no second dead letter.
        await until(made(bench, topic, 99 + 69))
        await until(read_up_to(bench, consumer.group, topic, 100))
    async with bench.engine.connect() as connection:
        listed = [row for row in await dead_letters.listed(connection) if row.topic == topic]
        letters = [row for one in listed if (row := await dead_letters.one(connection, one.id)) is not None]
    assert [(row.offset, row.key, row.value, row.reason) for row in letters] == [
        (37, b"k17", b"37", "internal_error")
    ]
    original = (("twice", b"1"), ("twice", b"\xff"), ("null", None), ("empty", b""))
    assert letters[0].headers == original
    assert "a fault of ours" not in letters[0].detail
    relay = Relay(bench.service, bench.dsn, bench.kafka)
    running = asyncio.create_task(relay.run())
    dead = "tiering.dead-letters.v1"

    async def published() -> list[Any]:
        return [
            m
            for m in await asyncio.to_thread(bench.read, dead, 6)
            if dict(m.headers())["x-origin-topic"] == topic.encode()
        ]

    messages = await until(published)
    relay.stop()
    await running
    assert len(messages) == 1
    assert (messages[0].key(), messages[0].value()) == (b"k17", b"37")
    assert tuple(messages[0].headers()[:4]) == original
    added = dict(messages[0].headers()[4:])
    assert added["x-reason"] == b"internal_error"
    assert (added["x-origin-partition"], added["x-origin-offset"]) == (b"0", b"37")


async def test_a_fault_that_hits_every_record_stops_the_consumer_and_gives_nothing_up(bench: Bench) -> None:
    topic = bench.engines.scratch_topic()
    handler = Effects()
    handler.fail_all = True
    bench.produce(topic, [b"x"] * 40)
    async with consuming(bench, topic, handler) as consumer:
        await until(lambda: "every record fails" in (consumer.healthy() or ""))
        assert await bench.effects(topic) == []
        handler.fail_all = False
        await until(made(bench, topic, 40))
        await until(lambda: consumer.healthy() is None)
    assert await bench.rows("SELECT 1 FROM dead_letters WHERE topic = :topic", topic=topic) == []
    each_once_in_order(await bench.effects(topic), 40)


async def test_a_run_of_bad_records_longer_than_the_limit_stops_nothing_when_good_ones_follow(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    handler.poison = {b"bad"}
    bench.produce(topic, [b"bad"] * 8 + [b"good"] * 8, 0)
    async with consuming(bench, topic, handler):
        await until(made(bench, topic, 8), 40)
    letters = await bench.rows("SELECT 1 FROM dead_letters WHERE topic = :topic", topic=topic)
    assert len(letters) == 8


@pytest.mark.req("PLT-2")
async def test_header_bytes_that_are_no_text_stop_nothing_and_are_kept(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    headers = [("text", b"\xff\xfe"), ("text", None), ("reply_to", b"tiering.tiers.v1")]
    assert await produce_raw(topic, 0, batch([b"a", b"b", b"c"], bad=1), **bench.engines.aiokafka()) == 0
    bench.produce(topic, [b"after", None, b""], 0, headers=headers)
    async with consuming(bench, topic, handler):
        await until(made(bench, topic, 6))
    assert [record.value for record in handler.seen] == [b"a", b"b", b"c", b"after", None, b""]
    name = BAD_NAME.decode("utf-8", "surrogateescape")
    assert handler.seen[1].headers == ((name, b"\xff"), ("empty", b""), ("null", None))
    assert handler.seen[3].headers == tuple(headers)


async def test_a_batch_that_the_framework_loses_on_its_way_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    lost: list[int] = []

    async def losing(message: Any) -> Any:
        if not lost:
            lost.append(len(message.raw_message))
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "as the framework's own parser does")
        return message.raw_message

    monkeypatch.setattr(consumer_module, "_as_it_is", losing)
    bench.produce(topic, [b"x"] * 50, 0)
    async with consuming(bench, topic, handler, max_records=20):
        await until(made(bench, topic, 50))
    assert lost
    each_once_in_order(await bench.effects(topic), 50)


async def test_records_in_every_compression_are_read(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        producer = Producer(bench.engines.librdkafka(**{"compression.type": codec}))
        for _ in range(20):
            producer.produce(topic, codec.encode() * 20)
        assert producer.flush(20) == 0
    async with consuming(bench, topic, handler):
        await until(made(bench, topic, 80))


@pytest.mark.req("PLT-4")
async def test_a_backlog_is_read_in_batches_of_bounded_size_and_a_lone_record_at_once(bench: Bench) -> None:
    topic = bench.engines.scratch_topic()
    handler = Effects()
    bench.produce(topic, [b"x" * 200] * 5000)
    async with consuming(bench, topic, handler, max_records=1000):
        await until(made(bench, topic, 5000))
        assert max(handler.batches) <= 1000
        assert len(handler.batches) < 30
        handler.batches.clear()
        bench.produce(topic, [b"lone"])
        await until(made(bench, topic, 5001))
    assert handler.batches == [1]


@pytest.mark.req("PLT-5")
async def test_a_running_consumer_notices_that_it_was_rewound_to_an_instant(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=2, config={"message.timestamp.type": "LogAppendTime"})
    handler = Effects()
    bench.produce(topic, [b"old"] * 20, 0)
    async with consuming(bench, topic, handler) as consumer:
        await until(made(bench, topic, 20))
        instant = datetime.fromtimestamp(handler.seen[-1].timestamp_ms / 1000 + 0.001, UTC)
        await until(lambda: SystemClock().now() > instant)
        bench.produce(topic, [b"new"] * 10, 0)
        await until(made(bench, topic, 30))
        async with bench.unit_of_work.begin() as work:
            offsets = {topic: await offsets_of(bench.kafka, topic, instant)}
            moved = await rewind_to(work.connection, consumer.group, offsets)
        assert moved == [(Place(topic, 0), 30, 20)]
        await until(made(bench, topic, 40))
    assert [r.value for r in handler.seen[30:]] == [b"new"] * 10
    assert handler.discarded > 0


@pytest.mark.req("PLT-5")
async def test_a_rewinding_goes_back_to_what_is_there_and_never_forward(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=2)
    bench.produce(topic, [b"x"] * 5, 0)
    bench.produce(topic, [b"x"] * 3, 1)
    async with bench.unit_of_work.begin() as work:
        await positions.start_at(work.connection, "far", {Place(topic, 0): 5, Place(topic, 1): 3})
    assert await offsets_of(bench.kafka, topic, "beginning") == {0: 0, 1: 0}
    offsets = {topic: await offsets_of(bench.kafka, topic, 4)}
    async with bench.unit_of_work.begin() as work:
        assert await rewindings(work.connection, "far", offsets) == [(Place(topic, 0), 5, 4)]
        await rewind_to(work.connection, "far", offsets)
        assert await positions.load(work.connection, "far") == {Place(topic, 0): 4, Place(topic, 1): 3}


@pytest.mark.req("PLT-4")
async def test_a_killed_database_is_waited_for_and_nothing_is_lost_or_doubled(bench: Bench) -> None:
    topic = bench.engines.scratch_topic()
    handler = Effects()
    postgres = bench.engines.postgres
    async with consuming(bench, topic, handler, max_records=10) as consumer:
        bench.produce(topic, [b"x"] * 200)
        await until(made(bench, topic, 20))
        await asyncio.to_thread(postgres.kill)
        bench.produce(topic, [b"y"] * 100)
        await until(lambda: consumer.healthy() is not None)
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(postgres.wait_ready)
        await until(made(bench, topic, 300), 40)
        await until(lambda: consumer.healthy() is None)
    each_once_in_order(await bench.effects(topic), 300)
    assert await bench.rows("SELECT 1 FROM dead_letters WHERE topic = :topic", topic=topic) == []


async def test_at_rest_the_stored_position_reaches_the_end_behind_transaction_markers(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    async with bench.unit_of_work.begin() as work:
        work.publish(_out(topic, b"k", b"v"))
    relay = Relay(bench.service, bench.dsn, bench.kafka)
    running = asyncio.create_task(relay.run())
    async with consuming(bench, topic, handler) as consumer:
        await until(made(bench, topic, 1))
        group = consumer.group

        async def stored() -> bool:
            rows = await bench.rows("SELECT next_offset FROM positions WHERE consumer = :group", group=group)
            return [row.next_offset for row in rows] == [2]

        await until(stored)
    relay.stop()
    await running


def _out(topic: str, key: bytes, value: bytes) -> Any:
    return Outgoing(topic, key, value, ())
