"""The ledger in PostgreSQL: a few statements a batch, whatever its size.

Everything runs on the asyncpg connection of the unit of work, for arrays and COPY. The one row of `ledger_head` is locked
first, so that all writers of this service, in this process or another, book one after the other; the numbers it gives are
without gaps and in the order of commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.tiering.adapters import rows
from services.tiering.adapters.memory import Memory
from services.tiering.domain.account import Account, Binding
from services.tiering.domain.booking import Outcome, Pages
from services.tiering.domain.closing import ClosedYears
from services.tiering.domain.entries import Arrival, BookedSale, HeldTransaction, LedgerHead, TierChange
from services.tiering.domain.holding import HoldReason
from services.tiering.handlers.ports import Close, Decision, Described
from shared.contracts.registry_v1 import UnitState
from shared.contracts.tiering_v1 import TierChanged
from shared.messaging.work import Work


class PostgresLedger:
    """One unit of work's view of the ledger: all of the stores that the handlers ask for."""

    def __init__(self, work: Work, memory: Memory) -> None:
        self._work = work
        self._memory = memory
        self._changed_codes: set[str] = set()
        self._waits = False

    # -- reading ----------------------------------------------------------------------------------------------------

    async def open(self) -> tuple[LedgerHead, ClosedYears]:
        db = await self._work.raw()
        head = await db.fetchrow(
            "UPDATE ledger_head SET epoch = epoch + 1 RETURNING epoch, seq, hold_number, account_number"
        )
        self._memory.open(head["epoch"])
        closed = await db.fetch("SELECT year, closed_at FROM closes WHERE closed_at IS NOT NULL")
        # Hardly ever does anything wait; then no sale needs to be looked up among what is waited for.
        self._waits = await db.fetchval(
            "SELECT EXISTS (SELECT FROM suspense WHERE state = 'held' AND waits_for IS NOT NULL)"
        )
        return LedgerHead(*head), ClosedYears({row["year"]: row["closed_at"] for row in closed})

    async def seen(self, identities: Sequence[UUID]) -> Mapping[UUID, UUID]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT identity, content FROM identities WHERE identity = ANY($1::uuid[])", identities
        )
        return {row[0]: row[1] for row in found}

    async def held_contents(self, identities: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT identity, content FROM suspense WHERE identity = ANY($1::uuid[])", identities
        )
        return {(row[0], row[1]) for row in found}

    async def bindings(self, codes: Collection[str]) -> Mapping[str, tuple[Binding, ...]]:
        result: dict[str, tuple[Binding, ...]] = {}
        missing: list[str] = []
        for code in codes:
            # What this unit of work has changed itself is not remembered yet, and may never be.
            remembered = None if code in self._changed_codes else self._memory.bindings(code)
            if remembered is None:
                missing.append(code)
            else:
                result[code] = remembered
        if missing:
            db = await self._work.raw()
            read: dict[str, tuple[Binding, ...]] = dict.fromkeys(missing, ())
            for row in await db.fetch(
                "SELECT code, account, valid_from, valid_to, unit_code, counter_id FROM bindings "
                "WHERE code = ANY($1::text[]) ORDER BY code, valid_from NULLS FIRST",
                missing,
            ):
                code, *binding = row
                read[code] += (Binding(*binding),)
            self._memory.learn({}, {code: read[code] for code in read.keys() - self._changed_codes})
            result.update(read)
        return result

    async def unit_paths(self, codes: Collection[str]) -> dict[str, str]:
        db = await self._work.raw()
        found = await db.fetch("SELECT code, path FROM units WHERE code = ANY($1::text[])", list(codes))
        return {row[0]: row[1] for row in found}

    async def keep_units(self, units: Sequence[UnitState]) -> list[str]:
        db = await self._work.raw()
        before = await self.unit_paths([unit.unit_code for unit in units])
        kept = await db.fetch(
            rows.UPSERT_UNITS,
            [unit.unit_code for unit in units],
            [unit.version for unit in units],
            [unit.path for unit in units],
        )
        return [row["code"] for row in kept if before.get(row["code"]) != row["path"]]

    async def accounts(self, numbers: Collection[int]) -> Mapping[int, Account]:
        result: dict[int, Account] = {}
        missing: list[int] = []
        for number in numbers:
            remembered = self._memory.account(number)
            if remembered is None:
                missing.append(number)
            else:
                result[number] = remembered
        if missing:
            read = await self._read_accounts(missing)
            self._memory.learn(read, {})
            result.update(read)
        return result

    async def _read_accounts(self, numbers: list[int]) -> dict[int, Account]:
        db = await self._work.raw()
        accounts = {
            row["number"]: rows.account(row)
            for row in await db.fetch("SELECT * FROM accounts WHERE number = ANY($1::int[])", numbers)
        }
        for row in await db.fetch(
            "SELECT account, month / 100 AS year, line, sum(amount_fen)::bigint AS fen FROM month_totals "
            "WHERE account = ANY($1::int[]) GROUP BY 1, 2, 3",
            numbers,
        ):
            accounts[row["account"]].year(row["year"])[row["line"]] = row["fen"]
        for row in await db.fetch("SELECT * FROM standings WHERE account = ANY($1::int[])", numbers):
            accounts[row["account"]].standings[row["scheme"]] = rows.standing(row)
        return accounts

    async def accounts_by_code(self, codes: Collection[str]) -> Mapping[str, int]:
        db = await self._work.raw()
        found = await db.fetch("SELECT code, number FROM accounts WHERE code = ANY($1::text[])", list(codes))
        return {row[0]: row[1] for row in found}

    async def sales(self, identities: Collection[UUID]) -> dict[UUID, BookedSale]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT i.identity, l.seq, l.account, l.line, l.amount_fen, coalesce(r.reversed_fen, 0) AS reversed_fen, "
            "l.kind = 'sale' AS is_sale, l.business_date "
            "FROM identities i JOIN ledger l ON l.seq = i.seq LEFT JOIN sale_reversals r ON r.identity = i.identity "
            "WHERE i.identity = ANY($1::uuid[])",
            list(identities),
        )
        return {row[0]: BookedSale(*list(row)[1:]) for row in found}

    async def waiting_for(self, identities: Collection[UUID]) -> list[HeldTransaction]:
        if not self._waits or not identities:
            return []
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT * FROM suspense WHERE state = 'held' AND waits_for = ANY($1::uuid[]) ORDER BY number",
            list(identities),
        )
        return [rows.hold(row) for row in found]

    async def held_for_codes(
        self, codes: Collection[str], reasons: Collection[HoldReason]
    ) -> list[HeldTransaction]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT * FROM suspense WHERE state = 'held' AND customer_code = ANY($1::text[]) "
            "AND reason = ANY($2::text[]) ORDER BY number",
            list(codes),
            [reason.value for reason in reasons],
        )
        return [rows.hold(row) for row in found]

    async def held_at_counters(
        self, counters: Collection[str], reasons: Collection[HoldReason]
    ) -> list[HeldTransaction]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT * FROM suspense WHERE state = 'held' AND counter_id = ANY($1::text[]) "
            "AND reason = ANY($2::text[]) ORDER BY number",
            list(counters),
            [reason.value for reason in reasons],
        )
        return [rows.hold(row) for row in found]

    async def codes_of(self, accounts: Collection[int]) -> list[str]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT DISTINCT code FROM bindings WHERE account = ANY($1::int[])", list(accounts)
        )
        return [row[0] for row in found]

    async def merged_into(self, accounts: Collection[int]) -> list[int]:
        db = await self._work.raw()
        found = await db.fetch(rows.MERGED_INTO, list(accounts))
        return [row[0] for row in found]

    async def hold(self, number: int) -> HeldTransaction | None:
        db = await self._work.raw()
        row = await db.fetchrow("SELECT * FROM suspense WHERE number = $1 AND state = 'held'", number)
        return None if row is None else rows.hold(row)

    async def held_under(self, identity: UUID) -> list[HeldTransaction]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT * FROM suspense WHERE state = 'held' AND identity = $1 ORDER BY number", identity
        )
        return [rows.hold(row) for row in found]

    async def first_of(self, identity: UUID) -> tuple[Arrival, int] | None:
        db = await self._work.raw()
        row = await db.fetchrow(
            "SELECT l.*, i.content FROM identities i JOIN ledger l ON l.seq = i.seq WHERE i.identity = $1",
            identity,
        )
        return None if row is None else (rows.arrived_of_posting(row), row["account"])

    async def bookings(
        self, accounts: Collection[int], year: int, lines: Collection[int]
    ) -> list[tuple[date, int]]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT business_date, amount_fen FROM ledger WHERE account = ANY($1::int[]) AND business_date >= $2 "
            "AND business_date < $3 AND line = ANY($4::smallint[]) ORDER BY seq",
            list(accounts),
            date(year, 1, 1),
            date(year + 1, 1, 1),
            list(lines),
        )
        return [(row[0], row[1]) for row in found]

    async def holders_behind(self, year: int, limit: int, without: Collection[int] = ()) -> list[int]:
        db = await self._work.raw()
        found = await db.fetch(
            "SELECT DISTINCT account FROM (SELECT account FROM standings WHERE tier > 0 AND closed_through < $1 "
            "AND account <> ALL($3::int[]) ORDER BY closed_through, account LIMIT $2) AS behind ORDER BY account",
            year,
            limit,
            list(without),
        )
        return [row[0] for row in found]

    async def closes(self) -> list[Close]:
        db = await self._work.raw()
        return [rows.close(row) for row in await db.fetch("SELECT * FROM closes ORDER BY year")]

    async def earliest_open_year(self, after: int | None, before: int) -> int | None:
        db = await self._work.raw()
        year: int | None = await db.fetchval(
            "SELECT min(year) FROM booked_years WHERE year > $1 AND year < $2", after or 0, before
        )
        return year

    # -- writing ----------------------------------------------------------------------------------------------------

    async def record_close(self, close: Close) -> None:
        db = await self._work.raw()
        await db.execute(
            "INSERT INTO closes (year, state, requested_by, requested_at, closed_at, finished_at, holders, settled, "
            "moves) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (year) DO UPDATE SET state = $2, "
            "closed_at = $5, finished_at = $6, holders = $7, settled = $8, moves = $9",
            *rows.values_of_close(close),
        )

    async def keep_accounts(self, described: Sequence[Described]) -> Collection[str]:
        if not described:
            return ()
        db = await self._work.raw()
        await db.executemany(
            rows.UPSERT_ACCOUNT, [rows.values_of_account(one.account, self._work.now) for one in described]
        )
        bound = [(one.account.number, one.bindings) for one in described if one.bindings is not None]
        gone = await db.fetch(
            "DELETE FROM bindings WHERE account = ANY($1::int[]) RETURNING code",
            [number for number, _ in bound],
        )
        bindings = [
            (code, one.account, one.valid_from, one.valid_to, one.unit_code, one.counter_id)
            for _, codes in bound
            for code, one in codes
        ]
        await db.copy_records_to_table("bindings", records=bindings, columns=rows.BINDING_COLUMNS)
        changed = {row[0] for row in gone}.union(code for code, *_ in bindings)
        self._changed_codes |= changed
        return changed

    async def move_totals(self, alias: int, survivor: int) -> None:
        db = await self._work.raw()
        await db.execute(rows.DUE_BY_MERGE, alias, survivor)
        await db.execute(rows.MOVE_TOTALS, alias, survivor)

    async def record_decision(self, decision: Decision) -> None:
        db = await self._work.raw()
        await db.execute(
            "UPDATE suspense SET decided_by = $2, decision = $3, comment = $4 WHERE number = $1",
            decision.number,
            decision.by,
            decision.decision,
            decision.comment,
        )

    async def keep(self, outcome: Outcome, changes: Sequence[tuple[TierChange, TierChanged]]) -> None:
        pages, head = outcome.pages, outcome.head
        db = await self._work.raw()
        if pages.claimed or pages.booked:
            await self._keep_identities(db, pages)
        if pages.postings:
            await db.copy_records_to_table(
                "ledger", records=rows.ledger_rows(pages.postings, outcome.now), columns=rows.LEDGER_COLUMNS
            )
            await db.execute(rows.ADD_TO_TOTALS, *rows.columns_of_totals(pages.deltas))
            years = {month // 100 for _, month, _ in pages.deltas}
            await db.execute(
                "INSERT INTO booked_years SELECT unnest($1::smallint[]) ON CONFLICT DO NOTHING", sorted(years)
            )
        if pages.reversed_fen:
            await db.execute(
                "INSERT INTO sale_reversals SELECT * FROM unnest($1::uuid[], $2::bigint[]) "
                "ON CONFLICT (identity) DO UPDATE SET reversed_fen = excluded.reversed_fen",
                list(pages.reversed_fen),
                list(pages.reversed_fen.values()),
            )
        await self._keep_suspense(db, outcome)
        if pages.standings:
            await db.executemany(
                rows.UPSERT_STANDING, rows.values_of_standings(outcome.accounts, pages.standings)
            )
        if changes:
            await db.copy_records_to_table(
                "tier_changes",
                records=[rows.values_of_change(change, event) for change, event in changes],
                columns=rows.CHANGE_COLUMNS,
            )
        await db.execute(
            "UPDATE ledger_head SET seq = $1, hold_number = $2, account_number = $3",
            head.seq,
            head.hold_number,
            head.account_number,
        )
        self._work.after_commit(
            lambda: self._memory.committed(head.epoch, outcome.accounts, self._changed_codes)
        )

    async def _keep_identities(self, db: Any, pages: Pages) -> None:
        claimed, booked = pages.claimed, pages.booked
        if claimed:
            await db.copy_records_to_table(
                "identities",
                records=[(one, content, booked.get(one)) for one, content in claimed.items()],
                columns=("identity", "content", "seq"),
            )
        older = {one: seq for one, seq in booked.items() if one not in claimed}
        if older:
            await db.execute(
                "UPDATE identities AS i SET seq = b.seq FROM unnest($1::uuid[], $2::bigint[]) AS b (identity, seq) "
                "WHERE i.identity = b.identity",
                list(older),
                list(older.values()),
            )

    async def _keep_suspense(self, db: Any, outcome: Outcome) -> None:
        pages = outcome.pages
        if pages.new_holds:
            await db.copy_records_to_table(
                "suspense",
                records=[rows.values_of_hold(hold, outcome.now) for hold in pages.new_holds],
                columns=rows.SUSPENSE_COLUMNS,
            )
        new = {hold.number for hold in pages.new_holds}
        changed = [hold for number, hold in pages.changed_holds.items() if number not in new]
        if changed:
            await db.executemany(
                "UPDATE suspense SET state = $2, reason = $3, waits_for = $4, ended_at = $5 WHERE number = $1",
                [rows.values_of_changed_hold(hold, outcome.now) for hold in changed],
            )
