"""Claims put together: the only file that knows every part."""

from __future__ import annotations

from services.claims.adapters.known import PostgresKnown
from services.claims.adapters.read_models import ReadModels
from services.claims.entrypoints.http import routes
from services.claims.handlers.learn import TOPICS, Learn
from shared import dead_letter_routes
from shared.service import Platform, Service

BATCH_RECORDS = 2_000
"""A batch is one transaction and two statements, so a large one is cheap. Reading the records of one keeps the event loop
for about a tenth of a second, which HTTP waits."""


def build(platform: Platform) -> Service:
    """The service on its platform."""
    return Service(
        platform,
        "keypost claims",
        consumers=[platform.consumer("registry", TOPICS, Learn(PostgresKnown), max_records=BATCH_RECORDS)],
        routers=[
            routes(ReadModels(platform.reader)),
            dead_letter_routes.routes(platform.unit_of_work),
        ],
    )
