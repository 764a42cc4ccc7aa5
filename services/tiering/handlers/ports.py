"""What the handlers need from outside: the ledger's store, one per unit of work, each handler the part of it that it uses.
Implemented in adapters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from services.tiering.domain.account import Account, Binding
from services.tiering.domain.booking import Outcome
from services.tiering.domain.closing import ClosedYears
from services.tiering.domain.entries import Arrival, BookedSale, HeldTransaction, LedgerHead, TierChange
from services.tiering.domain.holding import HoldReason
from shared.contracts.registry_v1 import UnitState
from shared.contracts.tiering_v1 import TierChanged
from shared.messaging.work import Work

CloseState = Literal["queued", "running", "done"]


@dataclass(frozen=True, slots=True)
class Close:
    """A close as recorded. `closed_at` is its instant, None while it waits for an earlier one."""

    year: int
    state: CloseState
    requested_by: str
    requested_at: datetime
    closed_at: datetime | None
    finished_at: datetime | None
    holders: int
    settled: int
    moves: int


class Described(NamedTuple):
    """An account to be written, and the codes bound to it; None leaves those as they are."""

    account: Account
    bindings: Sequence[tuple[str, Binding]] | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a row of suspense."""

    number: int
    decision: str
    by: str
    comment: str


class LedgerStore(Protocol):
    """What booking reads and writes, inside one unit of work's transaction."""

    async def open(self) -> tuple[LedgerHead, ClosedYears]:
        """Take the ledger's lock until the transaction ends, and say where it stands."""
        ...

    async def seen(self, identities: Sequence[UUID]) -> Mapping[UUID, UUID]:
        """identity → content, for those that arrived before."""
        ...

    async def held_contents(self, identities: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
        """(identity, content) of everything that was ever in suspense under these identities."""
        ...

    async def bindings(self, codes: Collection[str]) -> Mapping[str, tuple[Binding, ...]]:
        """What each code means; an empty tuple for a code nobody knows."""
        ...

    async def unit_paths(self, codes: Collection[str]) -> dict[str, str]:
        """The paths of those of these units that are known; the code of an outlet is its counters' id."""
        ...

    async def accounts(self, numbers: Collection[int]) -> Mapping[int, Account]: ...

    async def sales(self, identities: Collection[UUID]) -> dict[UUID, BookedSale]: ...

    async def waiting_for(self, identities: Collection[UUID]) -> list[HeldTransaction]:
        """Reversals in suspense that wait for one of these sales, in order of arrival."""
        ...

    async def keep(self, outcome: Outcome, changes: Sequence[tuple[TierChange, TierChanged]]) -> None:
        """Write what was decided, its tier changes with the events that tell them."""
        ...


class CustomerStore(LedgerStore, Protocol):
    """And what learning of customers needs besides."""

    async def accounts_by_code(self, codes: Collection[str]) -> Mapping[str, int]: ...

    async def codes_of(self, accounts: Collection[int]) -> list[str]:
        """Every code that is bound to one of these accounts."""
        ...

    async def merged_into(self, accounts: Collection[int]) -> list[int]:
        """The accounts that were merged into these, directly or by way of others."""
        ...

    async def held_for_codes(
        self, codes: Collection[str], reasons: Collection[HoldReason]
    ) -> list[HeldTransaction]:
        """Transactions held under these codes for one of these reasons, in order of arrival."""
        ...

    async def bookings(
        self, accounts: Collection[int], year: int, lines: Collection[int]
    ) -> list[tuple[date, int]]:
        """(business date, signed fen) of one year and some lines, in the order of booking."""
        ...

    async def keep_accounts(self, described: Sequence[Described]) -> Collection[str]:
        """Write accounts as the registry describes them, each with every code that means it; all codes that may mean
        something else now."""
        ...

    async def move_totals(self, alias: int, survivor: int) -> None:
        """Add an account's totals to those of the one that it is merged into, and have both told as revenue."""
        ...


class UnitStore(LedgerStore, Protocol):
    """And what learning of units needs besides."""

    async def keep_units(self, units: Sequence[UnitState]) -> list[str]:
        """Store the units that are newer than what is known; those whose path is new."""
        ...

    async def held_at_counters(
        self, counters: Collection[str], reasons: Collection[HoldReason]
    ) -> list[HeldTransaction]:
        """Transactions of these counters held for one of these reasons, in order of arrival."""
        ...


class SuspenseStore(LedgerStore, Protocol):
    """And what deciding about held transactions needs besides."""

    async def hold(self, number: int) -> HeldTransaction | None: ...

    async def held_under(self, identity: UUID) -> list[HeldTransaction]:
        """Everything that is held under an identity: the first content, conflicts with it, or both."""
        ...

    async def first_of(self, identity: UUID) -> tuple[Arrival, int] | None:
        """What was booked under an identity, as it arrived, and its account."""
        ...

    async def record_decision(self, decision: Decision) -> None: ...


class CloseStore(LedgerStore, Protocol):
    """And what closing a year needs besides."""

    async def holders_behind(self, year: int, limit: int, without: Collection[int] = ()) -> list[int]:
        """Accounts that hold a tier and have not been through the close of a year."""
        ...

    async def closes(self) -> list[Close]: ...

    async def record_close(self, close: Close) -> None: ...

    async def earliest_open_year(self, after: int | None, before: int) -> int | None:
        """The earliest year with bookings between a closed year and another one (both excluded)."""
        ...


StartWait = Callable[[Work, HeldTransaction], Awaitable[None]]
"""Starts the timer of a reversal that waits for its sale."""
