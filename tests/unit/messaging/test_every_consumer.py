"""No consumer of any service is stopped by a record that is too large: with its own handler, on memory for a database."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pydantic import SecretStr

from services.registry.settings import RegistrySettings
from services.reporting.settings import Settings as ReportingSettings
from services.tiering.settings import TieringSettings
from shared.contracts.topics import RECORD_BYTES, SERVICES
from shared.messaging.batches import BatchProcessor
from shared.messaging.consumer import BatchConsumer
from shared.messaging.dead_letters import published
from shared.messaging.positions import Place
from shared.messaging.records import Record, check_size
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Platform
from shared.settings import ServiceSettings
from tests.unit.messaging.test_batches import Memory

SETTINGS: dict[str, type[ServiceSettings]] = {
    "registry": RegistrySettings,
    "tiering": TieringSettings,
    "reporting": ReportingSettings,
}
NOWHERE = SecretStr("postgresql+asyncpg://nobody@localhost/nowhere")
TOO_LARGE = {
    "a record that unpacks to 3 MB": ("k", b" " * 3_000_000, (), "the record has 3000000 bytes", None),
    "a batch that unpacks beyond the limit": (None, b"packed", (), "a batch of 4 records", 2),
    "a header name of 600 000 letters": ("k", b"no event", (("n" * 600_000, b""),), None, None),
    "a header name that no text is": ("k", b"no event", (("\udcff" * 600_000, b""),), None, None),
    "a key of 1 MB": ("k" * (RECORD_BYTES - 1000), b"no event", (), None, None),
}


def consumers() -> Iterator[tuple[str, BatchConsumer]]:
    for name in SERVICES:
        settings = SETTINGS.get(name, ServiceSettings)(
            http_port=1,
            database_url=NOWHERE,
            reader_database_url=NOWHERE,
            kafka_bootstrap="localhost:1",
            kafka_security="PLAINTEXT",
        )
        service = importlib.import_module(f"services.{name}.main").build(Platform.of(name, settings))
        for consumer in service.consumers:
            yield name, consumer


@pytest.mark.req("PLT-4")
@pytest.mark.parametrize("form", TOO_LARGE)
async def test_every_consumer_gives_a_record_up_that_is_too_large_and_goes_on(form: str) -> None:
    key, value, headers, oversized, first = cast(Any, TOO_LARGE[form])
    tried = 0
    for service, consumer in consumers():
        for topic in consumer.topics:
            if topic.endswith(".dead-letters.v1"):
                continue  # What is a dead letter already does not become one again.
            memory, place = Memory(), Place(topic, 0)
            processor = BatchProcessor(
                consumer.group, consumer._handler, cast(UnitOfWork, memory), asyncio.Event()
            )
            record = Record(topic, 0, 5, key and key.encode(), value, headers, 0, oversized, first)
            expected = {place: 0}
            await processor.process([record], expected)
            assert expected[place] == memory.position == 6, (consumer.group, topic)
            assert [letter.record for letter in memory.letters] == [record], (consumer.group, topic)
            letter = memory.letters[0]
            assert (letter.reason == "oversized") == (oversized is not None)
            check_size(published(service, letter, memory.now, 1))
            tried += 1
    assert tried >= 10
