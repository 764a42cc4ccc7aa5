"""The desk at which acts on declarations are done, and how routes reach it: `app.state.declarations`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.declaration_reads import DeclarationReads
from services.registry.adapters.declarations import PostgresDeclarations, PostgresDelegations
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.declarations import SYSTEM, Terms
from services.registry.domain.time_limits import TimeLimits
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.ports import Rules
from shared.auth.principals import Principal
from shared.clock import business_date
from shared.commands import Call, Commands
from shared.idempotency import unavailable
from shared.ids import new_id
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

REGISTRY: Final = Principal(SYSTEM, SYSTEM, ())
"""Who acts where nobody does: timers and the start of the service. It asks nobody's permission and has no role."""

Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Desks:
    """Opens desks by what the service is configured with."""

    rules: Rules
    limits: TimeLimits
    industries: Mapping[str, str]

    async def open(self, work: Work, caller: Principal = REGISTRY, version: int | None = None) -> Desk:
        """The desk of one transaction."""
        organisations = PostgresOrganisations(work)
        organisation = await organisations.load()
        today = business_date(work.now)
        return Desk(
            now=work.now,
            caller=caller,
            version=version,
            terms=Terms(organisation.units, self.limits, self.rules.default_unit, today),
            rules=self.rules,
            industries=self.industries,
            organisation=organisation,
            declarations=PostgresDeclarations(work),
            delegations=PostgresDelegations(work),
            customers=PostgresCustomers(work),
            organisations=organisations,
            publish=publisher(work),
            new_id=new_id,
        )

    async def open_for(self, work: Work, call: Call) -> Desk:
        return await self.open(work, call.caller, call.version)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes of declarations and delegations are made of."""

    unit_of_work: UnitOfWork
    desks: Desks
    reads: DeclarationReads
    loaded: Callable[[], bool]

    @property
    def commands(self) -> Commands[Desk]:
        return Commands(self.unit_of_work, self.desks.open_for)

    @asynccontextmanager
    async def look(self, caller: Principal) -> AsyncIterator[Desk]:
        """A desk whose transaction leaves nothing behind: for what is asked of the stores as the writer sees them."""
        async with self.unit_of_work.rehearse() as work:
            yield await self.desks.open(work, caller)


async def parts(request: Request) -> Parts:
    found: Parts = request.app.state.declarations
    return found


async def commands(request: Request) -> Commands[Desk]:
    return (await parts(request)).commands


async def when_loaded(request: Request) -> None:
    """Until the organisation is loaded every unit would be unknown."""
    if not (await parts(request)).loaded():
        raise unavailable()


FromParts = Annotated[Parts, Depends(parts)]
"""The type of a route's parameter for a read."""
Door = Annotated[Commands[Desk], Depends(commands)]
"""The type of a route's parameter for a command."""
