"""The ledger read account by account, side by side with everything that must follow from it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from verifier.report import Difference
from verifier.snapshot import Grouped, Snapshot
from verifier.words import fen_of


class Booking(NamedTuple):
    """One row of the ledger, its columns in the order in which the statement below reads them."""

    account: int
    seq: int
    source: str
    id: str
    line: int
    business_date: date
    amount_fen: int
    pieces: int | None
    late: bool
    booked_at: datetime


class MonthTotal(NamedTuple):
    account: int
    month: int
    line: int
    amount_fen: int
    pieces: int
    bookings: int
    late_fen: int


@dataclass(frozen=True, slots=True)
class Change:
    """A stored tier change: the row's own columns and its event."""

    account: int
    number: int
    scheme: str
    version: int
    customer_code: str
    decided_at: datetime
    event: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.customer_code}|{self.scheme}|{self.version}"

    @property
    def total_fen(self) -> int:
        return fen_of(str(self.event["total"]))

    @property
    def effective_on(self) -> date:
        return date.fromisoformat(str(self.event["effective_on"]))

    @property
    def year(self) -> int:
        return int(str(self.event["period"])[:4])


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account holds under a scheme. `tier` is the number of the level, 0 for none."""

    scheme: str
    tier: int = 0
    version: int = 0
    effective_on: date | None = None
    signed_on: date | None = None
    granted: bool = False
    closed_through: int = 0
    from_tier: int | None = None
    direction: str | None = None
    reason: str | None = None
    year: int | None = None
    total_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    number: int
    code: str
    status: str
    city_group: int | None
    agreements: list[dict[str, Any]]


@dataclass(slots=True)
class Pages:
    """Everything kept about one account beside its ledger."""

    number: int
    account: Account | None = None
    months: dict[tuple[int, int], MonthTotal] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.account.code if self.account else f"account {self.number}"


class Judge(Protocol):
    """Follows one account's bookings in the order of the ledger and says at the end what does not fit."""

    def book(self, booking: Booking) -> None: ...

    def differences(self) -> list[Difference]: ...


_ACCOUNTS = "SELECT number, code, status, city_group, agreements FROM accounts ORDER BY number"
_LEDGER = (
    "SELECT account, seq, source, id, line, business_date, amount_fen, pieces, late, booked_at "
    "FROM ledger ORDER BY account, seq"
)
_MONTHS = (
    "SELECT account, month, line, amount_fen, pieces, count, late_fen FROM month_totals "
    "ORDER BY account, month, line"
)
_CHANGES = (
    "SELECT account, number, scheme, version, customer_code, decided_at, event FROM tier_changes "
    "ORDER BY account, number"
)
_STANDINGS = (
    "SELECT account, scheme, tier, version, effective_on, signed_on, granted, closed_through, from_tier, direction, "
    "reason, year, total_fen FROM standings ORDER BY account, scheme"
)


class Ledger:
    """Walks over all accounts, each with its pages and then its bookings in parts."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._accounts = Grouped(snapshot.chunks(_ACCOUNTS))
        self._bookings = Grouped(snapshot.chunks(_LEDGER))
        self._months = Grouped(snapshot.chunks(_MONTHS))
        self._changes = Grouped(snapshot.chunks(_CHANGES))
        self._standings = Grouped(snapshot.chunks(_STANDINGS))

    async def accounts(self) -> AsyncIterator[Pages]:
        """Every account number that any of the tables knows, lowest first."""
        streams = (self._accounts, self._bookings, self._months, self._changes, self._standings)
        while True:
            heads = [head for stream in streams if (head := await stream.head()) is not None]
            if not heads:
                return
            yield await self._pages(min(heads))

    async def bookings(self, number: int) -> AsyncIterator[Iterable[Booking]]:
        """The bookings of the account just given, in parts."""
        async for rows in self._bookings.parts(number):
            yield map(Booking._make, rows)

    async def _pages(self, number: int) -> Pages:
        pages = Pages(number)
        for row in await self._accounts.take(number):
            agreements = json.loads(row["agreements"])
            pages.account = Account(row["number"], row["code"], row["status"], row["city_group"], agreements)
        for row in await self._months.take(number):
            total = MonthTotal(*row)._replace(pieces=int(row["pieces"]))
            pages.months[total.month, total.line] = total
        for row in await self._changes.take(number):
            pages.changes.append(change_of(row))
        for row in await self._standings.take(number):
            pages.standings[row["scheme"]] = Standing(*list(row)[1:])
        return pages


def change_of(row: Any) -> Change:
    """A stored change; an event that is no JSON object becomes an empty one, which then differs in everything."""
    try:
        event = json.loads(bytes(row["event"]))
    except ValueError:
        event = {}
    return Change(
        account=row["account"],
        number=row["number"],
        scheme=row["scheme"],
        version=row["version"],
        customer_code=row["customer_code"],
        decided_at=row["decided_at"],
        event=event if isinstance(event, dict) else {},
    )
