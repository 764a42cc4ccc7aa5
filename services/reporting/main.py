"""Reporting put together: the only file that knows every part."""

from __future__ import annotations

import asyncio

from services.reporting.adapters.listening import ViewListener
from services.reporting.adapters.peers import Peers
from services.reporting.adapters.reads import Reads
from services.reporting.adapters.views import PostgresViews
from services.reporting.entrypoints import exports, http, rebuilds, view_routes
from services.reporting.entrypoints.console import Hub, install, open_console
from services.reporting.entrypoints.rebuilder import Rebuilder
from services.reporting.handlers.build_views import TOPICS, BuildViews
from services.reporting.settings import Settings
from shared import dead_letter_routes
from shared.db import plain_dsn
from shared.service import Platform, Service

BATCH_RECORDS = 2_000
"""A batch is one transaction and some twenty statements at most, so a large one is cheap. Reading the records of one keeps the
event loop for about a tenth of a second, which HTTP waits."""


def build(platform: Platform) -> Service:
    """The service on its platform."""
    reads = Reads(platform.reader, platform.clock)
    settings = platform.settings
    assert isinstance(settings, Settings)  # noqa: S101 - `__main__` reads them.
    peers, hub = Peers(settings.service_urls()), Hub()
    console = open_console(reads, peers, hub, platform.clock, settings.mode)
    listener = ViewListener(plain_dsn(settings.reader_database_url.get_secret_value()), hub.heard)

    async def follow_views() -> None:
        try:
            await listener.run()
        except asyncio.CancelledError:
            # The process ends: open streams must not keep it waiting.
            hub.end()
            await peers.aclose()
            raise

    builder = platform.consumer("views", TOPICS, BuildViews(PostgresViews), max_records=BATCH_RECORDS)
    rebuilder = Rebuilder(platform, builder.group)
    return Service(
        platform,
        "keypost reporting",
        consumers=[builder],
        routers=[
            http.router,
            view_routes.router,
            exports.router,
            rebuilds.router,
            dead_letter_routes.routes(platform.unit_of_work),
        ],
        state={"reads": reads, "unit_of_work": platform.unit_of_work, "rebuilder": rebuilder},
        prepare_app=lambda app: install(app, console),
        background={"console": follow_views, "rebuilder": rebuilder.run},
    )
