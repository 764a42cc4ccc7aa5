"""Made-up counter transactions in the real format, the same for the same seed, and what must come out of them.

Every transaction is a function of the seed and its number alone, so that two million of them need no memory, a
duplicate can repeat any earlier one byte for byte, and every contender of a comparison gets the same input.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from statistics import NormalDist
from struct import Struct
from typing import Final, NamedTuple

from stdnum.iso7064 import mod_11_10

from shared.contracts.counter_v1 import TRANSACTION_TYPE
from shared.contracts.envelope import schema_uri
from shared.contracts.registry_v1 import AgreementState, CustomerState

LINES: Final = ("letters", "logistics", "express", "parcels", "press", "finance", "information", "philately")
TIERS: Final = ("none", "ordinary", "silver", "gold", "diamond")
THRESHOLDS_FEN: Final = (1_000_000, 5_000_000, 20_000_000, 100_000_000)
"""Of the scheme city-default without a city group, stated again here: an oracle does not ask what it judges."""
SOURCE: Final = "/counters/bench"
UNIT: Final = "3205"
UNIT_PATH: Final = "/CN/32/3205"
NEAR: Final = 1000
"""A near duplicate repeats one of so many transactions just before it; a far one any that was ever sent."""

_DRAWS: Final = Struct("<8I")
_WHOLE: Final = 2**32
_STEPS: Final = 4096
_SPREAD: Final = tuple(2.718281828 ** NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS))
"""A log-normal distribution around 1, as a table."""
_SIZES_FEN: Final = (*[6_000] * 14, *[40_000] * 5, 400_000)
"""The middle amount of a customer's transactions: many small customers, some of middle size, few large ones."""

Headers = list[tuple[str, bytes]]


class Sale(NamedTuple):
    """One transaction before it is put into words; `fen` is signed, a reversal below zero."""

    number: int
    customer: int
    line: int
    fen: int
    pieces: int
    day: int
    second: int
    counter: int


class Sent(NamedTuple):
    """A Kafka record as a counter sends it."""

    key: bytes
    value: bytes
    headers: Headers


class Change(NamedTuple):
    """A tier change under city-default that the workload must lead to; `cause` is the id of the transaction."""

    customer_code: str
    version: int
    from_tier: str
    to_tier: str
    total_fen: int
    cause: str


