"""Tell booked revenue by month and line: the latest state of every customer's year that has changed (`RevenueState`).

It reads the ledger behind a mark of its own and never takes the ledger's lock, so that booking does not wait for it. What
changes again before it is told is told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple, Protocol, get_args

import orjson

from shared.contracts import envelope
from shared.contracts.fields import printed_instant
from shared.contracts.tiering_v1 import EVIDENCE_MAX, EvidenceKind, RevenueState
from shared.kernel.lines import LINES
from shared.messaging.records import Outgoing
from shared.messaging.work import Work
from shared.money import format_yuan

AT_ONCE: Final = 500
"""Years told in one unit of work."""
EVIDENCE_KINDS: Final[tuple[EvidenceKind, ...]] = get_args(EvidenceKind)
"""Numbered as the store keeps them."""


class MonthCell(NamedTuple):
    """One month (1-12) and line (its number): fen, pieces and bookings."""

    month: int
    line: int
    amount_fen: int
    pieces: int
    transactions: int


class EvidenceCell(NamedTuple):
    """What a year's bookings with one piece of evidence add up to."""

    kind: EvidenceKind
    value: str
    amount_fen: int
    transactions: int
    first_on: date
    last_on: date


class YearRevenue(NamedTuple):
    """A customer's year as the totals now are; `merged_into` is the survivor's code of one that was merged. `evidence` is in
    the order of its kinds, of each kind the largest amount first."""

    code: str
    year: int
    merged_into: str | None
    cells: list[MonthCell]
    evidence: list[EvidenceCell]


DueYear = tuple[int, int]
"""An account and a year of it that has changed."""


class RevenueStore(Protocol):
    """What is due to be told, inside one unit of work's transaction."""

    async def gather(self, upto: int | None = None) -> int:
        """Take the teller's lock, note what was booked since the last time (up to a booking) as due, and return the version
        to tell."""
        ...

    async def note(self, seq: int) -> None:
        """Note what a booking that was skipped has changed as due; of another one nothing is left to note."""
        ...

    async def skip(self, seq: int) -> None:
        """Move the mark past a booking that cannot be noted."""
        ...

    async def take_these(self, due: Sequence[DueYear]) -> list[YearRevenue]:
        """Exactly these years as they are now, whether they are due or not; they are due no more."""
        ...

    async def drop(self, due: Sequence[DueYear]) -> None:
        """These years are due no more."""
        ...

    async def take(self, limit: int) -> list[YearRevenue]:
        """The years that have waited longest, as they are now; they are due no more."""
        ...


class TellRevenue:
    """Runs in a unit of work of its own, as often as there is something to tell."""

    def __init__(self, open_store: Callable[[Work], RevenueStore]) -> None:
        self._open_store = open_store

    async def tell(self, work: Work, limit: int = AT_ONCE) -> int:
        """Tell at most so many years; how many were told."""
        store = self._open_store(work)
        version = await store.gather()
        years = await store.take(limit)
        self._publish(work, years, version)
        return len(years)

    # -- piece by piece, where `tell` fails ------------------------------------------------------------------------

    async def gather(self, work: Work, bookings: Sequence[int]) -> None:
        """Note what these bookings changed, the next ones behind the mark."""
        await self._open_store(work).gather(bookings[-1])

    async def skip(self, work: Work, booking: int) -> None:
        """Leave one of them out."""
        await self._open_store(work).skip(booking)

    async def note(self, work: Work, booking: int) -> None:
        """Note what one that was left out has changed."""
        await self._open_store(work).note(booking)

    async def tell_these(self, work: Work, due: Sequence[DueYear]) -> None:
        """Tell exactly these years."""
        store = self._open_store(work)
        # Only the teller's lock and the next version are wanted.
        version = await store.gather(0)
        self._publish(work, await store.take_these(due), version)

    async def drop(self, work: Work, due: DueYear) -> None:
        """Leave one of them untold."""
        await self._open_store(work).drop([due])

    @staticmethod
    def _publish(work: Work, years: Iterable[YearRevenue], version: int) -> None:
        for outgoing in revenue_records(years, version, work.now):
            work.publish(outgoing)


def largest(evidence: Iterable[EvidenceCell]) -> list[EvidenceCell]:
    """The first of each kind, as many as are told: a record has a largest size, and a customer may mail everywhere."""
    seen: Counter[EvidenceKind] = Counter()
    found = []
    for cell in evidence:
        seen[cell.kind] += 1
        if seen[cell.kind] <= EVIDENCE_MAX:
            found.append(cell)
    return found


def revenue_records(years: Iterable[YearRevenue], version: int, now: datetime) -> Iterable[Outgoing]:
    """The records of `RevenueState`, written directly: a year may have a hundred figures, and checking each of them by
    the contract's model would take thirty times as long. A test holds these bytes and the model together."""
    as_of = printed_instant(now)
    for one in years:
        data = {
            "customer_code": one.code,
            "year": one.year,
            "version": version,
            "months": [
                {
                    "month": cell.month,
                    "line": LINES[cell.line],
                    "amount": format_yuan(cell.amount_fen),
                    "pieces": cell.pieces,
                    "transactions": cell.transactions,
                }
                for cell in one.cells
            ],
            "merged_into": one.merged_into,
            "as_of": as_of,
            "evidence": [
                {
                    "kind": cell.kind,
                    "value": cell.value,
                    "amount": format_yuan(cell.amount_fen),
                    "transactions": cell.transactions,
                    "first_on": cell.first_on.isoformat(),
                    "last_on": cell.last_on.isoformat(),
                }
                for cell in largest(one.evidence)
            ],
        }
        key = f"{one.code}|{one.year}"
        record = envelope.write(
            type=RevenueState.TYPE,
            source=str(RevenueState.SOURCE),
            id=f"revenue|{key}|{version}",
            time=now,
            subject=key,
            data=orjson.dumps(data),
        )
        yield Outgoing(RevenueState.TOPIC, *record)
