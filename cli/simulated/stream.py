"""What arrives from the counters of a province, in the order of its arrival, day after day without end.

Each day has dice of its own, made of the seed and the date: the sales of a day are the same wherever a run begins, and
so are their identities. A second run over the same days with the same customers changes nothing.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from itertools import count
from random import Random  # noqa: TID251 -- seeded: the same seed gives the same stream
from typing import Any, Final, NamedTuple

from cli.simulated import mishaps
from cli.simulated.calendar import minute_of_day
from cli.simulated.mishaps import Mishap
from cli.simulated.province import Customer, Outlet, Province
from cli.transaction_rows import event
from shared.clock import SHANGHAI
from shared.money import AMOUNT_FEN_MAX, format_yuan

RATE: Final = 600
"""Transactions of an ordinary working day."""
_LEAST_FEN: Final = 100
_DAY: Final = timedelta(days=1)
_FORGOTTEN_CODES: Final = 12


class Arrival(NamedTuple):
    """One record as it comes from a counter."""

    at: datetime
    event: dict[str, Any]
    mishaps: frozenset[Mishap]


def arrivals(
    province: Province, codes: Mapping[int, str], first: date, rate: int = RATE
) -> Iterator[Arrival]:
    """Everything that arrives from the first day on, without end. `codes` are the registry's by customer number; a
    customer without one posts nothing."""
    customers = [customer for customer in province.customers if customer.number in codes]
    waiting: list[tuple[datetime, int, Arrival]] = []
    order = count()
    if not customers:
        return
    weight = sum(math.sqrt(customer.yearly_fen) for customer in customers)
    for day in _days(first):
        dice = Random(f"{province.seed} {day}")  # noqa: S311
        numbers = count(1)
        for customer in customers:
            mean = rate * math.sqrt(customer.yearly_fen) / weight
            for arrival in _of_customer(province, customer, codes[customer.number], day, mean, dice, numbers):
                heapq.heappush(waiting, (arrival.at, next(order), arrival))
        ends = _at(day + _DAY, 0)
        while waiting and waiting[0][0] < ends:
            yield heapq.heappop(waiting)[2]


def _days(first: date) -> Iterator[date]:
    while True:
        yield first
        first += _DAY


def _of_customer(
    province: Province,
    customer: Customer,
    code: str,
    day: date,
    mean: float,
    dice: Random,
    numbers: Iterator[int],
) -> Iterator[Arrival]:
    """What the sales of one customer's day bring, today and later. `mean` is how many there are on an ordinary day."""
    fen = customer.fen_on(day)
    ordinary = customer.yearly_fen / 365
    expected = mean * min(fen / ordinary, 3.0)
    bursts = dice.random() < mishaps.BURST_CHANCE
    sales = dice.randint(*mishaps.BURST_SALES) if bursts else _poisson(dice, expected)
    # However many sales there are, their mean is what the customer spends: a burst is the same money in small pieces.
    each = fen / (sales if bursts else max(expected, 1e-9))
    open_at = [outlet for outlet in customer.outlets if outlet.opening.on(day) is not None]
    if fen <= 0 or not open_at:
        return
    together: tuple[Outlet, int] | None = None
    if bursts:
        outlet = dice.choice(open_at)
        together = (outlet, minute_of_day(dice, outlet.opening.on(day) or (0, 1)))
    for _ in range(sales):
        outlet = together[0] if together else dice.choice(open_at)
        minute = together[1] if together else minute_of_day(dice, outlet.opening.on(day) or (0, 1))
        at = _at(day, minute * 60 + dice.randrange(180 if together else 60))
        sold = _sale(province, customer, code, outlet, day, at, each, dice, next(numbers))
        yield from _with_mishaps(sold, customer, outlet, code, at, dice, bursts=bursts)


