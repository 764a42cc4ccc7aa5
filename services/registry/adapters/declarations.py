"""Declarations, their records and delegations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from services.registry.domain.declaration_record import Step, steps_after
from services.registry.domain.declarations import OPEN, Contact, Content, Declaration, Note
from services.registry.domain.matching import CANDIDATES_MAX, Candidate, Keys, keys_of, signs
from services.registry.domain.names import similarity_key
from services.registry.domain.time_limits import Run
from services.registry.handlers.declaration_limits import BREACH, PRE_REVIEW_OVERDUE, WARNING
from services.registry.handlers.declaration_ports import Delegation, Holder, Person
from shared.messaging.timers import schedule
from shared.messaging.work import Work

_COLUMNS: Final = (
    "id", "version", "state", "waiting_for", "declared_by", "declarer", "name", "uscc", "nature", "industry", "address",
    "division", "contacts", "expected_lines", "expected_revenue_fen", "manager_a", "manager_b", "similar_key",
    "address_key", "phone_keys", "unit_code", "unit_path", "pre_review_unit", "pre_review_path", "deciding_unit",
    "deciding_path", "created_at", "submitted_at", "arrived_at", "stage", "run_mode", "run_limit", "run_warn",
    "run_spent", "run_since", "warn_at", "due_at", "pre_review_overdue_at", "warned_at", "breached_at", "escalated_to",
    "decided_at", "decided_by", "decided_for", "decision_seconds", "customer_code", "changed_at",
)  # fmt: skip
_SAME: Final = (
    "id", "version", "state", "declared_by", "declarer", "unit_code", "unit_path", "pre_review_unit", "pre_review_path",
    "deciding_unit", "deciding_path", "created_at", "submitted_at", "arrived_at", "stage", "warn_at", "due_at",
    "pre_review_overdue_at", "warned_at", "breached_at", "escalated_to", "decided_at", "decided_by", "decided_for",
    "decision_seconds", "customer_code",
)  # fmt: skip
"""Columns that are fields of `Declaration` by the same name."""
_PLACES: Final = ", ".join(
    f"${place}::text::jsonb" if name == "contacts" else f"${place}"
    for place, name in enumerate(_COLUMNS, start=1)
)


class StoredElsewhere(RuntimeError):
    """A declaration changed between being read and being written: its row lock was not held, which is a fault of ours."""


class PostgresDeclarations:
    """`declaration_ports.Declarations` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def locked(self, id: str) -> Declaration | None:
        row = await self._work.fetchrow("SELECT * FROM declarations WHERE id = $1 FOR UPDATE", id)
        return None if row is None else declaration_of(row)

    async def add(self, declaration: Declaration, notes: Sequence[Note]) -> None:
        await self._work.execute(
            f"INSERT INTO declarations ({', '.join(_COLUMNS)}) VALUES ({_PLACES})",
            *_values(declaration, self._work.now),
        )
        await self._note(declaration, notes, None)

    async def store(self, declaration: Declaration, notes: Sequence[Note]) -> None:
        done = await self._work.execute(
            f"UPDATE declarations SET ({', '.join(_COLUMNS)}) = ROW({_PLACES})"
            f" WHERE id = $1 AND version = ${len(_COLUMNS) + 1}",
            *_values(declaration, self._work.now),
            declaration.version - 1,
        )
        if done != 1:
            raise StoredElsewhere(f"declaration {declaration.id} has another version than was read")
        last = await self._work.fetchrow(
            "SELECT * FROM declaration_steps WHERE declaration_id = $1 ORDER BY ordinal DESC LIMIT 1",
            declaration.id,
        )
        await self._note(declaration, notes, None if last is None else step_of(last))

    async def _note(self, declaration: Declaration, notes: Sequence[Note], last: Step | None) -> None:
        await self._work.executemany(
            """
            INSERT INTO declaration_steps
                (declaration_id, ordinal, version, step, person, acted_for, at, comment, content, sha256)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10)
            """,
            [
                (
                    declaration.id,
                    step.ordinal,
                    step.version,
                    step.note.step,
                    step.note.person,
                    step.note.acted_for,
                    step.note.at,
                    step.note.comment,
                    None if step.content is None else orjson.dumps(step.content).decode(),
                    step.sha256,
                )
                for step in steps_after(declaration, notes, last)
            ],
        )

    async def schedule(self, declaration: Declaration) -> None:
        # Timers of limits that no longer run are left to fire and find nothing: taking them away here would wait for one
        # that fires at this moment and waits for this declaration's row.
        subject, payload = declaration.id, {"declaration_id": declaration.id}
        if declaration.due_at is None:
            return
        if declaration.waiting_for == "pre_review":
            if declaration.pre_review_overdue_at is None:
                await schedule(self._work, PRE_REVIEW_OVERDUE, subject, declaration.due_at, payload)
            return
        if declaration.warn_at is not None and declaration.warned_at is None:
            await schedule(self._work, WARNING, subject, declaration.warn_at, payload)
        if declaration.breached_at is None:
            await schedule(self._work, BREACH, subject, declaration.due_at, payload)

    async def moved(self) -> list[Declaration]:
        rows = await self._work.fetch(
            """
            SELECT d.* FROM declarations d JOIN units u ON u.code = d.unit_code
            JOIN units c ON c.code = d.deciding_unit LEFT JOIN units p ON p.code = d.pre_review_unit
            WHERE (d.unit_path, d.deciding_path, d.pre_review_path) IS DISTINCT FROM (u.path, c.path, p.path)
            ORDER BY d.number FOR UPDATE OF d
            """
        )
        return [declaration_of(row) for row in rows]

    async def steps(self, id: str) -> list[Step]:
        rows = await self._work.fetch(
            "SELECT * FROM declaration_steps WHERE declaration_id = $1 ORDER BY ordinal", id
        )
        return [step_of(row) for row in rows]

    async def customer_of(self, uscc: str) -> Holder | None:
        row = await self._work.fetchrow(
            "SELECT code AS id, name, unit_code, unit_path, manager_a, manager_b, registered_at AS since"
            " FROM customers WHERE uscc = $1",
            uscc,
        )
        return None if row is None else _holder(row)

    async def open_of(self, uscc: str, except_id: str) -> Holder | None:
        row = await self._work.fetchrow(
            "SELECT id, name, unit_code, unit_path, manager_a, manager_b, submitted_at AS since FROM declarations"
            " WHERE uscc = $1 AND id <> $2 AND state = ANY($3::text[]) ORDER BY number LIMIT 1",
            uscc,
            except_id,
            list(OPEN),
        )
        return None if row is None else _holder(row)

    async def candidates(self, content: Content, except_id: str) -> list[Candidate]:
        keys = keys_of(content)
        found: dict[str, Candidate] = {}
        for row in await self._work.fetch(
            _DECLARED_LIKE, keys.name, keys.address, list(keys.phones), except_id
        ):
            candidate = _declared_candidate(row, keys)
            found[candidate.id] = candidate
        customers = await self._work.fetch(
            "SELECT code, name, uscc, status, unit_code, unit_path, manager_a, manager_b, similar_key FROM customers"
            " WHERE (similar_key = $1 OR code = ANY($2::text[])) AND code <> ALL("
            "     SELECT customer_code FROM declarations WHERE id = $3 AND customer_code IS NOT NULL)"
            " ORDER BY id LIMIT $4",
            keys.name,
            [each.id for each in found.values() if each.kind == "customer"],
            except_id,
            CANDIDATES_MAX,
        )
        for row in customers:
            known = found.get(row["code"])
            shared = signs(keys, Keys(row["similar_key"], "", ()))
            found[row["code"]] = Candidate(
                kind="customer",
                id=row["code"],
                name=row["name"],
                uscc=row["uscc"],
                address=None if known is None else known.address,
                state=row["status"],
                unit_code=row["unit_code"],
                unit_path=row["unit_path"],
                managers=(row["manager_a"], row["manager_b"]),
                signs=tuple(dict.fromkeys((*shared, *(() if known is None else known.signs)))),
            )
        return list(found.values())[:CANDIDATES_MAX]


