"""What flows through the ledger: a transaction as it arrived, as it is held, as it is booked, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.tiering.domain.holding import HoldReason
from services.tiering.domain.standing import Move, Standing
from shared.contracts.counter_v1 import Transaction

SALE = 0
REVERSAL = 1


class Arrived(NamedTuple):
    """A well-formed transaction with its identity. `content` is the hash of what counts as its content; `arrived_at` the
    broker's instant (in a sandbox, the sandbox clock when first read).

    A named tuple like `Posting`: thousands are made a batch, and a frozen dataclass takes three times as long."""

    identity: UUID
    content: UUID
    source: str
    id: str
    transaction: Transaction
    arrived_at: datetime
    traceparent: str | None = None
    reverses: UUID | None = None
    """The identity of the sale that a reversal names."""


class HoldState(StrEnum):
    HELD = "held"
    BOOKED = "booked"
    CLOSED = "closed"


@dataclass(slots=True)
class Hold:
    """A transaction in suspense. `number` gives the order of arrival."""

    number: int
    arrived: Arrived
    reason: HoldReason
    waits_for: UUID | None = None
    state: HoldState = HoldState.HELD


@dataclass(slots=True)
class BookedSale:
    """A booking that a reversal may name: `reversed_fen` is what named reversals took of it already."""

    seq: int
    account: int
    line: int
    amount_fen: int
    reversed_fen: int
    is_sale: bool
    business_date: date


class Posting(NamedTuple):
    """One booking in the ledger. `amount_fen` is signed; `late` says that its year was closed when it was booked."""

    seq: int
    arrived: Arrived
    account: int
    line: int
    amount_fen: int
    unit_code: str
    manager: str | None
    late: bool
    reverses: UUID | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A tier change decided for an account, the standing after it, and what caused it: (source, id) of an event."""

    account: int
    code: str
    unit_path: str
    scheme: str
    scheme_version: int
    move: Move
    standing: Standing
    key_account: bool
    decided_at: datetime
    cause: tuple[str, str] | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class HoldNews:
    """Something told about a transaction in suspense: `held`, `released` (booked) or `closed`."""

    state: str
    arrived: Arrived
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class Head:
    """Where the ledger stands when a unit of work opens it: the numbers of the last booking, of the last row of suspense
    and of the last account. They are given under the ledger's lock, so that they are without gaps and in commit order."""

    epoch: int
    seq: int
    hold_number: int
    account_number: int
