"""Build the views from events alone (REP-1): a batch is folded in memory and stored with a few statements.

A view is a function of the set of events it has seen, whatever their order: of states the newest holds, changes are
counted once, and a tier takes its unit from its customer whichever of the two arrives first. So topics can be read again
from anywhere, and the views come out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.reporting.domain.freshness import Seen, freshness
from services.reporting.handlers.ports import OpenViews
from shared.contracts.envelope import Message
from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.contracts.tiering_v1 import TierChanged, TierState
from shared.messaging.records import Record
from shared.messaging.states import newest, read_states
from shared.messaging.work import Work

KINDS: Final[dict[str, type[Message]]] = {
    kind.TOPIC: kind for kind in (UnitState, CustomerState, TierState, TierChanged)
}
VIEWS: Final = {
    UnitState.TOPIC: "unit_view",
    CustomerState.TOPIC: "customer_view",
    TierState.TOPIC: "tier_view",
    TierChanged.TOPIC: "tier_movement_view",
}
"""The view that each topic feeds."""
TOPICS: Final = tuple(KINDS)


class BuildViews:
    """The handler of everything that the views are made of."""

    def __init__(self, open_views: OpenViews) -> None:
        self._open_views = open_views

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        told = read_states(work, records, KINDS)
        views = self._open_views(work)
        await views.open()
        units = [one for one in told if isinstance(one.state, UnitState)]
        await views.keep_units(newest(units, lambda unit: unit.unit_code, lambda unit: unit.version))
        customers = [one for one in told if isinstance(one.state, CustomerState)]
        await views.keep_customers(
            newest(customers, lambda customer: customer.customer_code, lambda customer: customer.version)
        )
        tiers = [one for one in told if isinstance(one.state, TierState)]
        await views.keep_tiers(
            newest(tiers, lambda tier: (tier.customer_code, tier.scheme), lambda tier: tier.version)
        )
        movements = [one for one in told if isinstance(one.state, TierChanged)]
        await views.keep_movements(
            newest(
                movements,
                lambda change: (change.customer_code, change.scheme, change.version),
                lambda change: change.version,
            )
        )
        times = {(one.record.topic, one.record.partition, one.record.offset): one.event.time for one in told}
        seen = [
            Seen(record.topic, record.partition, record.offset, times.get(record[:3])) for record in records
        ]
        await views.keep_freshness(freshness(seen, VIEWS))

    def discard(self) -> None:
        """Nothing to drop: everything is in the database."""
