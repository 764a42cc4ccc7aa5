"""How long it takes from a transaction to its tier change, as a foreign client of both sees it, at a steady rate."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import orjson
from confluent_kafka import Consumer, TopicPartition

from bench.engines import Engines
from bench.sending import producer
from bench.workload import THRESHOLDS_FEN, Sale, Workload, event_id
from shared.contracts.topics import COUNTER_TRANSACTIONS, TIER_CHANGES

EVERY: Final = 5
"""One of so many transactions raises a tier; the others are small change of other customers."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, sorted, of the changes that came; `missing` did not."""

    contender: str
    rate: int
    ms: tuple[float, ...]
    missing: int

    def at(self, share: float) -> float:
        if not self.ms:
            return float("nan")
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))]


def measure(
    engines: Engines, workload: Workload, contender: str, topic: str, rate: int, warm_s: float, seconds: float
) -> Latency:
    """Send at `rate` for a warm-up and then for `seconds`, and read `topic` meanwhile."""
    raising, others = workload.customers // 2, workload.customers - workload.customers // 2
    count, warm = int(rate * (warm_s + seconds)), int(rate * warm_s)
    # Every customer's tier is raised once, so where customers are few they are spread over the whole time.
    every = max(EVERY, -(-count // max(1, raising)))
    reader = _Reader(engines, topic)
    sender = producer(engines, "counter", COUNTER_TRANSACTIONS, **{"linger.ms": 0})
    sent_at: dict[str, float] = {}
    started = time.perf_counter()
    for number in range(count):
        due = started + number / rate
        while (left := due - time.perf_counter()) > 0:
            sender.poll(0)
            time.sleep(min(left, 0.002))
        raises = number % every == 0
        customer = number // every if raises else raising + number % others
        fen = THRESHOLDS_FEN[0] if raises else 125
        day = len(workload.days) - 1
        record = workload.record(Sale(number, customer, number % 8, fen, 1, day, 0, number % 2000))
        if raises and number >= warm:
            sent_at[event_id(number)] = time.perf_counter()
        sender.produce(COUNTER_TRANSACTIONS, record.value, record.key, headers=record.headers)
    sender.flush(30)
    came_at = reader.wait_for(set(sent_at), 20)
    ms = sorted((came_at[cause] - at) * 1000 for cause, at in sent_at.items() if cause in came_at)
    return Latency(contender, rate, tuple(ms), len(sent_at) - len(ms))


class _Reader:
    """A subscriber with the client's defaults, in a thread of its own: cause of a change → when it was read."""

    def __init__(self, engines: Engines, topic: str) -> None:
        self._consumer = Consumer(
            engines.client(
                "subscriber" if topic == TIER_CHANGES else "admin",
                **{
                    "group.id": "subscriber.bench",
                    "enable.auto.commit": False,
                    "isolation.level": "read_committed",
                },
            )
        )
        partitions = self._consumer.list_topics(topic, 30).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._came: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._ending.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error():
                continue
            now = time.perf_counter()
            data = orjson.loads(message.value() or b"{}")
            if data["scheme"] == "city-default":
                self._came[data["caused_by"]["id"]] = now

    def wait_for(self, causes: set[str], seconds: float) -> dict[str, float]:
        deadline = time.monotonic() + seconds
        while not causes <= self._came.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._ending.set()
        self._thread.join()
        self._consumer.close()
        return self._came