_DECLARED_LIKE: Final = f"""
    SELECT id, customer_code, name, uscc, address, state, unit_code, unit_path, manager_a, manager_b, declarer,
        similar_key, address_key, phone_keys
    FROM declarations
    WHERE id <> $4 AND state IN ('submitted', 'pre_reviewed', 'returned', 'approved')
        AND (similar_key = $1 OR (address_key <> '' AND address_key = $2) OR phone_keys && $3::text[])
    ORDER BY number LIMIT {CANDIDATES_MAX}
"""


def _declared_candidate(row: Mapping[str, Any], keys: Keys) -> Candidate:
    return Candidate(
        kind="customer" if row["customer_code"] else "declaration",
        id=row["customer_code"] or row["id"],
        name=row["name"],
        uscc=row["uscc"],
        address=row["address"],
        state=row["state"],
        unit_code=row["unit_code"],
        unit_path=row["unit_path"],
        managers=(row["manager_a"], row["manager_b"], row["declarer"]),
        signs=signs(keys, Keys(row["similar_key"], row["address_key"], tuple(row["phone_keys"]))),
    )


class PostgresDelegations:
    """`declaration_ports.Delegations` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def add(self, delegation: Delegation) -> None:
        await self._work.execute(
            "INSERT INTO decision_delegations (id, from_user, to_user, unit_code, from_on, to_on, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            delegation.id,
            delegation.from_user,
            delegation.to_user,
            delegation.unit_code,
            delegation.from_on,
            delegation.to_on,
            delegation.created_at,
        )

    async def locked(self, id: str) -> Delegation | None:
        row = await self._work.fetchrow("SELECT * FROM decision_delegations WHERE id = $1 FOR UPDATE", id)
        return None if row is None else delegation_of(row)

    async def store(self, delegation: Delegation) -> None:
        await self._work.execute(
            "UPDATE decision_delegations SET revoked_at = $2, revoked_by = $3, version = $4 WHERE id = $1",
            delegation.id,
            delegation.revoked_at,
            delegation.revoked_by,
            delegation.version,
        )

    async def in_force(self, deputy: str, unit_path: str, on: date, roles: Sequence[str]) -> list[Delegation]:
        rows = await self._work.fetch(
            """
            SELECT d.* FROM decision_delegations d JOIN units u ON u.code = d.unit_code
            WHERE d.to_user = $1 AND d.revoked_at IS NULL AND $3::date BETWEEN d.from_on AND d.to_on
                AND starts_with($2 || '/', u.path || '/')
                AND EXISTS (
                    SELECT 1 FROM staff s WHERE s.user_name = d.to_user AND s.active AND s.unit_code = d.unit_code
                )
                -- Somebody who is not among the staff here has their roles from elsewhere, and had this one then.
                AND (
                    NOT EXISTS (SELECT 1 FROM staff s WHERE s.user_name = d.from_user)
                    OR EXISTS (
                        SELECT 1 FROM staff_roles r JOIN units g ON g.code = r.unit_code JOIN staff s USING (user_name)
                        WHERE r.user_name = d.from_user AND r.role = ANY($4::text[]) AND s.active
                            AND starts_with($2 || '/', g.path || '/')
                    )
                )
            ORDER BY d.number
            """,
            deputy,
            unit_path,
            on,
            list(roles),
        )
        return [delegation_of(row) for row in rows]

    async def deciders(self, unit_path: str, roles: Sequence[str]) -> list[Person]:
        rows = await self._work.fetch(
            """
            SELECT user_name, name_zh, name_en FROM (
                SELECT s.*, rank() OVER (ORDER BY length(u.path) DESC) AS nearness
                FROM staff s JOIN staff_roles r USING (user_name) JOIN units u ON u.code = r.unit_code
                WHERE s.active AND r.role = ANY($1::text[]) AND starts_with($2 || '/', u.path || '/')
            ) AS near WHERE nearness = 1 ORDER BY user_name
            """,
            list(roles),
            unit_path,
        )
        return [Person(row["user_name"], row["name_zh"], row["name_en"]) for row in rows]


def declaration_of(row: Mapping[str, Any]) -> Declaration:
    """A declaration from a row of `declarations`."""
    run = None
    if row["run_mode"] is not None:
        run = Run(row["run_mode"], row["run_limit"], row["run_warn"], row["run_spent"], row["run_since"])
    return Declaration(
        content=Content(
            name=row["name"],
            uscc=row["uscc"],
            nature=row["nature"],
            industry=row["industry"],
            address=row["address"],
            division=row["division"],
            contacts=tuple(Contact(**contact) for contact in _json(row["contacts"])),
            expected_lines=tuple(row["expected_lines"]),
            expected_revenue_fen=row["expected_revenue_fen"],
            manager_a=row["manager_a"],
            manager_b=row["manager_b"],
        ),
        run=run,
        **{name: row[name] for name in _SAME},
    )


def step_of(row: Mapping[str, Any]) -> Step:
    """A step from a row of `declaration_steps`."""
    content = None if row["content"] is None else _json(row["content"])
    note = Note(row["step"], row["person"], row["at"].astimezone(UTC), row["comment"], row["acted_for"])
    return Step(row["ordinal"], row["version"], note, content, row["sha256"])


def delegation_of(row: Mapping[str, Any]) -> Delegation:
    """A delegation from a row of `decision_delegations`."""
    return Delegation(
        id=row["id"],
        from_user=row["from_user"],
        to_user=row["to_user"],
        unit_code=row["unit_code"],
        from_on=row["from_on"],
        to_on=row["to_on"],
        created_at=row["created_at"],
        version=row["version"],
        revoked_at=row["revoked_at"],
        revoked_by=row["revoked_by"],
    )


def _holder(row: Mapping[str, Any]) -> Holder:
    managers = (row["manager_a"], row["manager_b"])
    return Holder(row["id"], row["name"], row["unit_code"], row["unit_path"], managers, row["since"])


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _values(declaration: Declaration, now: datetime) -> list[Any]:
    content, run = declaration.content, declaration.run
    keys = keys_of(content)
    values: dict[str, Any] = {name: getattr(declaration, name) for name in _SAME}
    values |= {
        "waiting_for": declaration.waiting_for,
        "name": content.name,
        "uscc": content.uscc,
        "nature": content.nature,
        "industry": content.industry,
        "address": content.address,
        "division": content.division,
        "contacts": orjson.dumps([asdict(contact) for contact in content.contacts]).decode(),
        "expected_lines": list(content.expected_lines),
        "expected_revenue_fen": content.expected_revenue_fen,
        "manager_a": content.manager_a,
        "manager_b": content.manager_b,
        "similar_key": similarity_key(content.name),
        "address_key": keys.address,
        "phone_keys": list(keys.phones),
        "run_mode": None if run is None else run.mode,
        "run_limit": None if run is None else run.limit,
        "run_warn": None if run is None else run.warn,
        "run_spent": timedelta() if run is None else run.spent,
        "run_since": None if run is None else run.since,
        "changed_at": now,
    }
    return [values[name] for name in _COLUMNS]
