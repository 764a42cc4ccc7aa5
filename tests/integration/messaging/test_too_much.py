"""What is too large or too many on a real broker: it ends with the dead letters, and the partition goes on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import Producer

from shared.contracts.topics import RECORD_BYTES
from shared.messaging import dead_letters, positions
from shared.messaging.batches import BatchProcessor
from shared.messaging.consumer import BatchConsumer
from shared.messaging.dead_letters import KEPT_BYTES, PART_BYTES, DeadLetterRefusal, Row
from shared.messaging.positions import Place
from shared.messaging.records import Record
from shared.messaging.relay import Relay
from shared.messaging.work import Work
from tests.integration.messaging.test_consumer import consuming, made
from tests.support.messaging import Bench, Effects
from tests.support.waiting import until

pytestmark = pytest.mark.engines

LONG_NAME = "n" * 600_000


class Reading(Effects):
    """Gives up what does not begin with `good`, as a service's handler does with what it cannot read."""

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        good = []
        for record in records:
            if (record.value or b"").startswith(b"good"):
                good.append(record)
            else:
                work.dead_letter(record, "not_json", "the value is not JSON")
        if good:
            await super().handle(work, good)


def packing(bench: Bench, **more: Any) -> Producer:
    options: dict[str, Any] = {
        "compression.type": "zstd",
        "message.max.bytes": 400_000_000,
        "batch.size": 400_000_000,
        "linger.ms": 500,
        "batch.num.messages": 100_000,
        "queue.buffering.max.kbytes": 1_000_000,
        "queue.buffering.max.messages": 100_000,
        **more,
    }
    return Producer(bench.engines.librdkafka(**options))


async def letters(bench: Bench, topic: str) -> list[Row]:
    async with bench.engine.connect() as connection:
        found = [row for row in await dead_letters.listed(connection, limit=10_000) if row.topic == topic]
        whole = [await dead_letters.one(connection, row.id) for row in found]
    return [row for row in whole if row is not None]


async def published(bench: Bench, topic: str, count: int) -> list[Any]:
    """The dead letters of a topic as a reader of the dead-letter topic sees them."""
    relay = Relay(bench.service, bench.dsn, bench.kafka)
    running = asyncio.create_task(relay.run())

    async def enough() -> list[Any]:
        found = [
            message
            for message in await asyncio.to_thread(bench.read, "tiering.dead-letters.v1", 6)
            if dict(message.headers())["x-origin-topic"] == topic.encode()
        ]
        return found if len(found) >= count else []

    try:
        return list(await until(enough, 40))
    finally:
        relay.stop()
        await running


async def reads_all(bench: Bench, topic: str, handler: Effects, good: int, **options: Any) -> BatchConsumer:
    """Until the last good record has been handled and nothing is left."""
    async with consuming(bench, topic, handler, name=topic, **options) as consumer:
        await until(made(bench, topic, good), 60)
        await until(lambda: consumer.healthy() is None)
    return consumer


