"""Claims put together: the only file that knows every part."""

from __future__ import annotations

from services.claims.adapters.known import PostgresKnown
from services.claims.adapters.plan_reads import PlanReads
from services.claims.adapters.read_models import ReadModels
from services.claims.adapters.rule_files import load_rules
from services.claims.adapters.rule_store import store_rules
from services.claims.entrypoints import plans, timers, windows
from services.claims.entrypoints.commands import Commands, open_desk
from services.claims.entrypoints.http import routes
from services.claims.handlers.learn import TOPICS, Learn
from shared import dead_letter_routes
from shared.service import Platform, Service

BATCH_RECORDS = 2_000
"""A batch is one transaction and a few statements, so a large one is cheap. Reading the records of one keeps the event
loop for about a tenth of a second, which HTTP waits."""


def build(platform: Platform) -> Service:
    """The service on its platform."""
    rules, definitions = load_rules()
    commands = Commands(platform.unit_of_work, rules)
    reads = PlanReads(platform.reader)

    async def keep_rules() -> None:
        async with platform.unit_of_work.begin() as work:
            await store_rules(work, definitions)

    learn = Learn(PostgresKnown, lambda work: open_desk(work, rules))
    return Service(
        platform,
        "keypost claims",
        consumers=[platform.consumer("registry", TOPICS, learn, max_records=BATCH_RECORDS)],
        timers=timers.handlers(rules),
        routers=[
            routes(ReadModels(platform.reader)),
            plans.routes(commands, reads),
            windows.routes(commands, reads),
            dead_letter_routes.routes(platform.unit_of_work),
        ],
        on_start=[keep_rules],
    )
