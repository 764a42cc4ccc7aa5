"""Learn what the registry says of units and customers: what claims decides by, and what moves plans along.

States are kept by version, so the topics can be read again from anywhere and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.claims.handlers.desk import Desk
from services.claims.handlers.follow_customers import follow_customers
from services.claims.handlers.ports import OpenKnown
from shared.contracts.envelope import Message
from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.messaging.records import Record
from shared.messaging.states import newest, read_states
from shared.messaging.work import Work

KINDS: Final[dict[str, type[Message]]] = {kind.TOPIC: kind for kind in (UnitState, CustomerState)}
TOPICS: Final = tuple(KINDS)


class Learn:
    """The handler of the registry's states."""

    def __init__(self, open_known: OpenKnown, open_desk: Callable[[Work], Desk]) -> None:
        self._open_known = open_known
        self._open_desk = open_desk

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        told = read_states(work, records, KINDS)
        known = self._open_known(work)
        units = [one for one in told if isinstance(one.state, UnitState)]
        await known.keep_units(newest(units, lambda unit: unit.unit_code, lambda unit: unit.version))
        customers = newest(
            [one for one in told if isinstance(one.state, CustomerState)],
            lambda customer: customer.customer_code,
            lambda customer: customer.version,
        )
        if customers:
            await known.keep_customers(customers)
            # An older state has changed nothing, and what is looked at now is the state that is stored.
            await follow_customers(self._open_desk(work), [one.state.customer_code for one in customers])

    def discard(self) -> None:
        """Nothing to drop: everything is in the database."""