@dataclass
class Expected:
    """What every contender must arrive at: how many transactions are booked once, fen by (customer, line), and the
    tier changes in order per customer."""

    booked: int = 0
    totals: dict[tuple[int, int], int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Workload:
    """`events` transactions of `customers` customers with an agreement in force, 1 % of them sent twice (half of these
    near, half anywhere before) and 3 % reversals that name no sale. All lie in the year of the day before `today`."""

    events: int
    customers: int
    today: date
    seed: int = 7
    duplicates: float = 0.01
    reversals: float = 0.03

    @cached_property
    def last_day(self) -> date:
        return self.today - timedelta(days=1)

    @property
    def year(self) -> int:
        return self.last_day.year

    @cached_property
    def days(self) -> tuple[str, ...]:
        first = date(self.year, 1, 1)
        return tuple((first + timedelta(days=n)).isoformat() for n in range((self.last_day - first).days + 1))

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Customer codes with a good check digit."""
        return tuple(customer_code(number) for number in range(self.customers))

    # -- what is sent -----------------------------------------------------------------------------------------------

    def sale(self, number: int) -> Sale:
        """The transaction of this number, always the same."""
        draws = self._draws("sale", number)
        customer = draws[0] % self.customers
        fen = 1 + int(_SIZES_FEN[customer % len(_SIZES_FEN)] * _SPREAD[draws[1] % _STEPS])
        return Sale(
            number,
            customer,
            draws[2] % len(LINES),
            -fen if draws[3] < self.reversals * _WHOLE else fen,
            draws[4] % 90,
            draws[5] % len(self.days),
            draws[6] % 86_400,
            draws[7] % 2000,
        )

    def number_at(self, place: int) -> int:
        """Which transaction is sent at this place: its own, or an earlier one again."""
        while place:
            repeated, far, back, *_ = self._draws("place", place)
            if repeated >= self.duplicates * _WHOLE:
                break
            place = back % place if far & 1 else max(0, place - 1 - back % NEAR)
        return place

    def sent(self) -> Iterator[Sent]:
        """All records in the order in which they are sent."""
        for place in range(self.events):
            yield self.record(self.sale(self.number_at(place)))

    def record(self, sale: Sale) -> Sent:
        """A transaction in binary mode, with a value of about 300 bytes."""
        code = self.codes[sale.customer]
        day = self.days[sale.day]
        hour, rest = divmod(sale.second, 3600)
        at = f"{day}T{hour:02d}:{rest // 60:02d}:{rest % 60:02d}+08:00"
        fen = abs(sale.fen)
        value = (
            f'{{"customer_code":"{code}","counter_id":"3205{sale.counter:04d}","line":"{LINES[sale.line]}",'
            f'"kind":"{"sale" if sale.fen > 0 else "reversal"}","amount":"{fen // 100}.{fen % 100:02d}",'
            f'"pieces":{sale.pieces},"occurred_at":"{at}","business_date":"{day}","settlement":"cash",'
            f'"manager_id":"m-{sale.customer % 300:04d}","clerk_id":"c-{sale.counter:05d}","reverses":null,'
            f'"destination":"32{sale.counter % 10000:04d}"}}'
        )
        key = code.encode()
        headers = [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_type", TRANSACTION_TYPE.encode()),
            ("ce_source", SOURCE.encode()),
            ("ce_id", event_id(sale.number).encode()),
            ("ce_time", at.encode()),
            ("ce_dataschema", _SCHEMA),
            ("ce_subject", key),
        ]
        return Sent(key, value.encode(), headers)

    def customer_states(self) -> Iterator[CustomerState]:
        """What the registry says of the customers: active, with an agreement over all lines since 1 January."""
        signed_on = date(self.year, 1, 1)
        at = datetime(self.year, 1, 1, tzinfo=UTC)
        for number, code in enumerate(self.codes):
            yield CustomerState(
                customer_code=code,
                version=1,
                name=f"客户 {code}",
                kind="active",
                status="active",
                unit_code=UNIT,
                unit_path=UNIT_PATH,
                manager_a=f"m-{number % 300:04d}",
                registered_at=at,
                agreements=(
                    AgreementState(
                        agreement_no=f"A-{code}", signed_on=signed_on, state="in_force", recorded_at=at
                    ),
                ),
                as_of=at,
            )

    def _draws(self, what: str, number: int) -> tuple[int, ...]:
        digest = blake2b(f"{what}{self.seed}:{number}".encode(), digest_size=_DRAWS.size).digest()
        return _DRAWS.unpack(digest)

    # -- what must come out -----------------------------------------------------------------------------------------

    def expected(self) -> Expected:
        """The oracle: every transaction once, in the order of sending, a tier raised by the sale that reaches it."""
        return expected_of(self, (self.sale(self.number_at(place)) for place in range(self.events)))


def expected_of(workload: Workload, sales: Iterator[Sale]) -> Expected:
    """What these transactions of the workload's customers lead to, in this order."""
    outcome = Expected()
    seen: set[int] = set()
    year_fen: dict[int, int] = {}
    standing: dict[int, tuple[int, int]] = {}
    totals = outcome.totals
    for sale in sales:
        if sale.number in seen:
            continue
        seen.add(sale.number)
        at = (sale.customer, sale.line)
        totals[at] = totals.get(at, 0) + sale.fen
        total = year_fen[sale.customer] = year_fen.get(sale.customer, 0) + sale.fen
        tier, version = standing.get(sale.customer, (0, 0))
        reached = bisect_right(THRESHOLDS_FEN, total)
        # A reversal lowers the total and never moves a tier, not even back up.
        if sale.fen > 0 and reached > tier:
            standing[sale.customer] = (reached, version + 1)
            outcome.changes.append(
                Change(
                    workload.codes[sale.customer],
                    version + 1,
                    TIERS[tier],
                    TIERS[reached],
                    total,
                    event_id(sale.number),
                )
            )
    outcome.booked = len(seen)
    return outcome


def event_id(number: int) -> str:
    return f"320500-bench-{number:09d}"


def customer_code(number: int) -> str:
    """A 6-digit division, a 6-digit serial and the check digit."""
    body = f"320500{number + 1:06d}"
    return body + mod_11_10.calc_check_digit(body)


_SCHEMA: Final = schema_uri(TRANSACTION_TYPE).encode()
