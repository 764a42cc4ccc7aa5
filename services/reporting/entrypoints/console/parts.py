"""What every room of the console is made with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter

from services.reporting.adapters.peers import Peers
from services.reporting.adapters.read_models import ReadModels
from services.reporting.entrypoints.console.page import ConsoleRoute, Pages
from services.reporting.entrypoints.console.visitor import Visitor
from shared.problems import Problem

ROWS: Final = 50
"""Rows on a page of a list."""


@dataclass(frozen=True, slots=True)
class Console:
    """Reads, the other services, and the templates."""

    read: ReadModels
    peers: Peers
    pages: Pages
    route_class: type[ConsoleRoute]

    def router(self) -> APIRouter:
        return APIRouter(include_in_schema=False, route_class=self.route_class)

    async def units(self, who: Visitor) -> list[Any]:
        """Units that the person may choose from, for suggestions; none where the registry does not answer."""
        found = await self.perhaps(
            self.peers.get(who.on_behalf, "registry", "/v1/units", {"limit": 500, "unit": None})
        )
        return [] if found is None else list(found["items"] or [])

    @staticmethod
    async def perhaps(asked: Awaitable[Any]) -> Any:
        """An answer that a page can do without: None where the service is away, may not say it or does not know."""
        try:
            return await asked
        except Problem:
            return None

    @staticmethod
    async def together(*asked: Awaitable[Any]) -> list[Any]:
        return list(await asyncio.gather(*asked))
