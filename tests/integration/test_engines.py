"""The embedded engines hold the promises that the services build on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

from deploy.embedded import provision
from shared.contracts.topics import BY_NAME, COUNTER_TRANSACTIONS, DEAD_LETTER_BYTES, TIER_CHANGES, TOPICS
from shared.contracts.topics import dead_letter_topic as dead_letters
from tests.support.engines import Database, Engines, own_folder, running_engines

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("engines") as folder, running_engines(folder) as running:
        yield running


def plain(database: Database, role: str) -> str:
    return database.dsn(role, "postgresql")


def produce(engines: Engines, user: str, topic: str, value: bytes = b"x", **more: Any) -> KafkaError | None:
    """Send one record and return what the broker said of it."""
    answers: list[KafkaError | None] = []
    producer = Producer(engines.librdkafka(user, **{"log_level": 0, "message.timeout.ms": 15_000, **more}))
    producer.produce(topic, value, on_delivery=lambda error, _message: answers.append(error))
    producer.flush(20)
    return answers[0]


def read_one(engines: Engines, user: str, group: str, topic: str) -> bytes | KafkaError | None:
    consumer = Consumer(
        engines.librdkafka(user, **{"group.id": group, "auto.offset.reset": "earliest", "log_level": 0})
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(20)
        assert message is not None, "neither a record nor an error came"
        return message.error() or message.value()
    finally:
        consumer.close()


@pytest.mark.req("PLT-1")
def test_every_topic_of_the_table_exists_with_its_partitions_and_settings(engines: Engines) -> None:
    found = engines.admin.list_topics(timeout=10).topics
    assert {t.name: len(found[t.name].partitions) for t in TOPICS} == {t.name: t.partitions for t in TOPICS}
    described = engines.admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in TOPICS]
    )
    for resource, future in described.items():
        wanted = BY_NAME[resource.name].config
        assert {key: future.result()[key].value for key in wanted} == wanted


def test_topics_are_never_made_by_writing_to_them(engines: Engines) -> None:
    error = produce(engines, "admin", "nobody.made.this", b"x", **{"message.timeout.ms": 3_000})
    assert error is not None
    assert "nobody.made.this" not in engines.admin.list_topics(timeout=10).topics


@pytest.mark.req("PLT-12")
def test_a_counter_writes_transactions_and_no_tier_changes(engines: Engines) -> None:
    assert produce(engines, "counter", COUNTER_TRANSACTIONS) is None
    refused = produce(engines, "counter", TIER_CHANGES)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.req("PLT-12")
def test_a_subscriber_reads_tier_changes_in_its_own_groups_only(engines: Engines) -> None:
    assert produce(engines, "tiering", TIER_CHANGES, b"promoted") is None
    assert read_one(engines, "subscriber", "subscriber.region", TIER_CHANGES) == b"promoted"
    foreign = read_one(engines, "subscriber", "tiering.transactions", TIER_CHANGES)
    assert isinstance(foreign, KafkaError)
    assert foreign.code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    other = read_one(engines, "subscriber", "subscriber.region", COUNTER_TRANSACTIONS)
    assert isinstance(other, KafkaError)
    assert other.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.req("PLT-12")
def test_a_wrong_password_opens_nothing(engines: Engines) -> None:
    assert produce(
        engines, "counter", COUNTER_TRANSACTIONS, b"x", **{"sasl.password": "x", "message.timeout.ms": 2_000}
    )


@pytest.mark.req("PLT-12")
def test_a_service_opens_transactions_under_its_own_relay_names_only(engines: Engines) -> None:
    own = Producer(engines.librdkafka("tiering", **{"transactional.id": "tiering.relay.0", "log_level": 0}))
    own.init_transactions(20)
    own.begin_transaction()
    own.produce(TIER_CHANGES, b"in a transaction")
    own.abort_transaction(20)
    foreign = Producer(
        engines.librdkafka("tiering", **{"transactional.id": "claims.relay.0", "log_level": 0})
    )
    with pytest.raises(KafkaException):
        foreign.init_transactions(20)


def test_the_largest_dead_letter_fits_and_an_input_record_of_that_size_does_not(engines: Engines) -> None:
    large = {"message.max.bytes": 8_000_000}
    value = bytes(DEAD_LETTER_BYTES - 1_000)
    assert produce(engines, "tiering", dead_letters("tiering"), value, **large) is None
    refused = produce(engines, "counter", COUNTER_TRANSACTIONS, value, **large)
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_provisioning_again_changes_nothing(engines: Engines) -> None:
    def rules() -> set[object]:
        return set(engines.admin.describe_acls(provision.ANY_RULE).result())

    before = rules()
    provision.create_topics(engines.admin, TOPICS)
    provision.allow(engines.admin, provision.wanted_rules(TOPICS))
    assert rules() == before


async def test_tables_of_the_owner_are_the_writers_to_change_and_the_verifiers_to_read(
    tiering_database: Database,
) -> None:
    owner = await asyncpg.connect(plain(tiering_database, "tiering_owner"))
    await owner.execute("create table ledger (id bigint generated always as identity primary key, note text)")
    await owner.close()
    writer = await asyncpg.connect(plain(tiering_database, "tiering_writer"))
    await writer.execute("insert into ledger (note) values ('booked')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.execute("create table own (id int)")
    await writer.close()
    verifier = await asyncpg.connect(plain(tiering_database, "verifier"))
    assert await verifier.fetchval("select note from ledger") == "booked"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await verifier.execute("delete from ledger")
    await verifier.close()
    reader = await asyncpg.connect(plain(tiering_database, "tiering_reader"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.fetchval("select note from ledger")
    await reader.close()


async def test_row_level_security_binds_the_reader_and_leaves_the_batch_writer_free_to_copy(
    tiering_database: Database,
) -> None:
    owner = await asyncpg.connect(plain(tiering_database, "tiering_owner"))
    await owner.execute(
        "create table scoped (unit text); alter table scoped enable row level security;"
        "alter table scoped force row level security; grant select on scoped to tiering_reader;"
        "create policy by_unit on scoped for select to tiering_reader"
        " using (unit = current_setting('app.unit', true))"
    )
    await owner.close()
    writer = await asyncpg.connect(plain(tiering_database, "tiering_writer"))
    await writer.copy_records_to_table("scoped", records=[("3201",), ("3205",)])
    await writer.close()
    reader = await asyncpg.connect(plain(tiering_database, "tiering_reader"))
    assert await reader.fetch("select unit from scoped") == []
    async with reader.transaction():
        await reader.execute("set local app.unit = '3205'")
        assert [row["unit"] for row in await reader.fetch("select unit from scoped")] == ["3205"]
    await reader.close()


@pytest.mark.req("PLT-3")
async def test_one_services_role_cannot_enter_anothers_database(engines: Engines) -> None:
    claims = engines.database("claims")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(claims.dsn("tiering_writer", "postgresql"))


async def test_commits_are_written_through_to_the_disk(engines: Engines) -> None:
    verifier = await asyncpg.connect(engines.database("tiering").dsn("verifier", "postgresql"))
    assert [
        await verifier.fetchval(f"show {name}")
        for name in ("fsync", "synchronous_commit", "full_page_writes")
    ] == [
        "on",
        "on",
        "on",
    ]
    await verifier.close()


@pytest.mark.req("PLT-2")
async def test_both_engines_come_back_from_a_kill_with_everything_they_acknowledged(engines: Engines) -> None:
    topic = engines.scratch_topic("survives", producers=("tiering",), consumers=("tiering",), partitions=1)
    database = engines.scratch_database()
    try:
        assert produce(engines, "tiering", topic, b"kept", acks="all") is None
        owner = await asyncpg.connect(plain(database, "tiering_owner"))
        await owner.execute("create table kept (n int)")
        await owner.execute("insert into kept values (1)")
        await owner.close()
        restart(engines.kafka.kill, engines.kafka.start, engines.kafka.wait_ready)
        restart(engines.postgres.kill, engines.postgres.start, engines.postgres.wait_ready)
        owner = await asyncpg.connect(plain(database, "tiering_owner"))
        assert await owner.fetchval("select n from kept") == 1
        await owner.close()
        assert read_one(engines, "tiering", "tiering.survivor", topic) == b"kept"
    finally:
        engines.drop_database(database)


def restart(kill: Callable[[], None], start: Callable[[], object], wait_ready: Callable[[], None]) -> None:
    kill()
    start()
    wait_ready()


def test_no_secret_shows_in_the_arguments_or_logs_of_an_engine(engines: Engines) -> None:
    processes = [engines.kafka.process, engines.postgres.process]
    shown = b"".join(Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in processes if process)
    for log in engines.kafka.logs.iterdir():
        with contextlib.suppress(FileNotFoundError):
            shown += log.read_bytes()
    for password in (*engines.kafka_passwords.values(), *engines.postgres_passwords.values()):
        assert password.encode() not in shown


def test_the_engines_are_ready_within_a_minute_of_a_stop(engines: Engines) -> None:
    """A generous bound: it is here to notice a broker that waits out a session, not to measure."""
    began = time.monotonic()
    engines.kafka.stop()
    engines.postgres.stop()
    engines.kafka.start()
    engines.postgres.start()
    engines.kafka.wait_ready()
    engines.postgres.wait_ready()
    assert time.monotonic() - began < 60
