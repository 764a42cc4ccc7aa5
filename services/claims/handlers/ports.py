"""What the handlers need from outside: what claims knows, one store per unit of work. Implemented in adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.messaging.states import Told
from shared.messaging.work import Work


class KnownStore(Protocol):
    """Units and customers inside one transaction. What is given holds no key twice; older states than those stored
    change nothing."""

    async def keep_units(self, told: Sequence[Told[UnitState]]) -> None:
        """Units by code."""

    async def keep_customers(self, told: Sequence[Told[CustomerState]]) -> None:
        """Customers by code."""


OpenKnown = Callable[[Work], KnownStore]
