"""One Kafka and one PostgreSQL for a whole test session, and fresh topics and databases for each module that
asks.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from deploy.embedded import provision
from deploy.embedded.kafka import ADMIN, Kafka, free_ports, install, make_class_archive
from deploy.embedded.postgres import ROLES, SUPERUSER, Postgres, create_database
from deploy.embedded.postgres import provision as provision_postgres
from shared.contracts.topics import TOPICS, Topic
from shared.migrating import upgrade


@dataclass(frozen=True, slots=True)
class Database:
    """A service's database: addresses for each role, by driver."""

    name: str
    service: str
    engines: Engines

    @property
    def owner(self) -> str:
        return self.dsn(f"{self.service}_owner")

    @property
    def writer(self) -> str:
        return self.dsn(f"{self.service}_writer")

    @property
    def reader(self) -> str:
        return self.dsn(f"{self.service}_reader")

    def dsn(self, role: str, driver: str = "postgresql+asyncpg") -> str:
        """`driver="postgresql"` gives the address as asyncpg itself takes it."""
        return self.engines.postgres.url(role, self.engines.postgres_passwords[role], self.name, driver)


@dataclass(slots=True)
class Engines:
    """The running engines. Everything a test needs to reach them, as itself or as a service would."""

    kafka: Kafka
    postgres: Postgres
    kafka_passwords: dict[str, str]
    postgres_passwords: dict[str, str]
    _templates: dict[str, str] = field(default_factory=dict)
    """The migrated database of each service that others are copied from."""

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    @property
    def admin(self) -> AdminClient:
        return self.kafka.admin()

    def librdkafka(self, user: str = ADMIN, **more: Any) -> dict[str, Any]:
        """Properties of a confluent-kafka client: `Producer(engines.librdkafka("counter"))`."""
        return {**self.kafka.client(user, self.kafka_passwords[user]), **more}

    def aiokafka(self, user: str = ADMIN, **more: Any) -> dict[str, Any]:
        """Arguments of an aiokafka client: `AIOKafkaConsumer(topic, **engines.aiokafka("tiering"))`."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": self.kafka_passwords[user],
            **more,
        }

    def service_environment(self, service: str, database: Database | None = None) -> dict[str, str]:
        """The engine part of a service's `KEYPOST_*` environment, as the supervisor gives it."""
        database = database or self.database(service)
        return {
            "KEYPOST_DATABASE_URL": database.writer,
            "KEYPOST_READER_DATABASE_URL": database.reader,
            "KEYPOST_OWNER_DATABASE_URL": database.owner,
            "KEYPOST_KAFKA_BOOTSTRAP": self.bootstrap,
            "KEYPOST_KAFKA_SECURITY": "SASL_PLAINTEXT",
            "KEYPOST_KAFKA_MECHANISM": "SCRAM-SHA-512",
            "KEYPOST_KAFKA_USER": service,
            "KEYPOST_KAFKA_PASSWORD": self.kafka_passwords[service],
        }

    def database(self, service: str) -> Database:
        """The database the service itself would use in this session; prefer `scratch_database`."""
        return Database(service, service, self)

    def scratch_database(self, service: str = "tiering") -> Database:
        """A fresh, empty database with the rights of a service's own. Roles are the service's, shared by all."""
        name = f"{service}_{secrets.token_hex(4)}"
        create_database(self.postgres, service, name)
        return Database(name, service, self)

    async def migrated_database(self, service: str) -> Database:
        """A fresh database with the service's tables, as its migrations leave them: they run once in a session."""
        if service not in self._templates:
            template = self.scratch_database(service)
            await upgrade(service, template.owner)
            self._templates[service] = template.name
        name = f"{service}_{secrets.token_hex(4)}"
        self.postgres.sql(
            "postgres", f"create database {name} owner {service}_owner template {self._templates[service]};"
        )
        create_database(self.postgres, service, name)
        return Database(name, service, self)

    def drop_database(self, database: Database) -> None:
        self.postgres.sql("postgres", f"drop database if exists {database.name} with (force);")

    def scratch_topic(
        self,
        label: str = "scratch",
        *,
        producers: tuple[str, ...] = ("tiering",),
        consumers: tuple[str, ...] = ("tiering",),
        partitions: int = 3,
        config: Mapping[str, str] | None = None,
    ) -> str:
        """A fresh topic of its own name with access rules for these principals (the superuser needs none)."""
        topic = Topic(
            f"{label}.{secrets.token_hex(4)}",
            "any",
            "A test's own.",
            producers,
            consumers,
            dict(config or {}),
            partitions,
        )
        provision.create_topics(self.admin, [topic])
        provision.allow(self.admin, provision.wanted_rules([topic]))
        return topic.name

    def reset_topics(self) -> None:
        """Empty every topic of the system by making it anew. Only for tests that need the real names."""
        names = [topic.name for topic in TOPICS]
        provision.delete_topics(self.admin, names)
        provision.create_topics(self.admin, TOPICS)


@contextmanager
def own_folder(label: str) -> Iterator[Path]:
    """A folder that is gone afterwards, for everything that runs as PostgreSQL's account.

    Not one of pytest's: every session of pytest closes the folder above those of all sessions again, and
    would so lock the PostgreSQL of another session out of its own data.
    """
    with tempfile.TemporaryDirectory(prefix=f"keypost-{label}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running_engines(folder: Path) -> Iterator[Engines]:
    """Start both engines in a folder, with every role, user, topic and access rule, and stop them at the end."""
    install()
    make_class_archive()
    kafka_passwords = {user: secrets.token_urlsafe(16) for user in (ADMIN, *provision.PRINCIPALS)}
    postgres_passwords = {role: secrets.token_urlsafe(16) for role in (SUPERUSER, *ROLES)}
    kafka_port, controller_port, postgres_port = free_ports(3)
    kafka = Kafka(folder / "kafka", folder / "logs", kafka_port, controller_port, kafka_passwords[ADMIN])
    postgres = Postgres(folder / "postgres", folder / "logs", postgres_port, postgres_passwords[SUPERUSER])
    engines = Engines(kafka, postgres, kafka_passwords, postgres_passwords)
    try:
        kafka.format()
        kafka.start()
        postgres.format()
        postgres.start()
        postgres.wait_ready()
        provision_postgres(postgres, postgres_passwords)
        kafka.wait_ready()
        provision.provision(engines.admin, kafka_passwords)
        yield engines
    finally:
        kafka.stop()
        postgres.stop()
