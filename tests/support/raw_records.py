"""Records that no well-behaved client writes: a batch built by hand, so that header names can be any bytes."""

from __future__ import annotations

import struct
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from shared.clock import SystemClock
from tests.support.waiting import until

PLACEHOLDER = "NAME"
BAD_NAME = b"\xff\xfe\x00\x80"
UNKNOWN_TOPIC = 3
_CRC_AT, _ATTRIBUTES_AT = 17, 21


def batch(values: list[bytes], bad: int, codec: int = 0) -> bytes:
    """A batch of records, the one numbered `bad` with a header whose name is `BAD_NAME`."""
    builder: Any = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        name = PLACEHOLDER if number == bad else "good"
        builder.append(
            number,
            int(SystemClock().now().timestamp() * 1000),
            b"key",
            value,
            [(name, b"\xff"), ("empty", b""), ("null", None)],
        )
    raw = bytearray(bytes(builder.build()).replace(PLACEHOLDER.encode(), BAD_NAME))
    struct.pack_into(">I", raw, _CRC_AT, calc_crc32c(bytes(raw[_ATTRIBUTES_AT:])))
    return bytes(raw)


async def produce_raw(topic: str, partition: int, raw: bytes, **access: Any) -> int:
    """Send the bytes as they are; returns the broker's error code, 0 where it took them."""
    client: Any = AIOKafkaClient(**access)
    await client.bootstrap()
    try:
        answer = -1

        async def answered() -> bool:
            nonlocal answer
            await client.add_topic(topic)
            await client.force_metadata_update()
            node = next(iter(client.cluster.brokers())).nodeId
            response = await client.send(
                node, ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])])
            )
            answer = int(response.topics[0][1][0][1])
            # A topic made a moment ago may not have reached the broker's own view of the cluster.
            return answer != UNKNOWN_TOPIC

        await until(answered)
        return answer
    finally:
        await client.close()
