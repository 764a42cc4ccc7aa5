"""`python -m verifier --config FILE`: compare everything once, look again at what differs, and say what stays.

Exit codes: 0 no differences, 1 differences, 2 the configuration cannot be used, 4 an engine does not answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Final

import asyncpg

from verifier.bookings import read_merges
from verifier.check_books import check_books
from verifier.check_changes import check_changes
from verifier.check_codes import check_codes
from verifier.check_customers import check_customers
from verifier.check_evidence import check_evidence
from verifier.check_ledger import check_ledger
from verifier.check_offsets import check_offsets
from verifier.check_revenue import check_revenue
from verifier.check_suspense import check_suspense
from verifier.check_tier_states import check_tier_states
from verifier.check_windows import TABLES as WINDOW_TABLES
from verifier.check_windows import TOPICS as WINDOW_TOPICS
from verifier.check_windows import check_windows
from verifier.report import Difference, Report
from verifier.schemes import read_schemes
from verifier.settings import Settings, SettingsError, load
from verifier.sources import open_sources
from verifier.topics import TopicError
from verifier.words import CUSTOMER_EVENTS, CUSTOMERS, REVENUE, TIER_CHANGES, TIERS, TRANSACTIONS

TOPICS: Final = (TRANSACTIONS, CUSTOMERS, CUSTOMER_EVENTS, TIER_CHANGES, TIERS, REVENUE, *WINDOW_TOPICS)
TABLES: Final = {
    "registry": ("customers", "agreements", "code_assignments", "code_ranges", "code_skips", "code_schemes"),
    "tiering": (
        "ledger",
        "month_totals",
        "identities",
        "suspense",
        "accounts",
        "standings",
        "tier_changes",
        "closes",
        "evidence_totals",
    ),
    "claims": ("customers", *WINDOW_TABLES),
    "reporting": ("customer_view", "tier_view", "tier_movement_view"),
}
"""What each service's database must show this checker's role."""
AGAIN_AFTER_S: Final = 2.0


async def verify(settings: Settings) -> Report:
    """One pass and, where it found differences, a second one: a difference counts when both met it."""
    first = await one_pass(settings)
    if first.clean:
        return first
    await asyncio.sleep(AGAIN_AFTER_S)
    return (await one_pass(settings)).confirmed_by(first)


async def one_pass(settings: Settings) -> Report:
    """Every check against one snapshot of each database."""
    report = Report()
    schemes = read_schemes(settings.schemes)
    async with open_sources(settings, TOPICS, (TRANSACTIONS,)) as sources:
        for service in ("registry", "tiering", "claims", "reporting"):
            if service not in sources.databases:
                report.notice(f"{service} was left out: no database was given")
        report.add(
            # A check that has nothing to read finds nothing, which must not pass for being in order.
            Difference("topics", topic, "topic", "there", "none")
            for topic, partitions in sources.ends.items()
            if not partitions
        )
        report.add(
            [
                Difference("tables", f"{service} {table}", "table", "there to read", "none")
                for service, db in sources.databases.items()
                for table in TABLES.get(service, ())
                if not await db.has(table)
            ]
        )
        groups = await check_customers(sources, report)
        tiering = sources.database("tiering")
        if tiering is not None and await tiering.has("ledger"):
            merges = await read_merges(tiering)
            marks = await check_ledger(tiering, merges, report)
            expected = await check_books(tiering, schemes, marks, groups, merges, report)
            await check_revenue(sources, expected, report)
            await check_evidence(tiering, report)
            await check_changes(sources, report)
            await check_tier_states(sources, schemes, report)
            await check_offsets(sources, report)
        await check_suspense(sources, report)
        await check_codes(sources, report)
        await check_windows(sources, report)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m verifier", description=__doc__)
    parser.add_argument("--config", required=True, metavar="FILE", help="JSON with addresses; - reads stdin")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    try:
        report = asyncio.run(verify(load(arguments.config)))
    except SettingsError as problem:
        print(problem, file=sys.stderr)
        return 2
    except (TopicError, OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as problem:
        print(f"an engine does not answer: {problem}", file=sys.stderr)
        return 4
    print(json.dumps(report.as_json(), ensure_ascii=False) if arguments.json else report.text())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
