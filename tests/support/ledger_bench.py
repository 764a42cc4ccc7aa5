"""Plays a scenario on tiering's handlers and a real PostgreSQL, without Kafka: quick, and with any batch size.

What the whole system is proved with, `tests/e2e`, uses the same scenarios through Kafka and the command line. Here the
records are handed over directly, so that hundreds of batch sizes and orders can be tried in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.tiering.adapters.code_shape import reason_for_unknown
from services.tiering.adapters.ledger_store import PostgresLedger
from services.tiering.adapters.memory import Memory
from services.tiering.adapters.revenue_store import PostgresRevenue
from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain.booking import Rulebook
from services.tiering.domain.holding import DatePolicy
from services.tiering.entrypoints.timers import ReversalWaits, TieringTimers
from services.tiering.handlers.book_transactions import BookTransactions
from services.tiering.handlers.close_year import CloseYear
from services.tiering.handlers.decide_suspense import DecideSuspense
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.learn_customers import LearnCustomers
from services.tiering.handlers.learn_units import LearnUnits
from services.tiering.handlers.ports import Decision
from services.tiering.handlers.tell_revenue import TellRevenue
from services.tiering.settings import TieringSettings
from shared.contracts.counter_systems import CounterSystem
from shared.contracts.registry_v1 import AgreementState, CounterCode, CustomerState, UnitState
from shared.contracts.tiering_v1 import RevenueState
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS, REVENUE, UNITS
from shared.kernel.lines import LINES
from shared.kernel.refusals import Refusal
from shared.messaging.records import Record
from shared.messaging.timers import Timer
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from tests.support.model import Customer
from tests.support.streams import (
    AdvanceClock,
    ClosePeriod,
    DecideHeld,
    ImportCustomers,
    Merge,
    Phase,
    Publish,
    Scenario,
)


class StillClock:
    """A clock that stands where it was put."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant.astimezone(UTC)


