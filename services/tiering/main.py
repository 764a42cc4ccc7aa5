"""tiering, put together: the only file that knows every part."""

from __future__ import annotations

from typing import cast

from services.tiering.adapters.code_shape import reason_for_unknown
from services.tiering.adapters.ledger_store import PostgresLedger
from services.tiering.adapters.memory import Memory
from services.tiering.adapters.read_models import work_pending
from services.tiering.adapters.revenue_store import PostgresRevenue
from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain.booking import Rulebook
from services.tiering.domain.holding import DatePolicy
from services.tiering.entrypoints import closes as close_routes
from services.tiering.entrypoints import suspense as suspense_routes
from services.tiering.entrypoints import tiers as tier_routes
from services.tiering.entrypoints import transactions as transaction_routes
from services.tiering.entrypoints.closing import carry_out_closes
from services.tiering.entrypoints.revenue import Signs, tell_revenue
from services.tiering.entrypoints.timers import ReversalWaits, TieringTimers
from services.tiering.handlers.book_transactions import BookTransactions
from services.tiering.handlers.close_year import CloseYear
from services.tiering.handlers.decide_suspense import DecideSuspense
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.learn_customers import LearnCustomers
from services.tiering.handlers.learn_units import LearnUnits
from services.tiering.handlers.tell_revenue import TellRevenue
from services.tiering.settings import TieringSettings
from shared import dead_letter_routes
from shared.contracts.counter_systems import SYSTEMS
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS, UNITS
from shared.messaging.work import Work
from shared.service import Platform, Service


def build(platform: Platform) -> Service:
    settings = cast(TieringSettings, platform.settings)
    schemes = load_schemes()
    memory = Memory(settings.remembered_accounts)
    dates = DatePolicy(settings.future_days, settings.correction_horizon_years)
    rules = Rulebook(schemes, dates, reason_for_unknown)
    signs = Signs()

    def open_ledger(work: Work) -> PostgresLedger:
        signs.begin(work)
        return PostgresLedger(work, memory)

    keeper = Keeper(ReversalWaits(settings.reversal_wait_days).start, SYSTEMS)
    booking = BookTransactions(rules, open_ledger, keeper, sandbox=settings.mode == "sandbox")
    learning = LearnCustomers(rules, open_ledger, keeper)
    closes = CloseYear(rules, open_ledger, keeper)
    suspense = DecideSuspense(rules, open_ledger, keeper)
    timers = TieringTimers(settings, closes, suspense)
    unit_of_work = platform.unit_of_work

    async def count_pending() -> int:
        async with platform.writer.connect() as connection:
            return await work_pending(connection)

    return Service(
        platform,
        title="keypost tiering",
        consumers=(
            platform.consumer(
                "transactions",
                (COUNTER_TRANSACTIONS, *(system.transactions_topic for system in SYSTEMS)),
                booking,
                max_records=settings.batch_records,
            ),
            platform.consumer("customers", (CUSTOMERS,), learning),
            platform.consumer("units", (UNITS,), LearnUnits(rules, open_ledger, keeper)),
        ),
        timers=timers.handlers,
        routers=(
            transaction_routes.routes(unit_of_work, SYSTEMS),
            tier_routes.routes(platform.reader, platform.clock, schemes),
            close_routes.routes(unit_of_work, platform.reader, closes),
            suspense_routes.routes(unit_of_work, platform.reader, suspense),
            dead_letter_routes.routes(unit_of_work),
        ),
        work_pending=count_pending,
        background={
            "closes": lambda: carry_out_closes(unit_of_work, closes),
            "revenue": lambda: tell_revenue(unit_of_work, TellRevenue(PostgresRevenue), signs),
        },
        on_start=(lambda: timers.start(unit_of_work),),
    )
