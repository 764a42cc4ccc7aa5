"""What flows through the ledger: a transaction as it arrived, as it is held, as it is booked, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID

from services.tiering.domain.holding import HoldReason
from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import Move, Standing
from shared.kernel.lines import Line


class Transaction(NamedTuple):
    """What a counter said of one sale or reversal, checked: amounts in fen and always positive, instants in UTC. The fields
    are those of the contract's transaction, in its order, so that either is made from the other at once."""

    customer_code: str
    """As sent: a registry code or a counter-local one."""
    counter_id: str
    line: Line
    kind: Literal["sale", "reversal"]
    amount_fen: int
    occurred_at: datetime
    business_date: date
    settlement: Literal["cash", "credit"]
    pieces: int | None
    reverses: str | None
    """The `id` of the reversed sale, from the same source."""
    manager_id: str | None
    """This and what follows is evidence: it decides nothing."""
    clerk_id: str | None
    payer_uscc: str | None
    payer_name_hash: str | None
    product: str | None
    destination: str | None


class Arrival(NamedTuple):
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
class HeldTransaction:
    """A transaction in suspense. `number` gives the order of arrival."""

    number: int
    arrived: Arrival
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
    arrived: Arrival
    account: int
    line: int
    amount_fen: int
    unit_code: str
    manager: str | None
    late: bool
    reverses: UUID | None


@dataclass(frozen=True, slots=True)
class TierChange:
    """A tier change decided for an account, the standing after it, and what caused it: (source, id) of an event."""

    account: int
    code: str
    unit_path: str
    scheme: SchemeVersion
    move: Move
    standing: Standing
    key_account: bool
    decided_at: datetime
    cause: tuple[str, str] | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class SuspenseStep:
    """What happened to a transaction in suspense: `held`, `released` (booked) or `closed`."""

    state: Literal["held", "released", "closed"]
    arrived: Arrival
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """Where the ledger stands when a unit of work opens it: the numbers of the last booking, of the last row of suspense
    and of the last account. They are given under the ledger's lock, so that they are without gaps and in commit order."""

    epoch: int
    seq: int
    hold_number: int
    account_number: int