class LedgerBench:
    """tiering's handlers put together as in its main.py, on a scratch database that has been migrated."""

    def __init__(
        self,
        engine: AsyncEngine,
        start: datetime,
        batch: int = 500,
        remembered: int = 200_000,
        systems: tuple[CounterSystem, ...] = (),
    ) -> None:
        self.engine = engine
        self.clock = StillClock(start)
        self.batch = batch
        self.unit_of_work = UnitOfWork(engine, self.clock, "tiering")
        memory = Memory(remembered)
        rules = Rulebook(load_schemes(), DatePolicy(), reason_for_unknown)
        settings = TieringSettings.model_construct()

        def open_ledger(work: Work) -> PostgresLedger:
            return PostgresLedger(work, memory)

        keeper = Keeper(ReversalWaits(settings.reversal_wait_days).start, systems)
        self.book = BookTransactions(rules, open_ledger, keeper, sandbox=True)
        self.learn = LearnCustomers(rules, open_ledger, keeper)
        self.learn_units = LearnUnits(rules, open_ledger, keeper)
        self.closes = CloseYear(rules, open_ledger, keeper)
        self.suspense = DecideSuspense(rules, open_ledger, keeper)
        self.timers = TieringTimers(settings, self.closes, self.suspense)
        self.revenue = TellRevenue(PostgresRevenue)
        self._versions: dict[str, int] = {}
        self._offset = 0

    async def play(self, scenario: Scenario) -> None:
        await self.timers.start(self.unit_of_work)
        for phase in scenario.phases:
            await self.phase(phase)

    async def phase(self, phase: Phase) -> None:
        match phase:
            case ImportCustomers(steps=steps) | Merge(steps=steps):
                await self.tell(steps)
            case Publish(records=records):
                await self.publish([(one.key, one.value, one.headers) for one in records])
            case ClosePeriod(year=year, exit_code=exit_code):
                refused = await self.close(year)
                assert (exit_code == 1) == refused, (year, exit_code)
            case DecideHeld(decisions=decisions):
                for decision in decisions:
                    await self.decide(decision.source, decision.id, decision.reason, decision.action)
            case AdvanceClock(to=to):
                await self.advance(to)

    async def publish(
        self,
        messages: Sequence[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]],
        topic: str = COUNTER_TRANSACTIONS,
    ) -> None:
        """Hand records over in batches."""
        for start in range(0, len(messages), self.batch):
            records = []
            for key, value, headers in messages[start : start + self.batch]:
                records.append(Record(topic, 0, self._offset, key, value, tuple(headers), 0))
                self._offset += 1
            async with self.unit_of_work.begin(consumer="tiering.transactions") as work:
                await self.book.handle(work, records)

    async def tell(self, customers: Sequence[Customer]) -> None:
        """States as the registry tells them, in batches."""
        for start in range(0, len(customers), self.batch):
            records = [self._state_record(one) for one in customers[start : start + self.batch]]
            async with self.unit_of_work.begin(consumer="tiering.customers") as work:
                await self.learn.handle(work, records)

    async def tell_units(self, *paths: str) -> None:
        """Units by their paths, as the registry tells them; the code of each is the last step."""
        records = []
        for path in paths:
            code = path.rpartition("/")[2]
            version = self._versions[path] = self._versions.get(path, 0) + 1
            unit = UnitState(
                unit_code=code, version=version, name_zh=code, name_en=code, level="outlet", path=path
            )
            made = unit.outgoing(id=f"unit|{path}|{version}", time=self.clock.now())
            self._offset += 1
            records.append(Record(UNITS, 0, self._offset, made.key, made.value, made.headers, 0))
        async with self.unit_of_work.begin(consumer="tiering.units") as work:
            await self.learn_units.handle(work, records)

    def _state_record(self, customer: Customer) -> Record:
        version = self._versions[customer.code] = self._versions.get(customer.code, 0) + 1
        now = self.clock.now()
        state = CustomerState(
            customer_code=customer.code,
            version=version,
            name=f"客户 {customer.code}",
            kind="active",
            status=customer.status,
            unit_code=customer.unit_code,
            unit_path=f"/CN/32/{customer.unit_code}",
            city_group=customer.city_group,
            registered_at=now,
            aliases=customer.aliases,
            merged_into=customer.merged_into,
            counter_codes=tuple(
                CounterCode(
                    code=one.code,
                    valid_from=one.valid_from,
                    valid_to=one.valid_to,
                    unit_code=one.unit_code,
                    counter_id=one.counter_id,
                )
                for one in customer.counter_codes
            ),
            agreements=tuple(
                AgreementState(
                    agreement_no=one.number,
                    signed_on=one.signed_on,
                    ends_on=one.ends_on,
                    lines=one.lines,
                    state="in_force" if one.ended_on is None else "ended",
                    ended_on=one.ended_on,
                    recorded_at=now,
                )
                for one in customer.agreements
            ),
            as_of=now,
        )
        outgoing = state.outgoing(id=state.event_id, time=now)
        self._offset += 1
        return Record(CUSTOMERS, 0, self._offset, outgoing.key, outgoing.value, outgoing.headers, 0)

    async def close(self, year: int) -> bool:
        """Ask for a close and carry it out; True when it was refused."""
        async with self.unit_of_work.begin() as work:
            outcome = await self.closes.request(work, year, "operator")
        await self.finish_closes()
        return isinstance(outcome, Refusal)

    async def finish_closes(self) -> None:
        while True:
            async with self.unit_of_work.begin() as work:
                if not await self.closes.advance(work):
                    return

    async def tell_revenue(self, limit: int = 500) -> int:
        """Tell what has changed, until nothing is due; how many years were told."""
        told = 0
        while True:
            async with self.unit_of_work.begin() as work:
                number = await self.revenue.tell(work, limit)
            if not number:
                return told
            told += number

    async def decide(self, source: str, id: str, reason: str, action: str) -> None:
        async with self.engine.connect() as connection:
            number = await connection.scalar(
                text(
                    "SELECT number FROM suspense WHERE source = :source AND id = :id AND reason = :reason "
                    "AND state = 'held' ORDER BY number LIMIT 1"
                ),
                {"source": source, "id": id, "reason": reason},
            )
        async with self.unit_of_work.begin() as work:
            outcome = await self.suspense.decide(
                work, Decision(number, action, "operator", "decided in a test")
            )
        assert not isinstance(outcome, Refusal), outcome

    async def advance(self, to: datetime) -> None:
        """Let everything that falls due on the way happen at its own instant, in order."""
        while True:
            async with self.engine.connect() as connection:
                row = (
                    await connection.execute(
                        text(
                            "SELECT id, kind, subject, due_at, payload FROM timers WHERE fired_at IS NULL "
                            "AND due_at <= :to ORDER BY due_at, id LIMIT 1"
                        ),
                        {"to": to},
                    )
                ).first()
            if row is None:
                break
            self.clock.instant = max(self.clock.instant, row.due_at)
            timer = Timer(*row)
            async with self.unit_of_work.begin() as work:
                await self.timers.handlers[timer.kind](work, timer)
                await work.connection.execute(
                    text("UPDATE timers SET fired_at = :now WHERE id = :id"),
                    {"now": work.now, "id": timer.id},
                )
            await self.finish_closes()
        self.clock.instant = to

    # -- what came out ----------------------------------------------------------------------------------------------

    async def changes(self) -> dict[tuple[str, str], list[dict[str, object]]]:
        """(customer, scheme) → the `data` of its tier changes, in the order of their commits."""
        found: dict[tuple[str, str], list[dict[str, object]]] = {}
        async with self.engine.connect() as connection:
            for row in await connection.execute(text("SELECT event FROM tier_changes ORDER BY number")):
                data = json.loads(row.event)
                found.setdefault((data["customer_code"], data["scheme"]), []).append(data)
        return found

    async def revenue_states(self) -> dict[str, list[RevenueState]]:
        """The key of each state → what was told of it, in the order of the topic."""
        found: dict[str, list[RevenueState]] = {}
        rows = await self.rows(f"SELECT key, value FROM outbox WHERE topic = '{REVENUE}' ORDER BY id")
        for row in rows:
            state = RevenueState.model_validate_json(row.value)
            assert (row.key.decode(), bytes(row.value)) == (state.key, state.model_dump_json().encode())
            found.setdefault(state.key, []).append(state)
        return found

    async def held(self) -> list[tuple[str, str, str]]:
        """(source, id, reason) of what is held."""
        rows = await self.rows("SELECT source, id, reason FROM suspense WHERE state = 'held'")
        return [(row.source, row.id, row.reason) for row in rows]

    async def booked(self) -> list[tuple[str, str]]:
        """(source, id) of every booking."""
        return [(row.source, row.id) for row in await self.rows("SELECT source, id FROM ledger")]

    async def month_totals(self) -> dict[tuple[str, str, int], tuple[int, int, int]]:
        """(customer, line, yyyymm) → (fen, pieces, count)."""
        rows = await self.rows(
            "SELECT a.code, t.line, t.month, t.amount_fen, t.pieces::bigint AS pieces, t.count "
            "FROM month_totals t JOIN accounts a ON a.number = t.account"
        )
        return {
            (row.code, LINES[row.line], row.month): (row.amount_fen, row.pieces, row.count) for row in rows
        }

    async def at_close(self) -> dict[tuple[str, str, int], int]:
        """(customer, line, closed year) → fen at the close."""
        rows = await self.rows(
            "SELECT a.code, t.line, t.month / 100 AS year, sum(t.amount_fen - t.late_fen)::bigint AS fen "
            "FROM month_totals t JOIN accounts a ON a.number = t.account "
            "WHERE t.month / 100 <= (SELECT max(year) FROM closes) GROUP BY 1, 2, 3"
        )
        return {(row.code, LINES[row.line], row.year): row.fen for row in rows}

    async def standings(self) -> dict[tuple[str, str], tuple[str, bool]]:
        """(customer, scheme) → (tier, key account)."""
        schemes = {scheme.code: scheme.versions[0] for scheme in load_schemes()}
        rows = await self.rows("SELECT a.code, s.* FROM standings s JOIN accounts a ON a.number = s.account")
        return {
            (row.code, row.scheme): (
                schemes[row.scheme].tier_code(row.tier),
                row.tier > 0 and row.signed_on is not None,
            )
            for row in rows
        }

    async def dead_letters(self) -> dict[str, int]:
        """reason → how many."""
        rows = await self.rows("SELECT reason, count(*) AS n FROM dead_letters GROUP BY 1")
        return {row.reason: row.n for row in rows}

    async def rows(self, query: str) -> Sequence[Any]:
        """Any rows of the database."""
        async with self.engine.connect() as connection:
            return (await connection.execute(text(query))).all()
