"""The view of dead letters: a letter and what became of it come by two topics, and either may be read first."""

from __future__ import annotations

from typing import Any, Final

from services.reporting.adapters.writes.tables import Table
from services.reporting.handlers.letters import Letter
from shared.contracts.operation_v1 import DeadLetterDisposed
from shared.messaging.states import StateRecord

_KEY: Final = ("service", "origin_topic", "origin_partition", "origin_offset")
_KEY_COLUMNS: Final = {
    "service": "text",
    "origin_topic": "text",
    "origin_partition": "bigint",
    "origin_offset": "bigint",
}


def _letter(letter: Letter) -> tuple[Any, ...]:
    return (
        letter.service,
        letter.origin_topic,
        letter.origin_partition,
        letter.origin_offset,
        letter.reason,
        letter.detail,
        letter.failed_at,
        letter.customer_code,
        letter.counter_id,
        letter.line,
        letter.amount_fen,
        letter.value_bytes,
        "open",
        "/",
        letter.partition,
        letter.offset,
    )


_OF_LETTER: Final = (
    "reason",
    "detail",
    "failed_at",
    "customer_code",
    "counter_id",
    "line",
    "amount_fen",
    "value_bytes",
    "letter_partition",
    "letter_offset",
)
LETTERS: Final = Table[Letter](
    "dead_letter_view",
    {
        **_KEY_COLUMNS,
        "reason": "text",
        "detail": "text",
        "failed_at": "timestamptz",
        "customer_code": "text",
        "counter_id": "text",
        "line": "text",
        "amount_fen": "numeric",
        "value_bytes": "bigint",
        "state": "text",
        "unit_path": "text",
        "letter_partition": "integer",
        "letter_offset": "bigint",
    },
    _KEY,
    _letter,
    # The first of a letter holds, and it never opens again what was closed.
    folded=f"({', '.join(_OF_LETTER)}) = ({', '.join(f'excluded.{name}' for name in _OF_LETTER)}) "
    "WHERE v.letter_offset IS NULL OR excluded.letter_offset < v.letter_offset",
)


def _disposal(told: StateRecord[DeadLetterDisposed]) -> tuple[Any, ...]:
    disposed = told.state
    return (
        service_of(disposed),
        disposed.origin_topic,
        disposed.origin_partition,
        disposed.origin_offset,
        disposed.state,
        "/",
        disposed.dead_letter_id,
        disposed.decided_by,
        disposed.decided_at,
        told.record.partition,
        told.record.offset,
    )


def service_of(disposed: DeadLetterDisposed) -> str:
    """The service whose dead letter it was; each has a type of its own."""
    return str(disposed.SOURCE).removeprefix("/")


DISPOSALS: Final = Table[StateRecord[DeadLetterDisposed]](
    "dead_letter_view",
    {
        **_KEY_COLUMNS,
        "state": "text",
        "unit_path": "text",
        "dead_letter_id": "bigint",
        "decided_by": "text",
        "decided_at": "timestamptz",
        "disposed_partition": "integer",
        "disposed_offset": "bigint",
    },
    _KEY,
    _disposal,
    # Two disposals of one place would lie in one partition, for the place is their key.
    "v.disposed_offset IS NULL OR v.disposed_offset < excluded.disposed_offset",
)