@pytest.mark.req("PLT-4")
async def test_a_record_that_unpacks_to_more_than_a_topic_takes_stops_nothing_and_is_kept_whole(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    blanks = b" " * 3_000_000
    producer = packing(bench)
    for value in (b"good 1", blanks, b"good 2"):
        producer.produce(topic, value, b"key", headers=[("ce_id", b"1")])
    assert producer.flush(20) == 0
    handler = Reading()
    await reads_all(bench, topic, handler, 2)
    assert [record.value for record in handler.seen] == [b"good 1", b"good 2"]
    (letter,) = await letters(bench, topic)
    assert (letter.reason, letter.offset, letter.key, letter.cut) == ("oversized", 1, b"key", None)
    assert letter.value == blanks
    assert letter.headers == (("ce_id", b"1"),)
    (stub,) = await published(bench, topic, 1)
    headers = dict(stub.headers())
    assert (stub.key(), stub.value()) == (b"key", None)
    assert headers["x-dead-letter"] == f"tiering:{letter.id}".encode()
    assert headers["x-length"] == b"3000000"
    assert headers["x-sha256"] == hashlib.sha256(blanks).hexdigest().encode()
    assert "ce_id" not in headers


@pytest.mark.req("PLT-4")
async def test_a_header_with_a_name_of_600_000_letters_stops_nothing_and_goes_on_byte_for_byte(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    bench.produce(topic, [b"bad"], 0, headers=[(LONG_NAME, b"value")])
    bench.produce(topic, [b"good"], 0)
    await reads_all(bench, topic, Reading(), 1)
    (letter,) = await letters(bench, topic)
    assert (letter.reason, letter.offset, letter.value) == ("not_json", 0, b"bad")
    (message,) = await published(bench, topic, 1)
    assert (message.key(), message.value(), message.headers()[0]) == (b"k0", b"bad", (LONG_NAME, b"value"))


async def test_a_name_that_is_too_long_once_its_bytes_are_written_as_text_stands_in_the_row(
    bench: Bench,
) -> None:
    """On the topic a NUL in a name is written with four letters."""
    name = "\0" * 600_000
    await processed(bench, "names", Reading(), [Record("names", 0, 0, b"k0", b"bad", ((name, b"value"),), 0)])
    (letter,) = await letters(bench, "names")
    assert letter.headers == ((name, b"value"),)
    (stub,) = await published(bench, "names", 1)
    assert (stub.key(), stub.value()) == (b"k0", None)
    assert dict(stub.headers())["x-dead-letter"] == f"tiering:{letter.id}".encode()


async def processed(
    bench: Bench, topic: str, handler: Effects, records: list[Record], size: int = 0, group: str = ""
) -> None:
    """Handle the records in batches of one size, from the position that the first of them has."""
    group, place = group or topic, Place(topic, records[0].partition)
    async with bench.unit_of_work.begin() as work:
        await positions.start_at(work.connection, group, {place: records[0].offset})
        await positions.rewind(work.connection, group, *place, records[0].offset)
    processor = BatchProcessor(group, handler, bench.unit_of_work, asyncio.Event())
    expected = {place: records[0].offset}
    size = size or len(records)
    for start in range(0, len(records), size):
        await processor.process(records[start : start + size], expected)


async def test_a_record_beyond_what_a_row_keeps_leaves_its_beginning_its_length_and_its_hash(
    bench: Bench,
) -> None:
    value = b"x" * (KEPT_BYTES + 1)
    await processed(bench, "long", Reading(), [Record("long", 0, 5, b"key", value, (), 0, "too long")])
    (letter,) = await letters(bench, "long")
    assert letter.value == value[:PART_BYTES]
    assert letter.cut == {
        "value": {"length": len(value), "sha256": hashlib.sha256(value).hexdigest()},
    }
    (stub,) = await published(bench, "long", 1)
    assert dict(stub.headers())["x-sha256"] == hashlib.sha256(value).hexdigest().encode()


async def test_what_cannot_be_sent_back_says_why(bench: Bench) -> None:
    topic = "counter.transactions.v1"
    records = [
        Record(topic, 0, 1, None, b"x" * (KEPT_BYTES + 1), (), 0, "too long"),
        Record(topic, 0, 2, None, b"x" * (RECORD_BYTES + 1), (), 0, "too long"),
        Record(topic, 0, 9, None, b"packed", (), 0, "too much", 3),
    ]
    await processed(bench, topic, Reading(), records)
    found = await letters(bench, topic)
    codes = []
    for letter in found:
        async with bench.unit_of_work.begin() as work:
            refused = await dead_letters.replay(work, letter.id, "steward")
        assert isinstance(refused, DeadLetterRefusal)
        codes.append(refused.code)
    assert codes == ["dead_letter_cut", "dead_letter_too_large", "dead_letter_range"]
    async with bench.unit_of_work.begin() as work:
        await dead_letters.replay(work, found[0].id, "steward", b"corrected")


@pytest.mark.req("PLT-4")
async def test_a_batch_that_unpacks_to_200_mb_is_one_dead_letter_that_names_its_offsets(bench: Bench) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    producer = packing(bench)
    for _ in range(4):
        producer.produce(topic, b" " * 50_000_000)
    assert producer.flush(60) == 0
    bench.produce(topic, [b"good"], 0)
    await reads_all(bench, topic, Reading(), 1)
    found = await letters(bench, topic)
    # How many batches they became is the client's affair.
    offsets = [range(row.offset, (row.last_offset or 0) + 1) for row in found]
    assert [offset for batch in offsets for offset in batch] == [0, 1, 2, 3]
    assert [len(batch) for batch in offsets] == [row.records for row in found]
    assert {row.reason for row in found} == {"oversized"}
    # The batch as it came: whoever wants to can unpack it.
    assert all(row.value is not None and len(row.value) < RECORD_BYTES for row in found)
    stubs = await published(bench, topic, len(found))
    assert sorted(int(dict(stub.headers())["x-last-offset"]) for stub in stubs) == [
        batch[-1] for batch in offsets
    ]


def flood(topic: str, count: int, good_every: int = 0, minute: int = 7) -> list[Record]:
    return [
        Record(
            topic,
            0,
            number,
            None,
            b"good" if good_every and number % good_every == 0 else b"%d" % number,
            (),
            minute * 60_000 + 59_999 * number // count,
        )
        for number in range(count)
    ]


def told(found: list[Row]) -> list[tuple[Any, ...]]:
    return [
        (row.reason, row.offset, row.last_offset, row.records, row.reasons, row.value, row.state)
        for row in found
    ]


@pytest.mark.req("TIE-24", "PLT-2", "PLT-5")
async def test_a_flood_of_bad_records_ends_as_a_range_whatever_the_batches_and_however_often_it_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PER_MINUTE", 20)
    results = []
    for size in (1, 7, 100):
        topic = f"flood-{size}"
        records = flood(topic, 100, good_every=10)
        await processed(bench, topic, Reading(), records, size)
        results.append(told(await letters(bench, topic)))
        # Once more from the beginning, and from the middle of the range.
        await processed(bench, topic, Reading(), records, 13)
        await processed(bench, topic, Reading(), records[50:], 50)
        assert told(await letters(bench, topic)) == results[-1]
        assert len(await published(bench, topic, 21)) == 21
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 21
    # 0, 10, 20 are good; the twentieth bad one is at 22, and the last at 99.
    assert results[0][-1] == ("not_json", 23, 99, 70, {"not_json": 70}, None, "open")


async def test_another_minute_and_another_partition_are_kept_one_by_one_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PER_MINUTE", 5)
    first = flood("minutes", 10)
    second = [record._replace(offset=record.offset + 10) for record in flood("minutes", 4, minute=8)]
    await processed(bench, "minutes", Reading(), first + second)
    await processed(
        bench, "minutes", Reading(), [record._replace(partition=1) for record in flood("minutes", 5)]
    )
    found = await letters(bench, "minutes")
    assert [row.records for row in found] == [1] * 5 + [1] * 4 + [5] + [1] * 5


async def test_many_bytes_are_bounded_as_many_records_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "BYTES_PER_MINUTE", 1000)
    records = [record._replace(value=b"x" * 400) for record in flood("bytes", 6)]
    await processed(bench, "bytes", Reading(), records, 2)
    assert [row.records for row in await letters(bench, "bytes")] == [1, 1, 4]


@pytest.mark.req("PLT-4")
async def test_twenty_thousand_bad_records_in_one_small_batch_leave_few_rows_that_stand_for_all(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=1, config={"message.timestamp.type": "LogAppendTime"})
    producer = packing(bench)
    for _ in range(20_000):
        producer.produce(topic, b"x")
    assert producer.flush(20) == 0
    bench.produce(topic, [b"good"], 0)
    await reads_all(bench, topic, Reading(), 1, max_records=5000)
    found = await letters(bench, topic)
    assert sum(row.records for row in found) == 20_000
    assert len(found) <= 2 * (dead_letters.PER_MINUTE + 1)


async def test_a_batch_that_cannot_be_committed_makes_the_consumer_unwell_until_it_can(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = bench.engines.scratch_topic(partitions=1)
    handler = Effects()
    real = dead_letters.flush
    broken = True

    async def failing(work: Work) -> None:
        if broken and work.dead_letters:
            raise KeyError("giving up fails")
        await real(work)

    monkeypatch.setattr(dead_letters, "flush", failing)
    handler.poison = {b"bad"}
    bench.produce(topic, [b"bad", b"good"], 0)
    async with consuming(bench, topic, handler) as consumer:
        await until(lambda: "cannot be handled" in (consumer.healthy() or ""))
        broken = False
        await until(made(bench, topic, 1))
        await until(lambda: consumer.healthy() is None)


async def test_a_partition_that_stands_still_while_others_move_makes_the_consumer_unwell(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic(partitions=2)
    handler = Effects()
    async with consuming(bench, topic, handler, standing_seconds=0.5) as consumer:
        bench.produce(topic, [b"a"], 0)
        bench.produce(topic, [b"a"], 1)
        await until(made(bench, topic, 2))
        assert consumer._consumer is not None
        stopped = next(at for at in consumer._consumer.assignment() if at.partition == 1)
        consumer._consumer.pause(stopped)
        bench.produce(topic, [b"b"], 1)

        async def unwell() -> bool:
            bench.produce(topic, [b"b"], 0)
            await consumer.stuck_seconds()
            return f"{topic}/1 stands still" in (consumer.healthy() or "")

        await until(unwell)
        consumer._consumer.resume(stopped)

        async def well() -> bool:
            await consumer.stuck_seconds()
            return consumer.healthy() is None

        await until(well)
