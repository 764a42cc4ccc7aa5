"""Merges and their signatures in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.registry.adapters.merge_reads import merge_of
from services.registry.domain.merging import Proposal, Signature
from shared.messaging.work import Work


class PostgresMerges:
    """`ports.Merges` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def propose(
        self, survivor: str, alias: str, reason: str, person: str, office: str | None
    ) -> Proposal | None:
        id = await self._work.fetchval(
            """
            INSERT INTO merges
                (survivor, alias, reason, state, requested_by, requester_office, requested_at, version)
            VALUES ($1, $2, $3, 'proposed', $4, $5, $6, 1) ON CONFLICT DO NOTHING RETURNING id
            """,
            survivor,
            alias,
            reason,
            person,
            office,
            self._work.now,
        )
        return None if id is None else Proposal(id, survivor, alias, "proposed", person, (), 1)

    async def open_for(self, alias: str) -> int | None:
        found: int | None = await self._work.fetchval(
            "SELECT id FROM merges WHERE alias = $1 AND state = 'proposed'", alias
        )
        return found

    async def parties(self, id: int) -> tuple[str, str] | None:
        row = await self._work.fetchrow("SELECT survivor, alias FROM merges WHERE id = $1", id)
        return None if row is None else (row["survivor"], row["alias"])

    async def record(self, id: int) -> Mapping[str, Any]:
        found = await merge_of(self._work, id)
        assert found is not None  # noqa: S101 - this transaction holds it
        return found

    async def locked(self, id: int) -> Proposal | None:
        row = await self._work.fetchrow("SELECT * FROM merges WHERE id = $1 FOR UPDATE", id)
        if row is None:
            return None
        signatures = await self._work.fetch(
            "SELECT person, office FROM merge_signatures WHERE merge_id = $1 ORDER BY signed_at, person", id
        )
        return Proposal(
            id,
            row["survivor"],
            row["alias"],
            row["state"],
            row["requested_by"],
            tuple(Signature(*each) for each in signatures),
            row["version"],
        )

    async def sign(self, proposal: Proposal, signature: Signature, comment: str | None) -> None:
        await self._work.execute(
            "INSERT INTO merge_signatures (merge_id, person, office, signed_at, comment)"
            " VALUES ($1, $2, $3, $4, $5)",
            proposal.id,
            signature.person,
            signature.office,
            self._work.now,
            comment,
        )
        await self._work.execute("UPDATE merges SET version = version + 1 WHERE id = $1", proposal.id)

    async def decide(
        self,
        proposal: Proposal,
        state: str,
        person: str,
        reason: str | None,
        effect: Mapping[str, Any] | None,
    ) -> None:
        await self._work.execute(
            """
            UPDATE merges SET state = $2, decided_by = $3, decided_at = $4, decision_reason = $5,
                effect = $6::text::jsonb, version = version + 1
            WHERE id = $1
            """,
            proposal.id,
            state,
            person,
            self._work.now,
            reason,
            None if effect is None else orjson.dumps(effect).decode(),
        )

    async def move_agreements(self, alias: str, survivor: str, numbers: Sequence[tuple[str, str]]) -> None:
        if not numbers:
            return
        await self._work.execute(
            """
            UPDATE agreements AS a SET customer_code = $2, agreement_no = n.new, position = a.position + (
                SELECT coalesce(max(position) + 1, 0) FROM agreements WHERE customer_code = $2)
            FROM unnest($3::text[], $4::text[]) AS n (old, new)
            WHERE a.customer_code = $1 AND a.agreement_no = n.old
            """,
            alias,
            survivor,
            [old for old, _ in numbers],
            [new for _, new in numbers],
        )