def _sale(
    province: Province,
    customer: Customer,
    code: str,
    outlet: Outlet,
    day: date,
    at: datetime,
    mean_fen: float,
    dice: Random,
    number: int,
) -> dict[str, Any]:
    fen = min(max(int(mean_fen * dice.uniform(0.2, 1.8)), _LEAST_FEN), AMOUNT_FEN_MAX)
    line = dice.choices(list(customer.kind.lines), list(customer.kind.lines.values()))[0]
    occurred_at = at.isoformat()
    data = {
        "customer_code": code,
        "counter_id": outlet.counter_id,
        "line": line,
        "kind": "sale",
        "amount": format_yuan(fen),
        "pieces": max(1, fen // customer.kind.piece_fen),
        "occurred_at": occurred_at,
        "business_date": day.isoformat(),
        "settlement": "credit" if customer.kind.credit and customer.agreement else "cash",
        "payer_uscc": customer.uscc,
        "product": "simulated",
        "destination": customer.division,
    }
    made = event(f"{day:%Y%m%d}-{number:06d}", province.source(outlet), data)
    made["time"] = occurred_at
    return made


def _with_mishaps(
    sold: dict[str, Any],
    customer: Customer,
    outlet: Outlet,
    code: str,
    at: datetime,
    dice: Random,
    *,
    bursts: bool,
) -> Iterator[Arrival]:
    """The records of one sale: itself as it arrives, and what follows it."""
    befallen = mishaps.struck(dice)
    local = dice.random() < mishaps.LOCAL_CHANCE
    found: set[Mishap] = {"burst"} if bursts else set()
    data = sold["data"]
    if customer.local_code is not None and outlet == customer.outlets[0] and local:
        data["customer_code"] = customer.local_code
        found.add("local")
    elif "mistyped" in befallen:
        data["customer_code"] = mishaps.mistyped(dice, code)
        found.add("mistyped")
    elif "forgotten" in befallen:
        data["customer_code"] = f"OLD-{dice.randint(1, _FORGOTTEN_CODES):02d}"
        found.add("forgotten")
    if "ahead" in befallen:
        data["business_date"] = (at.date() + timedelta(days=dice.randint(10, 40))).isoformat()
        found.add("ahead")
    arrives = at
    if "late" in befallen:
        arrives = _later(dice, at, 1, mishaps.LATE_DAYS_MAX)
        found.add("late")
    if "garbled" in befallen:
        # The counter notices and sends it again as it should be: an invalid message claims no identity.
        yield Arrival(arrives, mishaps.garbled(dice, sold), frozenset(found | {"garbled"}))
        arrives += timedelta(minutes=dice.randint(5, 600))
    yield Arrival(arrives, sold, frozenset(found))
    if "twice" in befallen:
        yield Arrival(_later(dice, arrives, 0, 5), sold, frozenset(found | {"twice"}))
    if "altered" in befallen:
        yield Arrival(_later(dice, arrives, 0, 5), mishaps.altered(sold), frozenset(found | {"altered"}))
    if "reversed" in befallen:
        # Taken back where it was sold: when the sale itself is late, the reversal may well come first.
        taken = _later(dice, at, 0, 10)
        back = mishaps.reversal(dice, sold, taken.isoformat(), taken.date().isoformat())
        yield Arrival(taken, back, frozenset(found - {"late", "burst"} | {"reversed"}))


def _later(dice: Random, at: datetime, least_days: int, most_days: int) -> datetime:
    """Some days later in the middle of the day, or on the same day minutes to hours later."""
    days = dice.randint(least_days, most_days)
    if days == 0:
        return at + timedelta(minutes=dice.randint(1, 90))
    return _at(at.date() + timedelta(days=days), dice.randrange(9 * 3600, 17 * 3600))


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time_of_day(0), SHANGHAI) + timedelta(seconds=second)


def _poisson(dice: Random, mean: float) -> int:
    """How many independent visits there are where `mean` are expected."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    limit, product, events = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        events += 1
    return events
