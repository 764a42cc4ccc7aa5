"""What the handlers need from outside: the store of the views, one per unit of work. Implemented in adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from services.reporting.domain.freshness import Freshness
from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.contracts.tiering_v1 import TierChanged, TierState
from shared.messaging.states import Told
from shared.messaging.work import Work


class ViewStore(Protocol):
    """The views inside one transaction. What is given holds no key twice; older states than those stored change
    nothing."""

    async def open(self) -> None:
        """Wait until no other process is writing views, and keep others waiting until the end."""

    async def keep_units(self, told: Sequence[Told[UnitState]]) -> None:
        """Units by code."""

    async def keep_customers(self, told: Sequence[Told[CustomerState]]) -> None:
        """Customers by code; their tiers and movements follow them to their unit and managers."""

    async def keep_tiers(self, told: Sequence[Told[TierState]]) -> None:
        """Tiers by customer and scheme."""

    async def keep_movements(self, told: Sequence[Told[TierChanged]]) -> None:
        """Tier changes, each once."""

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        """How far the views have come."""


OpenViews = Callable[[Work], ViewStore]
