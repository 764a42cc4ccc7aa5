"""Reporting put together: the only file that knows every part."""

from __future__ import annotations

from services.reporting.adapters.read_models import ReadModels
from services.reporting.adapters.views import PostgresViews
from services.reporting.entrypoints.console import console
from services.reporting.entrypoints.http import routes
from services.reporting.handlers.build_views import TOPICS, BuildViews
from shared import dead_letter_routes
from shared.service import Platform, Service

BATCH_RECORDS = 2_000
"""A batch is one transaction and at most six statements, so a large one is cheap. Reading the records of one keeps the event
loop for about a tenth of a second, which HTTP waits."""


def build(platform: Platform) -> Service:
    """The service on its platform."""
    read = ReadModels(platform.reader, platform.clock)
    return Service(
        platform,
        "keypost reporting",
        consumers=[
            platform.consumer("views", TOPICS, BuildViews(PostgresViews), max_records=BATCH_RECORDS),
        ],
        routers=[
            routes(read, platform.clock),
            console(read),
            dead_letter_routes.routes(platform.unit_of_work),
        ],
    )
