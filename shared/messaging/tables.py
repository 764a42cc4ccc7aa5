"""The tables that messaging keeps in every service's own database, and the rights on them.

The definitions are those of each service's first migration and stay as they are; a later change is a function of its
own (`add_…(op)`) that a later migration calls, so that every history can still be played from the beginning.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData()

positions: Final = Table(
    "positions",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("consumer", "topic", "partition"),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary, nullable=False),
)
"""Records on their way to Kafka; `headers` as in `records.encode_headers`. Ids rise in the order of commits."""

relay_hint: Final = Table(
    "relay_hint",
    metadata,
    Column("shard", SmallInteger, primary_key=True),
    Column("published_id", BigInteger, nullable=False),
)
"""A lower bound of what is published. The truth is the relay's own topic; this only guards against its loss."""

dead_letters: Final = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    # A rewound consumer meets the same record again; the constraint keeps it from becoming a second dead letter.
    UniqueConstraint("consumer", "topic", "partition", "offset"),
    CheckConstraint("state IN ('open', 'replayed', 'closed')", name="dead_letters_state"),
    Index("dead_letters_open", "id", postgresql_where=text("state = 'open'")),
)

timers: Final = Table(
    "timers",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("payload", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("fired_at", DateTime(timezone=True)),
    UniqueConstraint("kind", "subject", "due_at"),
    Index("timers_due", "due_at", "id", postgresql_where=text("fired_at IS NULL")),
)

commit_marks: Final = Table(
    "commit_marks",
    metadata,
    Column("token", Text, primary_key=True),
    Column("marked_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
)
"""Tokens of commands whose commit had to be provable: the answer to a COMMIT can be lost on the way."""

idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("person", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_sha256", Text, nullable=False),
    Column("answer", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("person", "key"),
)
"""Answers to commands over HTTP by who asked and under which key (`shared.idempotency`)."""


def grants(service: str) -> list[str]:
    """The rights of the service's roles: batch writers change everything and the verifier reads all.

    Readers get nothing: outbox and dead letters carry records of every unit, past row-level security."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    return [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {names} TO {service}_writer",
        # UPDATE on the sequences lets the relay lift the outbox's numbering above what Kafka already has (restore).
        f"GRANT USAGE, SELECT, UPDATE ON SEQUENCE outbox_id_seq, dead_letters_id_seq, timers_id_seq "
        f"TO {service}_writer",
        f"GRANT SELECT ON {names} TO verifier",
    ]


STORAGE: Final = (
    # The outbox is a queue: rows come and go quickly, so it is vacuumed by count, long before a fifth of it is dead.
    "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)",
    "ALTER TABLE positions SET (fillfactor = 50)",
)


def create_messaging_tables(op: Any, service: str) -> None:
    """Create the tables and grant the rights; `op` is Alembic's operations object in a service's first migration."""
    metadata.create_all(op.get_bind(), checkfirst=False)
    for statement in (*STORAGE, *grants(service)):
        op.execute(statement)


FAULTS: Final = """
ALTER TABLE dead_letters ADD COLUMN last_offset bigint, ADD COLUMN records integer NOT NULL DEFAULT 1,
    ADD COLUMN reasons jsonb, ADD COLUMN cut jsonb, ADD COLUMN minute bigint;

CREATE INDEX dead_letters_minute ON dead_letters (consumer, topic, partition, minute) WHERE minute IS NOT NULL;

CREATE TABLE faults (
    task text NOT NULL,
    item text NOT NULL,
    error text NOT NULL,
    failures integer NOT NULL DEFAULT 1,
    first_failed_at timestamptz NOT NULL,
    failed_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (task, item)
);
"""
"""Dead letters that stand for many records or are cut (`dead_letters`), and items that a background task or a timer has
given up (`faults`)."""


def add_faults(op: Any, service: str) -> None:
    """Called by a later migration of each service."""
    for statement in FAULTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON faults TO {service}_writer")
    op.execute("GRANT SELECT ON faults TO verifier")


def drop_faults(op: Any) -> None:
    """The way back of `add_faults`."""
    op.execute("DROP TABLE faults")
    op.execute("DROP INDEX dead_letters_minute")
    op.execute(
        "ALTER TABLE dead_letters DROP COLUMN last_offset, DROP COLUMN records, DROP COLUMN reasons, DROP COLUMN cut, "
        "DROP COLUMN minute"
    )


def drop_messaging_tables(op: Any) -> None:
    """The way back of `create_messaging_tables`."""
    metadata.drop_all(op.get_bind(), checkfirst=False)
