"""The relay on real engines: every committed row reaches readers exactly once and in order, whatever is done to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import text

from shared import failpoints
from shared.messaging.records import Outgoing
from shared.messaging.relay import Relay
from tests.support.messaging import Bench
from tests.support.waiting import until

pytestmark = pytest.mark.engines
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def relay_process(
    bench: Bench, log: Path, orders: str = "", lease: float = 2.0
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.relay_process"],
            cwd=ROOT,
            stderr=output,
            stdout=output,
            env={
                **os.environ,
                "KEYPOST_FAILPOINTS": orders,
                "KAFKA": bench.kafka.bootstrap,
                "KAFKA_USER": bench.service,
                "KAFKA_PASSWORD": bench.kafka.password,
                "DSN": bench.dsn,
                "LEASE": str(lease),
            },
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(10)


@asynccontextmanager
async def relaying(bench: Bench) -> AsyncIterator[Relay]:
    relay = Relay(bench.service, bench.dsn, bench.kafka)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await running


async def commit(bench: Bench, topic: str, numbers: range, keys: int = 7) -> None:
    """One transaction for each number, as the relay would meet them in life."""
    for number in numbers:
        async with bench.unit_of_work.begin() as work:
            work.publish(
                Outgoing(
                    topic, b"k%d" % (number % keys), b"%d" % number, (("bytes", b"\xff"), ("null", None))
                )
            )


def each_once_in_order(messages: list[Any], numbers: range) -> None:
    values = [int(message.value()) for message in messages]
    assert sorted(values) == list(numbers), f"{len(values)} records, {len(set(values))} different ones"
    for key in {message.key() for message in messages}:
        of_key = [int(message.value()) for message in messages if message.key() == key]
        assert of_key == sorted(of_key), key


async def published(bench: Bench, topic: str, count: int, seconds: float = 40) -> list[Any]:
    async def all_of_them() -> list[Any]:
        found = await asyncio.to_thread(bench.read, topic)
        return found if len(found) >= count else []

    found: list[Any] = await until(all_of_them, seconds, f"{count} records on {topic}")
    return found


@pytest.mark.req("PLT-2")
async def test_rows_of_concurrent_writers_are_published_in_the_order_of_their_commits(bench: Bench) -> None:
    topic = bench.engines.scratch_topic()
    # Every third writer sleeps between taking its ids and committing: where ids do not commit in order, the relay
    # has passed them by the time they appear.
    failpoints.arm("outbox_after_id=delay:150%3")

    async def writer(name: int) -> None:
        for number in range(15):
            async with bench.unit_of_work.begin() as work:
                work.publish(Outgoing(topic, b"w%d" % name, b"%d" % number))

    async with relaying(bench) as relay:
        # The relay has to be at work meanwhile, or there is nothing that it could pass by.
        await until(lambda: relay.healthy() is None)
        await asyncio.gather(*(writer(name) for name in range(6)))
        messages = await published(bench, topic, 90)
    assert len(messages) == 90
    for name in range(6):
        assert [int(m.value()) for m in messages if m.key() == b"w%d" % name] == list(range(15))


@pytest.mark.req("PLT-2")
async def test_published_rows_leave_the_outbox_and_headers_arrive_byte_for_byte(bench: Bench) -> None:
    topic = bench.engines.scratch_topic()
    async with relaying(bench):
        await commit(bench, topic, range(20))
        messages = await published(bench, topic, 20)

        async def empty() -> bool:
            return bool((await bench.rows("SELECT count(*) AS n FROM outbox"))[0].n == 0)

        await until(empty)
    each_once_in_order(messages, range(20))
    assert messages[0].headers() == [("bytes", b"\xff"), ("null", None)]


@pytest.mark.req("PLT-2")
async def test_a_record_without_a_value_arrives_without_one_and_keeps_key_and_headers(bench: Bench) -> None:
    topic = bench.engines.scratch_topic("relay")
    async with bench.unit_of_work.begin() as work:
        work.publish(Outgoing(topic, b"k", b"a state", (("ce_id", b"1"),)))
        work.publish(Outgoing(topic, b"k", None, (("ce_id", b"2"),)))
        work.publish(Outgoing(topic, b"k", b"", (("ce_id", b"3"),)))
    async with relaying(bench):
        messages = await published(bench, topic, 3)
    assert [(message.key(), message.value(), message.headers()) for message in messages] == [
        (b"k", b"a state", [("ce_id", b"1")]),
        (b"k", None, [("ce_id", b"2")]),
        (b"k", b"", [("ce_id", b"3")]),
    ]


@pytest.mark.req("PLT-2")
async def test_a_relay_killed_around_its_commit_publishes_each_row_exactly_once(
    bench: Bench, tmp_path: Path
) -> None:
    topic = bench.engines.scratch_topic()
    written = 0
    for point in ("relay_after_send", "relay_before_commit", "relay_after_commit"):
        with relay_process(bench, tmp_path / "relay.log", f"{point}=kill@3") as process:
            # Rows keep coming, so that each victim dies in the middle of its work.
            deadline = asyncio.get_running_loop().time() + 30
            while process.poll() is None:
                assert asyncio.get_running_loop().time() < deadline, point
                await commit(bench, topic, range(written, written + 5))
                written += 5
            assert process.returncode == -signal.SIGKILL
    async with relaying(bench):
        messages = await published(bench, topic, written)
    each_once_in_order(messages, range(written))


@pytest.mark.req("PLT-2")
async def test_a_relay_that_was_stopped_in_its_transaction_is_fenced_when_it_wakes_up(
    bench: Bench, tmp_path: Path
) -> None:
    topic = bench.engines.scratch_topic()
    log = tmp_path / "zombie.log"
    with relay_process(bench, log, "relay_before_commit=delay:1500") as zombie:
        await commit(bench, topic, range(50))
        await until(lambda: b"leading" in log.read_bytes())

        async def has_sent() -> bool:
            # Sent but not committed: the end of the log is behind what a committed reader may see.
            return bool(await asyncio.to_thread(open_records, bench, topic))

        await until(has_sent)
        os.kill(zombie.pid, signal.SIGSTOP)
        with relay_process(bench, tmp_path / "successor.log"):
            await commit(bench, topic, range(50, 100))
            await published(bench, topic, 100)
            os.kill(zombie.pid, signal.SIGCONT)
            await until(lambda: b"starts again" in log.read_bytes())
            await commit(bench, topic, range(100, 150))
            messages = await published(bench, topic, 150)
            assert zombie.poll() is None
    each_once_in_order(messages, range(150))


def open_records(bench: Bench, topic: str) -> int:
    ends = []
    for level in ("read_uncommitted", "read_committed"):
        consumer = Consumer(bench.engines.librdkafka(**{"group.id": "tests", "isolation.level": level}))
        total = 0
        for partition in range(3):
            consumer.assign([TopicPartition(topic, partition, 0)])
            total += consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)[1]
        consumer.close()
        ends.append(total)
    return ends[0] - ends[1]


async def test_a_relay_whose_position_topic_is_lost_goes_on_from_the_note_in_the_database(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic()
    async with relaying(bench) as relay:
        await commit(bench, topic, range(5))
        await published(bench, topic, 5)
        await until(lambda: relay.healthy() is None)
        position = relay.published
    async with bench.unit_of_work.begin() as work:
        await work.connection.execute(text("UPDATE relay_hint SET published_id = :at"), {"at": position + 10})
        await work.connection.execute(text("SELECT setval('outbox_id_seq', :at)"), {"at": position + 10})
    async with relaying(bench) as relay:
        await until(lambda: relay.published)
        assert relay.published == position + 10
        await commit(bench, topic, range(5, 8))
        messages = await published(bench, topic, 8)
    each_once_in_order(messages, range(8))


async def test_a_database_restored_to_an_earlier_time_numbers_on_above_what_is_published(
    bench: Bench,
) -> None:
    topic = bench.engines.scratch_topic()
    async with relaying(bench):
        await commit(bench, topic, range(5))
        await published(bench, topic, 5)
    async with bench.unit_of_work.begin() as work:
        await work.connection.execute(text("DELETE FROM relay_hint"))
        await work.connection.execute(text("SELECT setval('outbox_id_seq', 1)"))
    async with relaying(bench) as relay:
        await until(lambda: relay.published)
        await commit(bench, topic, range(5, 10))
        messages = await published(bench, topic, 10)
    each_once_in_order(messages, range(10))
