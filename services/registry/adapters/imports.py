"""The record of imports, and the answers given to commands that may be repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from services.registry.domain.import_rows import Rejected
from services.registry.domain.importing import Loaded, Outcome
from services.registry.handlers.import_customers import counts
from services.registry.handlers.ports import Holder, ImportChunk
from shared.messaging.work import Work


class PostgresImports:
    """`ports.Imports` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def open(self, chunk: ImportChunk, person: str) -> bool:
        await self._work.execute(
            """
            INSERT INTO customer_imports (id, person, file_name, file_sha256, rows_total, started_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING
            """,
            chunk.import_id,
            person,
            chunk.file_name,
            chunk.file_sha256,
            chunk.rows_total,
            self._work.now,
        )
        stored = await self._work.fetchrow(
            "SELECT person, file_sha256, rows_total FROM customer_imports WHERE id = $1", chunk.import_id
        )
        return stored is not None and tuple(stored) == (person, chunk.file_sha256, chunk.rows_total)

    async def record(self, chunk: ImportChunk, outcomes: Sequence[Outcome]) -> None:
        recorded = await self._work.fetch(
            'SELECT "row" FROM customer_import_rows WHERE import_id = $1 AND "row" = ANY($2::integer[])',
            chunk.import_id,
            [each.row for each in outcomes],
        )
        seen = {row["row"] for row in recorded}
        # A chunk sent again under another key finds its rows decided; the record keeps what the first sending did.
        fresh = [each for each in outcomes if each.row not in seen]
        await self._work.executemany(
            """
            INSERT INTO customer_import_rows (import_id, "row", result, customer_code, reasons, notices, similar_codes)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            [(chunk.import_id, *_row(each)) for each in fresh],
        )
        totals = counts(fresh)
        await self._work.execute(
            """
            UPDATE customer_imports SET rows_done = rows_done + $2, created = created + $3, updated = updated + $4,
                unchanged = unchanged + $5, rejected = rejected + $6, changed_at = $7 WHERE id = $1
            """,
            chunk.import_id,
            len(fresh),
            totals["created"],
            totals["updated"],
            totals["unchanged"],
            totals["rejected"],
            self._work.now,
        )

    async def holders(self, codes: Collection[str]) -> dict[str, Holder]:
        if not codes:
            return {}
        rows = await self._work.fetch(
            "SELECT code, unit_code, unit_path, manager_a, manager_b FROM customers WHERE code = ANY($1::text[])",
            list(codes),
        )
        return {
            row["code"]: Holder(row["unit_code"], row["unit_path"], (row["manager_a"], row["manager_b"]))
            for row in rows
        }


def _row(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Rejected):
        return (outcome.row, "rejected", outcome.code, list(outcome.reasons), [], [])
    assert isinstance(outcome, Loaded)  # noqa: S101 - the union has two members
    return (outcome.row, outcome.result, outcome.after.code, [], list(outcome.notices), list(outcome.similar))
