"""The counters of a simulated province on a real instance: customers registered, records sent as time goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cli.acts import everything
from cli.customer_book import load
from cli.feed import CounterFeed
from cli.instance import CommandError, Session
from cli.simulated.province import Province, Unit, build
from cli.simulated.stream import RATE, Arrival, arrivals
from cli.words import phrase

_RENEWED_ON = (1, 1)


def province_of(session: Session, seed: int, customers: int) -> Province:
    """The province of a seed on the units of this instance's registry."""
    units = [
        Unit(unit["unit_code"], unit["level"], unit["parent"], unit["name_zh"], unit["division"])
        for unit in everything(session, "registry", "/v1/units")
        if unit["valid_to"] is None
    ]
    try:
        return build(seed, units, customers)
    except ValueError as problem:
        raise CommandError(phrase("cli.simulate.not_here", why=problem)) from problem


def register_customers(session: Session, province: Province, first: date) -> dict[int, str]:
    """The codes of the province's customers, by number: registered now, or found as they were registered before.

    Most have an agreement, signed by the time the year of the stream begins; who has none climbs to no tier.
    """
    signed_on = date(first.year, *_RENEWED_ON).isoformat()
    rows: list[dict[str, Any]] = []
    for customer in province.customers:
        row = {
            "name": customer.name,
            "uscc": customer.uscc,
            "unit_code": customer.unit_code,
            "division": customer.division,
        }
        if customer.agreement:
            row |= {
                "agreement_no": f"SIM-{province.seed}-{customer.number:03d}-{first.year}",
                "agreement_signed_on": signed_on,
            }
        rows.append(row)
    results = load(session, rows, f"simulated {province.seed}", "0" * 64)
    codes = {
        customer.number: str(result["customer_code"])
        for customer, result in zip(province.customers, results, strict=True)
        if result["result"] != "rejected"
    }
    if not codes:
        reasons = sorted({reason for result in results for reason in result["reasons"]})
        raise CommandError(phrase("cli.simulate.none_registered", reasons=reasons))
    return codes


@dataclass(slots=True)
class Counters:
    """Sends what arrives, up to an instant that moves on."""

    feed: CounterFeed
    province: Province
    codes: Mapping[int, str]
    began: datetime
    """What would have arrived before is not sent."""
    rate: int = RATE
    mishaps: Counter[str] = field(default_factory=Counter)
    _stream: Iterator[Arrival] = field(init=False)
    _next: Arrival = field(init=False)

    def __post_init__(self) -> None:
        self._stream = arrivals(self.province, self.codes, self.began.date(), self.rate)
        self._next = next(one for one in self._stream if one.at >= self.began)

    @property
    def next_at(self) -> datetime:
        """When the next record arrives."""
        return self._next.at

    def send_until(self, instant: datetime) -> int:
        """Send what arrives before the instant; how many records that were."""
        due = []
        while self._next.at < instant:
            due.append(self._next.event)
            self.mishaps.update(self._next.mishaps)
            self._next = next(self._stream)
        self.feed.send(due)
        return len(due)
