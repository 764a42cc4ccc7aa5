"""Claims put together: the only file that knows every part."""

from __future__ import annotations

from services.claims.adapters.known import PostgresKnown
from services.claims.adapters.rule_files import load_rules
from services.claims.adapters.rule_store import store_rules
from services.claims.entrypoints import timers
from services.claims.entrypoints.commands import commands, install, open_desk
from services.claims.entrypoints.http import ROUTERS
from services.claims.handlers.learn import TOPICS, Learn
from shared import dead_letter_routes
from shared.service import Platform, Service

BATCH_RECORDS = 2_000
"""A batch is one transaction and a few statements, so a large one is cheap. Reading the records of one keeps the event
loop for about a tenth of a second, which HTTP waits."""


def build(platform: Platform) -> Service:
    """The service on its platform."""
    rules, definitions = load_rules()

    async def keep_rules() -> None:
        async with platform.unit_of_work.begin() as work:
            await store_rules(work, definitions)

    learn = Learn(PostgresKnown, lambda work: open_desk(work, rules))
    return Service(
        platform,
        "keypost claims",
        consumers=[platform.consumer("registry", TOPICS, learn, max_records=BATCH_RECORDS)],
        timers=timers.handlers(rules),
        routers=[*ROUTERS, dead_letter_routes.routes(platform.unit_of_work)],
        state={
            "commands": commands(platform.unit_of_work, rules),
            "rules": rules,
            "reader": platform.reader,
        },
        prepare_app=install,
        on_start=[keep_rules],
    )
