"""The operators' console: pages for people who have signed in, one module a room.

Reads come from the views of this service under the person's own rights; acts go to the service that owns what is acted
on, with the person's own token. Every page works without scripts; with them it follows what happens.
"""

from __future__ import annotations

from fastapi import FastAPI

from services.reporting.adapters.peers import Peers
from services.reporting.adapters.reads import Reads
from services.reporting.entrypoints.console import (
    cases,
    customers,
    dashboard,
    dead_letters,
    declarations,
    exports,
    freshness,
    merges,
    plans,
    sign_in,
    static_files,
    stream,
    suspense,
    windows,
)
from services.reporting.entrypoints.console.directory import Directory
from services.reporting.entrypoints.console.live import Hub
from services.reporting.entrypoints.console.page import Pages
from services.reporting.entrypoints.console.parts import Console
from services.reporting.entrypoints.console.route import unknown_addresses
from services.reporting.entrypoints.console.static_files import StaticFiles
from shared.clock import Clock

__all__ = ["Console", "Hub", "install", "open_console"]

_ROOMS = (
    static_files,
    sign_in,
    stream,
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


def open_console(reads: Reads, peers: Peers, hub: Hub, clock: Clock, mode: str) -> Console:
    """The console of a process."""
    return Console(
        reads, peers, Pages(StaticFiles.shipped(), clock), hub, Directory(reads, peers), clock, mode
    )


def install(app: FastAPI, console: Console) -> None:
    """Gives an application the console's addresses."""
    app.state.console = console
    for room in _ROOMS:
        app.include_router(room.router)
    unknown_addresses(app)
