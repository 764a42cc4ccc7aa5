"""What every service tells of its own operation, version 1: what became of its dead letters."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from shared.contracts.envelope import Message
from shared.contracts.fields import Count, Instant, Text
from shared.contracts.topics import events_topic


class DeadLetterDisposed(Message):
    """A person disposed of a dead letter: it was sent back to its topic or closed. Named by where it came from."""

    dead_letter_id: Count
    consumer: Text
    origin_topic: Text
    origin_partition: Count
    origin_offset: Count
    state: Literal["replayed", "closed"]
    decided_by: Text
    decided_at: Instant

    @property
    def key(self) -> str:
        return f"{self.origin_topic}|{self.origin_partition}|{self.origin_offset}"


class RegistryDeadLetterDisposed(DeadLetterDisposed):
    """The registry's dead letter was disposed of."""

    TYPE: ClassVar[str] = "keypost.registry.dead-letter-disposed.v1"
    SOURCE: ClassVar[str | None] = "/registry"
    TOPIC: ClassVar[str] = events_topic("registry")


class TieringDeadLetterDisposed(DeadLetterDisposed):
    """Tiering's dead letter was disposed of."""

    TYPE: ClassVar[str] = "keypost.tiering.dead-letter-disposed.v1"
    SOURCE: ClassVar[str | None] = "/tiering"
    TOPIC: ClassVar[str] = events_topic("tiering")


class ClaimsDeadLetterDisposed(DeadLetterDisposed):
    """Claims' dead letter was disposed of."""

    TYPE: ClassVar[str] = "keypost.claims.dead-letter-disposed.v1"
    SOURCE: ClassVar[str | None] = "/claims"
    TOPIC: ClassVar[str] = events_topic("claims")


class ReportingDeadLetterDisposed(DeadLetterDisposed):
    """Reporting's dead letter was disposed of."""

    TYPE: ClassVar[str] = "keypost.reporting.dead-letter-disposed.v1"
    SOURCE: ClassVar[str | None] = "/reporting"
    TOPIC: ClassVar[str] = events_topic("reporting")


DISPOSED: Final[dict[str, type[DeadLetterDisposed]]] = {
    "registry": RegistryDeadLetterDisposed,
    "tiering": TieringDeadLetterDisposed,
    "claims": ClaimsDeadLetterDisposed,
    "reporting": ReportingDeadLetterDisposed,
}
"""The message of each service."""
