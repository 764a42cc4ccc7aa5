"""The engines of a benchmark: an embedded Kafka and PostgreSQL of its own in a folder of its own, and databases."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from deploy.embedded import provision
from deploy.embedded.kafka import ADMIN, Kafka, free_ports, install, make_class_archive
from deploy.embedded.postgres import ROLES, SUPERUSER, Postgres, create_database
from deploy.embedded.postgres import provision as provision_postgres
from deploy.embedded.processes import EngineError, wait_until
from shared.contracts.topics import BY_NAME, Topic


@dataclass(slots=True)
class Engines:
    """Both engines, running, with every user, topic and access rule of an instance."""

    folder: Path
    kafka: Kafka
    postgres: Postgres
    kafka_passwords: dict[str, str]
    postgres_passwords: dict[str, str]

    @property
    def admin(self) -> AdminClient:
        return self.kafka.admin()

    def client(self, user: str = ADMIN, **more: Any) -> dict[str, Any]:
        """Properties of a librdkafka client."""
        return {**self.kafka.client(user, self.kafka_passwords[user]), **more}

    def dsn(self, role: str, database: str, driver: str = "postgresql") -> str:
        return self.postgres.url(role, self.postgres_passwords[role], database, driver)

    def new_database(self, label: str, template: str | None = None) -> str:
        """A database of tiering's shape: empty, or a copy of another with all its rows and rights."""
        name = f"{label}_{secrets.token_hex(4)}"
        if template is not None:
            self.postgres.sql("postgres", f"create database {name} template {template} owner tiering_owner;")
        create_database(self.postgres, "tiering", name)
        return name

    def drop_database(self, name: str) -> None:
        self.postgres.sql("postgres", f"drop database if exists {name} with (force);")

    def empty_topics(self, names: Iterable[str]) -> None:
        """Make topics anew; those that the system does not know get six partitions."""
        wanted = [BY_NAME.get(name) or Topic(name, "any", "A benchmark's own.", (), ()) for name in names]
        provision.delete_topics(self.admin, [topic.name for topic in wanted])
        # The broker goes on naming a deleted topic for a moment, and what seems to be there is not made.
        self._wait_topics(lambda known: not any(topic.name in known for topic in wanted))
        provision.create_topics(self.admin, wanted)
        self._wait_topics(lambda known: all(topic.name in known for topic in wanted))

    def _wait_topics(self, holds: Callable[[Collection[str]], bool]) -> None:
        if not wait_until(lambda: holds(self.admin.list_topics(timeout=30).topics.keys()), 60):
            raise EngineError("topics were not made anew in time")

    def service_environment(self, database: str, port: int) -> dict[str, str]:
        """What `python -m services.tiering` needs, as the supervisor gives it."""
        return {
            "PYTHONUNBUFFERED": "1",
            "KEYPOST_LOG_LEVEL": "WARNING",
            "KEYPOST_HTTP_PORT": str(port),
            "KEYPOST_DATABASE_URL": self.dsn("tiering_writer", database, "postgresql+asyncpg"),
            "KEYPOST_READER_DATABASE_URL": self.dsn("tiering_reader", database, "postgresql+asyncpg"),
            "KEYPOST_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "KEYPOST_KAFKA_USER": "tiering",
            "KEYPOST_KAFKA_PASSWORD": self.kafka_passwords["tiering"],
        }


@contextmanager
def running_engines(*, with_kafka: bool = True) -> Iterator[Engines]:
    """Start the engines in a temporary folder and stop them at the end, whatever happened."""
    if with_kafka:
        install()
        make_class_archive()
    folder = Path(tempfile.mkdtemp(prefix="keypost-bench-"))
    kafka_passwords = {user: secrets.token_hex(12) for user in (ADMIN, *provision.PRINCIPALS)}
    postgres_passwords = {role: secrets.token_hex(12) for role in (SUPERUSER, *ROLES)}
    ports = free_ports(3)
    # The quick compiler alone would favour whoever asks the broker for least.
    kafka = Kafka(
        folder / "kafka", folder / "logs", ports[0], ports[1], kafka_passwords[ADMIN], quick_start=False
    )
    postgres = Postgres(folder / "postgres", folder / "logs", ports[2], postgres_passwords[SUPERUSER])
    try:
        if with_kafka:
            kafka.format()
            kafka.start()
        postgres.format()
        postgres.start()
        postgres.wait_ready()
        provision_postgres(postgres, postgres_passwords)
        if with_kafka:
            kafka.wait_ready()
            provision.provision(kafka.admin(), kafka_passwords)
        yield Engines(folder, kafka, postgres, kafka_passwords, postgres_passwords)
    finally:
        kafka.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
