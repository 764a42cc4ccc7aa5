"""The record of imports, and the answers given to commands that may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.registry.domain.importing import Loaded, Outcome, Rejected
from services.registry.handlers.import_customers import counts
from services.registry.handlers.ports import ImportChunk
from shared.messaging.work import Work


class PostgresImports:
    """`ports.Imports` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def open(self, chunk: ImportChunk, person: str) -> bool:
        raw = await self._work.raw()
        await raw.execute(
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
        stored = await raw.fetchrow(
            "SELECT person, file_sha256, rows_total FROM customer_imports WHERE id = $1", chunk.import_id
        )
        return stored is not None and tuple(stored) == (person, chunk.file_sha256, chunk.rows_total)

    async def record(self, chunk: ImportChunk, outcomes: Sequence[Outcome]) -> None:
        raw = await self._work.raw()
        recorded = await raw.fetch(
            'SELECT "row" FROM customer_import_rows WHERE import_id = $1 AND "row" = ANY($2::integer[])',
            chunk.import_id,
            [each.row for each in outcomes],
        )
        seen = {row["row"] for row in recorded}
        # A chunk sent again under another key finds its rows decided; the record keeps what the first sending did.
        fresh = [each for each in outcomes if each.row not in seen]
        await raw.executemany(
            """
            INSERT INTO customer_import_rows (import_id, "row", result, customer_code, reasons, notices, similar_codes)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            [(chunk.import_id, *_row(each)) for each in fresh],
        )
        totals = counts(fresh)
        await raw.execute(
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


def _row(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Rejected):
        return (outcome.row, "rejected", outcome.code, list(outcome.reasons), [], [])
    assert isinstance(outcome, Loaded)  # noqa: S101 - the union has two members
    return (outcome.row, outcome.result, outcome.after.code, [], list(outcome.notices), list(outcome.similar))


class KeyReused(ValueError):
    """The same idempotency key came with another request."""


class IdempotentAnswers:
    """Answers to commands by person and key, stored in the transaction of their effects."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def begin(self, person: str, key: str, request_sha256: str) -> Any | None:
        """None: this request is the first and must be done. Else the answer that was given; raises KeyReused.

        A parallel request with the same key waits in the insert until the other one has ended.
        """
        raw = await self._work.raw()
        inserted = await raw.fetchval(
            """
            INSERT INTO idempotency_keys (person, key, request_sha256, recorded_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING key
            """,
            person,
            key,
            request_sha256,
            self._work.now,
        )
        if inserted is not None:
            return None
        stored = await raw.fetchrow(
            "SELECT request_sha256, answer FROM idempotency_keys WHERE person = $1 AND key = $2",
            person,
            key,
        )
        if stored is None or stored["request_sha256"] != request_sha256:
            raise KeyReused(key)
        return orjson.loads(stored["answer"])

    async def finish(self, person: str, key: str, answer: Any) -> None:
        """Keeps the answer."""
        raw = await self._work.raw()
        await raw.execute(
            "UPDATE idempotency_keys SET answer = $3 WHERE person = $1 AND key = $2",
            person,
            key,
            orjson.dumps(answer).decode(),
        )
