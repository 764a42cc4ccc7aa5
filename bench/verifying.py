"""Whether a contender arrived at what the oracle says: a fast wrong answer is no figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any, Final

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from bench.engines import Engines
from bench.workload import LINES, Change, Expected, Workload

_TOTALS: Final = Struct(">8q")


def committed_records(engines: Engines, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Key and value of everything in a topic, as a reader of committed records finds it."""
    consumer = Consumer(
        engines.client(
            **{
                "group.id": "bench.verify",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
    )
    try:
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        left = len(partitions)
        while left:
            for message in consumer.consume(5000, 0.5):
                error = message.error()
                if error is None:
                    yield message.key(), message.value()  # type: ignore[misc]
                elif error.code() == KafkaError._PARTITION_EOF:
                    left -= 1
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def read_changes(engines: Engines, topic: str) -> list[Change]:
    """The tier changes of city-default in a topic."""
    changes = []
    for _, value in committed_records(engines, topic):
        data: dict[str, Any] = orjson.loads(value or b"{}")
        if data["scheme"] == "city-default":
            fen = int(data["total"].replace(".", ""))
            cause = (data["caused_by"] or {}).get("id", "")
            changes.append(
                Change(data["customer_code"], data["version"], data["from_tier"], data["to_tier"], fen, cause)
            )
    return changes


def read_streams_totals(engines: Engines, topic: str, year: int) -> dict[tuple[str, int], int]:
    """Fen by (customer code, line) from the changelog of the peer's store."""
    totals: dict[tuple[str, int], int] = {}
    for key, value in committed_records(engines, topic):
        code, _, of_year = (key or b"").decode().partition("|")
        if value is not None and int(of_year) == year:
            totals.update({(code, line): fen for line, fen in enumerate(_TOTALS.unpack_from(value))})
    return totals


def differences(
    workload: Workload, expected: Expected, totals: Mapping[tuple[str, int], int], changes: list[Change]
) -> list[str]:
    """What differs, in words; empty when nothing does."""
    faults = []
    wanted = {
        (workload.codes[customer], line): fen for (customer, line), fen in expected.totals.items() if fen
    }
    found = {at: fen for at, fen in totals.items() if fen}
    if wanted != found:
        wrong = [at for at in wanted.keys() | found.keys() if wanted.get(at, 0) != found.get(at, 0)]
        code, line = min(wrong)
        faults.append(f"{len(wrong)} totals differ, such as {code} {LINES[line]}")
    if sorted(expected.changes) != sorted(changes):
        wrong_changes = set(expected.changes) ^ set(changes)
        faults.append(
            f"{len(changes)} tier changes instead of {len(expected.changes)}, {len(wrong_changes)} of them differ"
        )
    by_customer: dict[str, int] = {}
    for change in changes:
        if change.version != by_customer.get(change.customer_code, 0) + 1:
            faults.append(f"the tier changes of {change.customer_code} are out of order")
            break
        by_customer[change.customer_code] = change.version
    return faults
