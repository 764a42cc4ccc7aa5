"""What every room of the console works with: the console of the process, and the desk of one visitor.

Routes are functions at module level. They get a `Desk` by dependency (`AtDesk`): who is there, what the frame around
every page shows, and the ways to read, to ask the other services and to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Concatenate, Final

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import QueryParams

from services.reporting.adapters.peers import Command, PeerAnswer, Peers, ServiceName
from services.reporting.adapters.reads import Asked, Found, Reads
from services.reporting.adapters.reads.freshness import latest_event
from services.reporting.entrypoints.console.directory import Directory, Names
from services.reporting.entrypoints.console.forms import Form, own_form
from services.reporting.entrypoints.console.live import Hub
from services.reporting.entrypoints.console.page import Frame, Pages
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor
from shared.auth.principals import Principal
from shared.clock import Clock
from shared.problems import Problem
from shared.texts import Language

ROWS: Final = 50
"""Rows on a page of a list."""

Number = Annotated[int, Path(ge=0, lt=2**63)]
"""A number in an address, as the database can hold it."""
Id = Annotated[str, Path(max_length=64, pattern=r"^[^\x00]+$")]
"""An id in an address: PostgreSQL takes no NUL in text."""


@dataclass(frozen=True, slots=True)
class Console:
    """The console of this process. Its routes find it in `app.state.console`."""

    reads: Reads
    peers: Peers
    pages: Pages
    hub: Hub
    directory: Directory
    clock: Clock
    mode: str


@dataclass(frozen=True, slots=True)
class Desk:
    """One visitor's request: reads and commands on their behalf, and the pages that answer."""

    console: Console
    request: Request
    who: Visitor
    frame: Frame

    @property
    def principal(self) -> Principal:
        return self.who.principal

    @property
    def language(self) -> Language:
        return self.who.manner.language

    @property
    def names(self) -> Names:
        return self.frame.names

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def now(self) -> datetime:
        return self.console.clock.now()

    def show(
        self,
        template: str,
        *,
        status: int | None = None,
        refused: Problem | None = None,
        form: Form | None = None,
        **shown: Any,
    ) -> HTMLResponse:
        """See `Pages.show`."""
        return self.console.pages.show(
            self.request, self.who, self.frame, template, status=status, refused=refused, form=form, **shown
        )

    async def form(self) -> Form:
        """The form of this request. Raises the problems of `forms.own_form`."""
        return await own_form(self.request, self.who)

    async def read(
        self,
        function: Callable[Concatenate[Reads, Principal, Asked], Awaitable[Found]],
        *asked: Asked.args,
        **named: Asked.kwargs,
    ) -> Found:
        """What the views say to the visitor, by a function of `adapters.reads`."""
        return await self.console.reads.read(self.principal, function, *asked, **named)

    async def get(
        self, service: ServiceName, path: str, params: Mapping[str, Any] | None = None
    ) -> PeerAnswer:
        """What a service answers. Raises its problem."""
        return await self.console.peers.get(self.who.on_behalf, service, path, params)

    async def perhaps(
        self, service: ServiceName, path: str, params: Mapping[str, Any] | None = None
    ) -> PeerAnswer | None:
        """An answer that a page can do without: None where the service is away, may not say it or does not know."""
        try:
            return await self.get(service, path, params)
        except Problem:
            return None

    async def tell(self, command: Command) -> PeerAnswer:
        """Have a command done. Raises its problem."""
        return await self.console.peers.tell(self.who.on_behalf, command)

    @staticmethod
    async def together(*asked: Awaitable[Any]) -> list[Any]:
        return list(await asyncio.gather(*asked))


async def desk_of(request: Request, who: SignedIn) -> Desk:
    console = console_of(request)
    as_of, names = await asyncio.gather(
        console.reads.read(who.principal, latest_event) if who.may("customers.read") else _nothing(),
        console.directory.names(who),
    )
    return Desk(console, request, who, Frame(as_of, names))


AtDesk = Annotated[Desk, Depends(desk_of)]
"""The type of a route's parameter: `async def page(desk: AtDesk) -> …`."""


def console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


async def _nothing() -> None:
    return None
