"""What the routes of acts on customers share: how an act is carried out, and the forms of what is sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncEngine

from services.registry.adapters.agreement_timers import PostgresAgreementTimers
from services.registry.adapters.counter_codes import PostgresCounterCodes
from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.imports import PostgresImports
from services.registry.adapters.merges import PostgresMerges
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.customers import UnknownCustomer
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.ports import Rules
from shared.commands import Call, Commands
from shared.idempotency import unavailable
from shared.kernel.lines import LINES
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem

Line = Annotated[str, StringConstraints(pattern=f"^({'|'.join(LINES)})$")]
Sentence = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")
]
"""A reason or a comment."""
CodeText = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
"""A code as it is sent; whether it means anything is looked up."""
Number = Annotated[int, Path(ge=1, lt=2**63)]


def acts(unit_of_work: UnitOfWork, rules: Rules) -> Commands[ActDesk]:
    """How the acts are carried out: each at a desk of its transaction."""

    async def open_desk(work: Work, call: Call) -> ActDesk:
        return ActDesk(
            call.caller,
            call.version,
            work.now,
            rules,
            PostgresCustomers(work),
            PostgresOrganisations(work),
            PostgresCounterCodes(work),
            PostgresMerges(work),
            PostgresImports(work),
            PostgresAgreementTimers(work),
            publisher(work),
        )

    return Commands(unit_of_work, open_desk)


async def _acts(request: Request) -> Commands[ActDesk]:
    found: Commands[ActDesk] = request.app.state.acts
    return found


async def _reader(request: Request) -> AsyncEngine:
    found: AsyncEngine = request.app.state.reader
    return found


async def when_loaded(request: Request) -> None:
    """Until the organisation is loaded the routes answer 503: every unit would be unknown, every row of an import would be
    refused for its unit, and that answer would be kept for its key."""
    if not request.app.state.organisation_loaded():
        raise unavailable()


Acts = Annotated[Commands[ActDesk], Depends(_acts)]
"""The type of a route's parameter: what carries the acts out."""
Reader = Annotated[AsyncEngine, Depends(_reader)]
"""The type of a route's parameter: the reader, under row-level security."""


def storable(customer_code: str) -> str:
    """The code of a path. PostgreSQL takes no NUL in text, and no customer has one in its code."""
    if "\x00" in customer_code:
        raise Problem(UnknownCustomer(customer_code))
    return customer_code
