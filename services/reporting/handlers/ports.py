"""What the handlers need from outside: the store of the views, one per unit of work. Implemented in adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.reporting.domain.freshness import Freshness
from services.reporting.handlers.held_items import HeldItem
from services.reporting.handlers.letters import Letter
from services.reporting.handlers.reading import Gone
from shared.contracts.claims_v1 import WindowState
from shared.contracts.envelope import Message
from shared.contracts.operation_v1 import DeadLetterDisposed
from shared.messaging.states import StateRecord
from shared.messaging.work import Work


class ViewStore(Protocol):
    """The views inside one transaction. What is given holds no key twice; older states than those stored change
    nothing."""

    async def open(self) -> None:
        """Wait until no other process is writing views, and keep others waiting until the end."""

    async def keep(self, kind: type[Message], told: Sequence[StateRecord[Any]]) -> None:
        """Messages of one kind: states by their key, changes and events each once."""

    async def keep_windows(self, windows: Sequence[StateRecord[WindowState] | Gone]) -> None:
        """Windows by key, and that a key has none."""

    async def keep_held(self, items: Sequence[HeldItem]) -> None:
        """What is or was held in suspense."""

    async def keep_letters(self, letters: Sequence[Letter]) -> None:
        """Dead letters by service and origin."""

    async def keep_disposals(self, told: Sequence[StateRecord[DeadLetterDisposed]]) -> None:
        """What became of dead letters, by service and origin."""

    async def follow(self) -> None:
        """Bring every row that this transaction may have touched to the unit and managers of what it belongs to."""

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        """How far the views have come."""

    async def announce(self, views: Sequence[str]) -> None:
        """Tell whoever looks at these views, once the transaction has committed."""


OpenViews = Callable[[Work], ViewStore]
