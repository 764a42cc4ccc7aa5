"""Who may read a topic is who does: the table of topics, the services' own subscriptions, access rules and documents agree."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]
from pydantic import SecretStr

from deploy.embedded.provision import wanted_rules
from services.claims.settings import Settings as ClaimsSettings
from services.registry.settings import RegistrySettings
from services.reporting.settings import Settings as ReportingSettings
from services.tiering.settings import TieringSettings
from shared.contracts import generate
from shared.contracts.counter_systems import SYSTEMS
from shared.contracts.topics import COUNTER_TRANSACTIONS, SERVICES, TOPICS, relay_topic
from shared.service import Platform, Service
from shared.settings import ServiceSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "registry": RegistrySettings,
    "tiering": TieringSettings,
    "claims": ClaimsSettings,
    "reporting": ReportingSettings,
}


def built(name: str, platform: Platform | None = None) -> Service:
    """The service as its main.py puts it together; nothing is started or connected."""
    nowhere = SecretStr("postgresql+asyncpg://nobody@localhost/nowhere")
    settings = SETTINGS[name](
        http_port=1,
        database_url=nowhere,
        reader_database_url=nowhere,
        kafka_bootstrap="localhost:1",
        kafka_security="PLAINTEXT",
    )
    platform = platform or Platform.of(name, settings)
    made: Service = import_module(f"services.{name}.main").build(platform)
    return made


def subscriptions(name: str) -> set[str]:
    return {topic for consumer in built(name).consumers for topic in consumer.topics}


@pytest.mark.req("PLT-12")
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_a_consumer_of_exactly_the_topics_that_it_subscribes_to(name: str) -> None:
    declared = {topic.name for topic in TOPICS if name in topic.consumers}
    assert declared - {relay_topic(name)} == subscriptions(name)


@pytest.mark.req("PLT-12")
def test_access_rules_let_a_service_read_what_it_consumes_and_nothing_else() -> None:
    readers: dict[str, set[str]] = {}
    for rule in wanted_rules(TOPICS):
        if rule.restype is ResourceType.TOPIC and rule.operation is AclOperation.READ:
            readers.setdefault(rule.principal.removeprefix("User:"), set()).add(rule.name)
    for name in SERVICES:
        assert readers[name] - {relay_topic(name)} == subscriptions(name)
    assert {user for user, topics in readers.items() if COUNTER_TRANSACTIONS in topics} == {
        "tiering",
        "verifier",
    }
    assert readers["counter"] == {"counter.receipts.v1"}
    for system in SYSTEMS:
        assert readers[system.user] == {system.receipts_topic}
    assert readers["subscriber"] == {"tiering.tier-changes.v1", "tiering.tiers.v1"}


@pytest.mark.req("PLT-12")
def test_a_counter_system_writes_to_its_own_topic_and_the_shared_user_to_the_shared_ones() -> None:
    writers: dict[str, set[str]] = {}
    for rule in wanted_rules(TOPICS):
        if rule.restype is ResourceType.TOPIC and rule.operation is AclOperation.WRITE:
            writers.setdefault(rule.principal.removeprefix("User:"), set()).add(rule.name)
    assert writers["counter"] == {COUNTER_TRANSACTIONS, "counter.control-totals.v1"}
    for system in SYSTEMS:
        assert writers[system.user] == {system.transactions_topic}
    assert not {"subscriber", "verifier"} & writers.keys()


@pytest.mark.req("PLT-6")
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_s_document_tells_what_it_receives(name: str) -> None:
    operations: dict[str, Any] = generate.asyncapi(name)["operations"]
    received = {key.removeprefix("receive.") for key in operations if key.startswith("receive.")}
    # A topic that nothing is published on yet has no operation.
    silent = {
        topic.name for topic in TOPICS if f"send.{topic.name}" not in generate.asyncapi(None)["operations"]
    }
    assert received == subscriptions(name) - silent
