"""Between the contract's transactions and the ledger's: the same fields in the same order, a type on either side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.tiering.domain.entries import Arrival, Transaction
from shared.contracts import counter_v1
from shared.contracts.counter_v1 import ReadTransaction, identity
from shared.ids import uuid_of


def arrival_of(reading: ReadTransaction, arrived_at: datetime) -> Arrival:
    """A transaction that was read, as it arrives at the ledger."""
    said = reading.transaction
    return Arrival(
        identity=identity(reading.source, reading.id),
        content=uuid_of(said.content_hash()),
        source=reading.source,
        id=reading.id,
        # `_make` says the same in thrice the time, and this is done for every record.
        transaction=tuple.__new__(Transaction, said),
        arrived_at=arrived_at,
        traceparent=reading.traceparent,
        reverses=None if said.reverses is None else identity(reading.source, said.reverses),
    )


def renamed(arrived: Arrival, suffix: str) -> Arrival:
    """The same under an identity of its own, for a booking that a person's decision makes (TIE-1)."""
    name = arrived.id + suffix
    content = counter_v1.Transaction._make(arrived.transaction).content_hash()
    return arrived._replace(identity=identity(arrived.source, name), content=uuid_of(content), id=name)


def written(transaction: Transaction) -> dict[str, Any]:
    """A transaction as JSON, to be kept while it is held."""
    return counter_v1.Transaction._make(transaction).to_data()


def read_again(data: Mapping[str, Any], source: str) -> tuple[Transaction, UUID | None]:
    """What `written` wrote, and the identity of the sale it names."""
    said = counter_v1.Transaction.of_data(data)
    return Transaction._make(said), None if said.reverses is None else identity(source, said.reverses)
