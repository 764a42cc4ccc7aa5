"""Records that no well-behaved client writes: a batch built by hand, so that header names can be any bytes."""

from __future__ import annotations

import struct
import time
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

PLACEHOLDER = "NAME"
BAD_NAME = b"\xff\xfe\x00\x80"
_CRC_AT, _ATTRIBUTES_AT = 17, 21


def batch(values: list[bytes], bad: int, codec: int = 0) -> bytes:
    """A batch of records, the one numbered `bad` with a header whose name is `BAD_NAME`."""
    builder: Any = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        name = PLACEHOLDER if number == bad else "good"
        builder.append(
            number, int(time.time() * 1000), b"key", value, [(name, b"\xff"), ("empty", b""), ("null", None)]
        )
    raw = bytearray(bytes(builder.build()).replace(PLACEHOLDER.encode(), BAD_NAME))
    struct.pack_into(">I", raw, _CRC_AT, calc_crc32c(bytes(raw[_ATTRIBUTES_AT:])))
    return bytes(raw)


async def produce_raw(topic: str, partition: int, raw: bytes, **access: Any) -> int:
    """Send the bytes as they are; returns the broker's error code, 0 where it took them."""
    client: Any = AIOKafkaClient(**access)
    await client.bootstrap()
    try:
        await client.add_topic(topic)
        await client.force_metadata_update()
        node = next(iter(client.cluster.brokers())).nodeId
        answer = await client.send(node, ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])]))
        return int(answer.topics[0][1][0][1])
    finally:
        await client.close()
