"""Putting records into topics, as the owner of the topic does it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from bench.engines import Engines
from bench.workload import Headers, Workload
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS


def producer(engines: Engines, user: str, topic: str, **more: Any) -> Producer:
    """The partitioner is that of the Java client, as with every producer of the system."""
    _wait_allowed(engines, user, topic)
    return Producer(
        engines.client(
            user, **{"partitioner": "murmur2_random", "enable.idempotence": True, "log_level": 0, **more}
        )
    )


def send_customers(engines: Engines, workload: Workload) -> None:
    records = (
        (state.key.encode(), outgoing.value, list(outgoing.headers))
        for state in workload.customer_states()
        for outgoing in (state.outgoing(id=state.event_id, time=state.as_of),)
    )
    _send(producer(engines, "registry", CUSTOMERS, **{"linger.ms": 50}), CUSTOMERS, records)


def send_backlog(engines: Engines, workload: Workload) -> None:
    _send(
        producer(engines, "counter", COUNTER_TRANSACTIONS, **{"linger.ms": 50}),
        COUNTER_TRANSACTIONS,
        workload.sent(),
    )


def _send(sender: Producer, topic: str, records: Iterable[tuple[bytes, bytes, Headers | list[Any]]]) -> None:
    for key, value, headers in records:
        while True:
            try:
                sender.produce(topic, value, key, headers=headers)
                break
            except BufferError:
                sender.poll(0.1)
        sender.poll(0)
    if sender.flush(300):
        raise TimeoutError(f"not everything was sent to {topic}")


def _wait_allowed(engines: Engines, user: str, topic: str) -> None:
    """Access rules that have just been made take a moment to reach the broker's authoriser, and an idempotent producer
    that is refused once is of no more use."""
    asking = AdminClient(engines.client(user))
    deadline = time.monotonic() + 30
    while asking.list_topics(topic, 30).topics[topic].error is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{user} may not write to {topic}")
        time.sleep(0.1)
