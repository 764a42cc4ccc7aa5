"""How claims carries commands out: the desk of each transaction, and what the routes reach."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncEngine

from services.claims.adapters.lunar import festival_day
from services.claims.adapters.plans import PostgresPlans, PostgresPlanTimers
from services.claims.adapters.publishing import publisher, tombstones
from services.claims.domain.refusals import WindowHeldByAnother
from services.claims.domain.rules import Rulebook
from services.claims.handlers.desk import NOBODY, Desk, WindowTaken
from shared.auth.http import BadToken, Unauthenticated
from shared.auth.policy import Forbidden
from shared.auth.principals import Principal
from shared.commands import Call, Commands
from shared.kernel.refusals import Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import InvalidFields, Problem, declared, response


def open_desk(work: Work, rules: Rulebook, caller: Principal = NOBODY, version: int | None = None) -> Desk:
    """A desk inside this unit of work."""
    return Desk(
        work.now,
        PostgresPlans(work),
        PostgresPlanTimers(work),
        publisher(work),
        tombstones(work),
        rules,
        festival_day,
        caller,
        version,
    )


def commands(unit_of_work: UnitOfWork, rules: Rulebook) -> Commands[Desk]:
    """The service's commands."""

    async def open_for(work: Work, call: Call) -> Desk:
        return open_desk(work, rules, call.caller, call.version)

    return Commands(unit_of_work, open_for)


async def _door(request: Request) -> Commands[Desk]:
    door: Commands[Desk] = request.app.state.commands
    return door


async def _rules(request: Request) -> Rulebook:
    rules: Rulebook = request.app.state.rules
    return rules


async def _reader(request: Request) -> AsyncEngine:
    reader: AsyncEngine = request.app.state.reader
    return reader


Door = Annotated[Commands[Desk], Depends(_door)]
Rules = Annotated[Rulebook, Depends(_rules)]
Reader = Annotated[AsyncEngine, Depends(_reader)]
"""The types of routes' parameters: how commands are carried out, the rules, and the engine of reads."""


def answers(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route that reads, for its description: its own and those that any read can meet."""
    return declared(*refusals, InvalidFields, Unauthenticated, BadToken, Forbidden)


def install(app: FastAPI) -> None:
    """Makes a problem of a window that the database does not admit: whoever asked hears that another holds the customer."""
    app.add_exception_handler(WindowTaken, _window_taken)


async def _window_taken(request: Request, _error: Exception) -> Response:
    return response(request, Problem(WindowHeldByAnother()))
