"""Build the views from events alone (REP-1): a batch is folded in memory and stored with a few statements.

A view is a function of the set of events it has seen, whatever their order: of states the newest holds, changes and events
are counted once, and a row takes its unit from what it belongs to whichever of the two arrives first. So topics can be
read again from anywhere, and the views come out the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from services.reporting.domain.freshness import Seen, freshness
from services.reporting.handlers import letters
from services.reporting.handlers.held_items import held_items
from services.reporting.handlers.letters import Letter
from services.reporting.handlers.ports import OpenViews
from services.reporting.handlers.reading import TOPICS, last_of_each, read
from shared.contracts import topics
from shared.contracts.claims_v1 import ClaimsEvent, PlanState
from shared.contracts.envelope import Message
from shared.contracts.operation_v1 import DISPOSED
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    RegistryAlert,
    UnitState,
)
from shared.contracts.tiering_v1 import RevenueState, SuspenseEvent, TierChanged, TierState
from shared.messaging.records import Record
from shared.messaging.states import StateRecord, newest
from shared.messaging.work import Work

__all__ = ("TOPICS", "VIEWS", "BuildViews")

VIEWS: Final = {
    topics.UNITS: "unit_view",
    topics.CUSTOMERS: "customer_view",
    topics.CUSTOMER_EVENTS: "customer_event_view",
    topics.DECLARATIONS: "declaration_view",
    topics.TIERS: "tier_view",
    topics.TIER_CHANGES: "tier_movement_view",
    topics.REVENUE: "revenue_view",
    topics.SUSPENSE: "suspense_view",
    topics.PLANS: "plan_view",
    topics.WINDOWS: "window_view",
    topics.CLAIMS_EVENTS: "claims_event_view",
    topics.events_topic("registry"): "alert_view",
    topics.events_topic("tiering"): "dead_letter_view",
    topics.events_topic("reporting"): "dead_letter_view",
    **dict.fromkeys(letters.TOPICS, "dead_letter_view"),
}
"""The view that each topic feeds; disposals of dead letters come by the events of every service."""

_HOLDS: Final[dict[type[Message], tuple[Callable[[Any], object], Callable[[Any], int]]]] = {
    UnitState: (lambda unit: unit.unit_code, lambda unit: unit.version),
    CustomerState: (lambda customer: customer.customer_code, lambda customer: customer.version),
    TierState: (lambda tier: (tier.customer_code, tier.scheme), lambda tier: tier.version),
    TierChanged: (
        lambda change: (change.customer_code, change.scheme, change.version),
        lambda change: change.version,
    ),
    RevenueState: (lambda revenue: (revenue.customer_code, revenue.year), lambda revenue: revenue.version),
    DeclarationState: (
        lambda declaration: declaration.declaration_id,
        lambda declaration: declaration.version,
    ),
    PlanState: (lambda plan: plan.plan_id, lambda plan: plan.version),
}
"""Key and version of each kind of state. Units and customers come first and plans before their events, so that most rows
find what they belong to at once."""
_HAPPENINGS: Final[tuple[type[Message], ...]] = (CustomerEvent, ClaimsEvent, RegistryAlert)


class BuildViews:
    """The handler of everything that the views are made of."""

    def __init__(self, open_views: OpenViews) -> None:
        self._open_views = open_views

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        found = read(work, records)
        views = self._open_views(work)
        await views.open()
        for kind, (key, version) in _HOLDS.items():
            await views.keep(kind, newest(found.of(kind), key, version))
        for kind in _HAPPENINGS:
            await views.keep(kind, _first_of_each(found.of(kind)))
        await views.keep_windows(last_of_each(found.windows))
        await views.keep_held(held_items(found.of(SuspenseEvent)))
        await views.keep_letters(_letters(found.letters))
        for kind in DISPOSED.values():
            await views.keep_disposals(newest(found.of(kind), lambda disposed: disposed.key, lambda _: 0))
        await views.follow()
        seen = [
            Seen(record.topic, record.partition, record.offset, found.times.get(record[:3]))
            for record in records
        ]
        reached = freshness(seen, VIEWS)
        await views.keep_freshness(reached)
        await views.announce(sorted({one.view for one in reached}))

    def discard(self) -> None:
        """Nothing to drop: everything is in the database."""


def _first_of_each(told: Sequence[StateRecord[Any]]) -> list[StateRecord[Any]]:
    """Each event once; the same id says the same for ever."""
    found: dict[str, StateRecord[Any]] = {}
    for one in told:
        before = found.get(one.event.id)
        if before is None or one.record.offset < before.record.offset:
            found[one.event.id] = one
    return list(found.values())


def _letters(given: Sequence[Letter]) -> list[Letter]:
    found: dict[object, Letter] = {}
    for letter in given:
        before = found.get(letter[:4])
        if before is None or letter.offset < before.offset:
            found[letter[:4]] = letter
    return list(found.values())
