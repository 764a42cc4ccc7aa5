"""The ledger read customer by customer, side by side with everything that must follow from it. A customer is an account
and all that were merged into it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from verifier.snapshot import Grouped, Snapshot
from verifier.words import fen_of, shanghai_date


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
    own: int = 0
    """The account that it was booked for; `account` is what that is part of by now."""


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
    merged_into: int | None = None
    merged_seq: int | None = None
    merged_on: date | None = None


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


class Merges:
    """Which account each merged one is part of by now."""

    def __init__(self, into: Mapping[int, int]) -> None:
        self._into = into
        self.circles: list[int] = []
        """Accounts that would be part of themselves."""
        self.roots = {number: self._root(number) for number in into}

    def _root(self, number: int) -> int:
        seen = {number}
        while (into := self._into.get(number)) is not None:
            if into in seen:
                self.circles.append(number)
                return number
            seen.add(into)
            number = into
        return number

    def root(self, number: int) -> int:
        return self.roots.get(number, number)

    def depth(self, number: int) -> int:
        """How many merges lie between an account and what it is part of."""
        steps = 0
        while (into := self._into.get(number)) is not None and steps <= len(self._into):
            number, steps = into, steps + 1
        return steps

    @property
    def arrays(self) -> tuple[list[int], list[int]]:
        """Merged accounts and what they are part of, as a statement takes them."""
        return list(self.roots), list(self.roots.values())


async def read_merges(db: Snapshot) -> Merges:
    rows = await db.rows("SELECT number, merged_into FROM accounts WHERE merged_into IS NOT NULL")
    return Merges({row[0]: row[1] for row in rows})


# Each begins with the customer that its rows are grouped by; {of} is that, {whose} says how it is found.
_ACCOUNTS = (
    "SELECT {of}, number, code, status, city_group, agreements, merged_into, merged_seq, merged_at "
    "FROM (SELECT *, number AS account FROM accounts) AS t {whose} ORDER BY 1, number"
)
_LEDGER = (
    "SELECT {of}, seq, source, id, line, business_date, amount_fen, pieces, late, booked_at, account "
    "FROM ledger t {whose} ORDER BY 1, seq"
)
_MONTHS = (
    "SELECT {of}, account, month, line, amount_fen, pieces, count, late_fen FROM month_totals t {whose} "
    "ORDER BY 1, account, month, line"
)
_CHANGES = (
    "SELECT {of}, account, number, scheme, version, customer_code, decided_at, event FROM tier_changes t {whose} "
    "ORDER BY 1, account, t.number"
)
_STANDINGS = (
    "SELECT {of}, account, scheme, tier, version, effective_on, signed_on, granted, closed_through, from_tier, direction, "
    "reason, year, total_fen FROM standings t {whose} ORDER BY 1, account, scheme"
)


class Ledger:
    """Walks over all customers, each with the pages of its accounts and then its bookings in parts."""

    def __init__(self, snapshot: Snapshot, merges: Merges) -> None:
        def grouped(statement: str) -> Grouped:
            if not merges.roots:
                # The order of the accounts is that of an index, and nothing has to be sorted.
                return Grouped(snapshot.chunks(statement.format(of="account", whose="")))
            of = "coalesce(m.root, t.account) AS root"
            whose = "LEFT JOIN unnest($1::int[], $2::int[]) AS m (merged, root) ON m.merged = t.account"
            return Grouped(snapshot.chunks(statement.format(of=of, whose=whose), *merges.arrays))

        self._accounts = grouped(_ACCOUNTS)
        self._bookings = grouped(_LEDGER)
        self._months = grouped(_MONTHS)
        self._changes = grouped(_CHANGES)
        self._standings = grouped(_STANDINGS)

    async def customers(self) -> AsyncIterator[tuple[int, dict[int, Pages]]]:
        """Every account number that any of the tables knows and that is not part of another, lowest first, with its pages
        and those of the accounts merged into it."""
        streams = (self._accounts, self._bookings, self._months, self._changes, self._standings)
        while True:
            heads = [head for stream in streams if (head := await stream.head()) is not None]
            if not heads:
                return
            yield min(heads), await self._pages(min(heads))

    async def bookings(self, number: int) -> AsyncIterator[Iterable[Booking]]:
        """The bookings of the customer just given, in parts."""
        async for rows in self._bookings.parts(number):
            yield map(Booking._make, rows)

    async def _pages(self, number: int) -> dict[int, Pages]:
        found = {number: Pages(number)}

        def pages(account: int) -> Pages:
            return found.setdefault(account, Pages(account))

        for row in await self._accounts.take(number):
            merged_on = None if row["merged_at"] is None else shanghai_date(row["merged_at"])
            pages(row["number"]).account = Account(
                row["number"],
                row["code"],
                row["status"],
                row["city_group"],
                json.loads(row["agreements"]),
                row["merged_into"],
                row["merged_seq"],
                merged_on,
            )
        for row in await self._months.take(number):
            total = MonthTotal(*list(row)[1:])._replace(pieces=int(row["pieces"]))
            pages(row["account"]).months[total.month, total.line] = total
        for row in await self._changes.take(number):
            pages(row["account"]).changes.append(change_of(row))
        for row in await self._standings.take(number):
            pages(row["account"]).standings[row["scheme"]] = Standing(*list(row)[2:])
        return found


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
