"""What routes reach by dependencies: `main.py` puts it into the application's state, by these names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.reporting.adapters.reads import Reads
from services.reporting.entrypoints.rebuilder import Rebuilder
from shared.messaging.unit_of_work import UnitOfWork


async def _reads(request: Request) -> Reads:
    found: Reads = request.app.state.reads
    return found


async def _unit_of_work(request: Request) -> UnitOfWork:
    found: UnitOfWork = request.app.state.unit_of_work
    return found


async def _rebuilder(request: Request) -> Rebuilder:
    found: Rebuilder = request.app.state.rebuilder
    return found


Views = Annotated[Reads, Depends(_reads)]
"""The type of a route's parameter: what the functions of `adapters.reads` read with."""
Transactions = Annotated[UnitOfWork, Depends(_unit_of_work)]
Rebuilding = Annotated[Rebuilder, Depends(_rebuilder)]
