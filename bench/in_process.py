"""Books transactions through tiering's handlers in this process, without Kafka: CPU time a transaction, and a profile.

CPU time hardly depends on what else the machine does, so this is what a change for speed is judged by:
`python -m bench.in_process --events 100000 [--profile]`.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import time
from collections.abc import Sequence

import psutil

from bench.engines import Engines, running_engines
from bench.measuring import cpu_seconds
from bench.workload import Workload
from services.tiering.adapters.code_shape import reason_for_unknown
from services.tiering.adapters.ledger_store import PostgresLedger
from services.tiering.adapters.memory import Memory
from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain.booking import Rulebook
from services.tiering.domain.holding import DatePolicy
from services.tiering.handlers.book_transactions import BookTransactions
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.learn_customers import LearnCustomers
from shared.clock import SystemClock, business_date
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS
from shared.db import create_engine
from shared.lifecycle import spare_the_collector
from shared.messaging.records import Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.migrating import upgrade


async def _never(work: Work, hold: object) -> None:
    raise AssertionError("no transaction of the workload waits for another")


async def measure(engines: Engines, events: int, batch: int, profile: bool) -> None:
    workload = Workload(events, max(100, events // 20), business_date(SystemClock().now()))
    database = engines.new_database("tiering")
    await upgrade("tiering", engines.dsn("tiering_owner", database, "postgresql+asyncpg"))
    engine = create_engine(engines.dsn("tiering_writer", database, "postgresql+asyncpg"), "bench")
    unit_of_work = UnitOfWork(engine, SystemClock(), "tiering")
    rules = Rulebook(load_schemes(), DatePolicy(), reason_for_unknown)
    memory = Memory()

    def open_ledger(work: Work) -> PostgresLedger:
        return PostgresLedger(work, memory)

    learn = LearnCustomers(rules, open_ledger, Keeper(_never))
    book = BookTransactions(rules, open_ledger, Keeper(_never), sandbox=False)
    states = [
        Record(CUSTOMERS, 0, number, *state.outgoing(id=state.event_id, time=state.as_of), 0)
        for number, state in enumerate(workload.customer_states())
    ]
    now_ms = int(SystemClock().now().timestamp() * 1000)
    records = [
        Record(COUNTER_TRANSACTIONS, 0, number, sent.key, sent.value, tuple(sent.headers), now_ms)
        for number, sent in enumerate(workload.sent())
    ]
    spare_the_collector()
    server = psutil.Process(engines.postgres.process.pid if engines.postgres.process else 0)

    async def run(
        what: str, handler: LearnCustomers | BookTransactions, given: Sequence[Record], size: int
    ) -> None:
        python, database, wall = time.process_time(), cpu_seconds(server), time.perf_counter()
        for start in range(0, len(given), size):
            async with unit_of_work.begin(consumer="tiering.bench") as work:
                await handler.handle(work, given[start : start + size])
        python, database = time.process_time() - python, cpu_seconds(server) - database
        wall = time.perf_counter() - wall
        print(
            f"{what}: {len(given)} in batches of {size}: Python {python / len(given) * 1e6:.2f} µs, "
            f"PostgreSQL {database / len(given) * 1e6:.2f} µs a record; {len(given) / wall:.0f} a second"
        )

    await run("customers", learn, states, 500)
    # Both halves are told apart: the first fills the memory of accounts.
    half = len(records) // 2
    await run("transactions, first half", book, records[:half], batch)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    await run("transactions, second half", book, records[half:], batch)
    profiler.disable()
    await engine.dispose()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.in_process", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with running_engines(with_kafka=False) as engines:
        asyncio.run(measure(engines, options.events, options.batch, options.profile))


if __name__ == "__main__":
    main()
