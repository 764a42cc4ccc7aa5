"""The operators' console: pages for people who have signed in, one module a room.

Reads come from the views of this service under the person's own rights; acts go to the service that owns what is acted
on, with the person's own token. Every page works without scripts; with them it follows what happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter

from services.reporting.adapters.peers import Peers
from services.reporting.adapters.read_models import ReadModels
from services.reporting.entrypoints.console import (
    cases,
    customers,
    dashboard,
    dead_letters,
    declarations,
    exports,
    freshness,
    live,
    merges,
    plans,
    sign_in,
    suspense,
    windows,
)
from services.reporting.entrypoints.console.live import Hub
from services.reporting.entrypoints.console.page import ConsoleRoute, Pages
from services.reporting.entrypoints.console.parts import Console
from services.reporting.entrypoints.console.static_files import StaticFiles
from services.reporting.entrypoints.console.visitor import Visitor
from shared.clock import Clock

__all__ = ["Hub", "console"]


def console(read: ReadModels, peers: Peers, hub: Hub, clock: Clock, mode: str) -> Sequence[APIRouter]:
    """All routes of the console."""
    files = StaticFiles.shipped()

    async def as_of(who: Visitor) -> datetime | None:
        return await read.latest_event(who.principal)

    pages = Pages(files, clock, as_of, lambda: hub.mark)

    class Route(ConsoleRoute):
        pass

    Route.pages = pages
    made = Console(read, peers, pages, Route)
    rooms = (
        dashboard,
        customers,
        declarations,
        merges,
        plans,
        windows,
        cases,
        suspense,
        dead_letters,
        freshness,
        exports,
    )
    return (
        files.router(),
        sign_in.routes(made, mode),
        live.routes(hub, as_of, Route),
        *(room.routes(made) for room in rooms),
    )
