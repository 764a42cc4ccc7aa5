"""Where transactions belong before they are booked: the units of their counters and of the customers that their codes mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.tiering.domain.account import Binding, meant
from shared.contracts.counter_v1 import Transaction
from shared.messaging.work import Work


class Place(NamedTuple):
    """Paths of units; None where nobody knows the counter, or the code."""

    counter: str | None
    customer: str | None


async def places_of(work: Work, transactions: Sequence[Transaction]) -> list[Place]:
    """Where each of these transactions belongs, as things stand now."""
    db = await work.raw()
    units = await db.fetch(
        "SELECT code, path FROM units WHERE code = ANY($1::text[])",
        list({one.counter_id for one in transactions}),
    )
    counters = {row["code"]: row["path"] for row in units}
    found = await db.fetch(
        "SELECT b.code, b.account, b.valid_from, b.valid_to, b.unit_code, b.counter_id, a.unit_path FROM bindings b "
        "JOIN accounts a ON a.number = b.account WHERE b.code = ANY($1::text[])",
        list({one.customer_code for one in transactions}),
    )
    bindings: dict[str, list[Binding]] = {}
    customers: dict[int, str] = {}
    for code, account, valid_from, valid_to, unit_code, counter_id, path in found:
        bindings.setdefault(code, []).append(Binding(account, valid_from, valid_to, unit_code, counter_id))
        customers[account] = path
    places = []
    for one in transactions:
        counter = counters.get(one.counter_id)
        binding = meant(bindings.get(one.customer_code, ()), one.business_date, one.counter_id, counter or "")
        places.append(Place(counter, None if binding is None else customers[binding.account] or None))
    return places
