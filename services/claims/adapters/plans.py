"""Subjects, plans and windows in PostgreSQL.

Exclusivity is the constraint `one_window_at_a_time` of the table `windows`. The subject's row lock, which everybody
takes who changes anything about it, only sees to it that nobody meets the constraint without need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

import orjson

from services.claims.domain.plans import Alternative, Fact, Plan
from services.claims.handlers.ports import Case, Docket, KnownCustomer, KnownUnit, Subject
from shared.messaging import timers
from shared.messaging.work import Work

_NAMES: Final = tuple(field.name for field in fields(Plan))
_PLACES: Final = ", ".join(
    f"${number}::text::jsonb" if name == "comparison" else f"${number}"
    for number, name in enumerate(_NAMES, start=1)
)
_INSERT: Final = f"INSERT INTO plans ({', '.join(_NAMES)}) VALUES ({_PLACES})"
_UPDATE: Final = (
    f"UPDATE plans SET ({', '.join(_NAMES)}) = ({_PLACES})"
    f" WHERE id = ${_NAMES.index('id') + 1} AND version = ${_NAMES.index('version') + 1} - 1"
)
_SELECT: Final = f"SELECT {', '.join(_NAMES)} FROM plans".replace(
    "comparison", "comparison::text AS comparison"
)

_WINDOW: Final = """
    subject_id = $2, window_key = $3, customer_code = $4, uscc = $5, name = $6, version = $7, state = $8,
    unit_code = $9, unit_path = $10, manager_a = $11, manager_b = $12, kind = $13, lines = $14, opens_at = $15,
    ends_at = $16, last_day = $17, settled_at = $18, closed_at = $19, rule_version = $20
"""
_TAKE: Final = """
INSERT INTO windows (plan_id, subject_id, window_key, customer_code, uscc, name, version, state, unit_code, unit_path,
    manager_a, manager_b, kind, lines, opens_at, ends_at, last_day, settled_at, closed_at, rule_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT DO NOTHING RETURNING plan_id
"""


class StoredElsewhere(RuntimeError):
    """A plan changed between being read and being written: its subject was not locked, which is a fault of ours."""


class PostgresPlans:
    """`ports.PlanStore` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def unit(self, unit_code: str) -> KnownUnit | None:
        row = await self._work.fetchrow(f"{_UNIT} WHERE unit_code = $1", unit_code)
        return None if row is None else KnownUnit(*row)

    async def units_above(self, unit_path: str) -> list[KnownUnit]:
        rows = await self._work.fetch(
            f"{_UNIT} WHERE starts_with($1 || '/', unit_path || '/') ORDER BY length(unit_path) DESC",
            unit_path,
        )
        return [KnownUnit(*row) for row in rows]

    async def customer(self, customer_code: str) -> KnownCustomer | None:
        row = await self._work.fetchrow(f"{_CUSTOMER} WHERE customer_code = $1", customer_code)
        return None if row is None else _customer(row)

    async def customer_of_uscc(self, uscc: str) -> KnownCustomer | None:
        row = await self._work.fetchrow(
            f"{_CUSTOMER} WHERE uscc = $1 AND status = 'active' ORDER BY customer_code LIMIT 1", uscc
        )
        return None if row is None else _customer(row)

    async def subject_of_customer(self, customer: KnownCustomer) -> int:
        # A prospect that turned out to be this customer is named by its credit code until its state is read.
        found = await self._work.fetchval(
            """
            WITH made AS (
                INSERT INTO subjects (customer_code, uscc, name)
                VALUES ($1, CASE WHEN EXISTS (SELECT 1 FROM subjects WHERE uscc = $2) THEN NULL ELSE $2 END, $3)
                ON CONFLICT DO NOTHING RETURNING id
            )
            SELECT id FROM made UNION ALL SELECT id FROM subjects WHERE customer_code = $1
            """,
            customer.customer_code,
            customer.uscc,
            customer.name,
        )
        if found is None:
            # Somebody else has made it since this statement began, or holds the credit code.
            found = await self._work.fetchval(
                "SELECT id FROM subjects WHERE customer_code = $1", customer.customer_code
            )
        if found is None:
            found = await self._work.fetchval(
                "INSERT INTO subjects (customer_code, name) VALUES ($1, $2)"
                " ON CONFLICT (customer_code) DO UPDATE SET name = excluded.name RETURNING id",
                customer.customer_code,
                customer.name,
            )
        return int(found)

    async def subject_of_prospect(self, uscc: str, name: str) -> int:
        # The name of the first who filed stays; the update only makes the row come back.
        found = await self._work.fetchval(
            "INSERT INTO subjects (uscc, name) VALUES ($1, $2)"
            " ON CONFLICT (uscc) DO UPDATE SET name = subjects.name RETURNING id",
            uscc,
            name,
        )
        return int(found)

    async def subject_of_code(self, customer_code: str) -> int | None:
        return await self._subject("customer_code", customer_code)

    async def subject_of_uscc(self, uscc: str) -> int | None:
        return await self._subject("uscc", uscc)

    async def _subject(self, column: str, value: str) -> int | None:
        found: int | None = await self._work.fetchval(f"SELECT id FROM subjects WHERE {column} = $1", value)
        return found

    async def subject_of_plan(self, plan_id: str) -> int | None:
        found: int | None = await self._work.fetchval("SELECT subject_id FROM plans WHERE id = $1", plan_id)
        return found

    async def docket(self, subject_id: int) -> Docket | None:
        row = await self._work.fetchrow(
            "SELECT id, customer_code, uscc, name FROM subjects WHERE id = $1 FOR UPDATE", subject_id
        )
        if row is None:
            return None
        plans = await self._work.fetch(f"{_SELECT} WHERE subject_id = $1 ORDER BY filed_at, id", subject_id)
        return Docket(Subject(*row), {plan["id"]: plan_of(plan) for plan in plans})

    async def subjects_concerned(self, customer_codes: Sequence[str]) -> list[tuple[str, int]]:
        rows = await self._work.fetch(
            """
            SELECT c.customer_code, s.id FROM customers c JOIN subjects s ON s.customer_code = c.customer_code
                WHERE c.customer_code = ANY($1::text[])
            UNION
            SELECT c.customer_code, s.id FROM customers c
                JOIN subjects s ON s.uscc = c.uscc AND s.customer_code IS NULL
                WHERE c.customer_code = ANY($1::text[]) AND c.status = 'active'
            ORDER BY 2, 1
            """,
            list(customer_codes),
        )
        return [(row[0], row[1]) for row in rows]

    async def rename(self, subject: Subject) -> None:
        await self._work.execute(
            "UPDATE subjects SET customer_code = $2, uscc = $3, name = $4 WHERE id = $1",
            subject.id,
            subject.customer_code,
            subject.uscc,
            subject.name,
        )
        await self._work.execute(
            "UPDATE windows SET window_key = $2, customer_code = $3, uscc = $4, name = $5 WHERE subject_id = $1",
            subject.id,
            subject.key,
            subject.customer_code,
            subject.uscc,
            subject.name,
        )

    async def dissolve(self, subject_id: int, into: int) -> None:
        await self._work.execute("UPDATE cases SET subject_id = $2 WHERE subject_id = $1", subject_id, into)
        await self._work.execute(
            "INSERT INTO agreement_outcomes (subject_id, agreement_no, recorded_at, result, noted_at)"
            " SELECT $2, agreement_no, recorded_at, result, noted_at FROM agreement_outcomes"
            " WHERE subject_id = $1 ON CONFLICT DO NOTHING",
            subject_id,
            into,
        )
        await self._work.execute("DELETE FROM agreement_outcomes WHERE subject_id = $1", subject_id)
        await self._work.execute("DELETE FROM subjects WHERE id = $1", subject_id)

    async def insert(self, plan: Plan) -> None:
        await self._work.execute(_INSERT, *_values(plan))

    async def update(self, plan: Plan) -> None:
        if await self._work.execute(_UPDATE, *_values(plan)) != 1:
            raise StoredElsewhere(plan.id)

    async def take_window(self, plan: Plan, subject: Subject) -> bool:
        taken = await self._work.fetchval(_TAKE, *_window(plan, subject))
        return taken is not None

    async def store_window(self, plan: Plan, subject: Subject) -> None:
        await self._work.execute(f"UPDATE windows SET {_WINDOW} WHERE plan_id = $1", *_window(plan, subject))

    async def record(self, plan: Plan, facts: Sequence[Fact]) -> None:
        await self._work.executemany(
            "INSERT INTO plan_steps (plan_id, plan_version, event, person, happened_at, recorded_at, stage, reason,"
            " note, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            [
                (
                    plan.id,
                    plan.version,
                    fact.event,
                    fact.by,
                    fact.happened_at,
                    self._work.now,
                    plan.stage if fact.event == "progress_reported" else None,
                    fact.reason,
                    fact.note,
                    list(fact.evidence),
                )
                for fact in facts
            ],
        )

    async def note_outcome(
        self, subject_id: int, agreement_no: str, recorded_at: datetime, result: str
    ) -> bool:
        noted = await self._work.fetchval(
            "INSERT INTO agreement_outcomes (subject_id, agreement_no, recorded_at, result, noted_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true",
            subject_id,
            agreement_no,
            recorded_at,
            result,
            self._work.now,
        )
        return noted is not None

    async def open_case(self, case: Case) -> None:
        await self._work.execute(
            "INSERT INTO cases (id, kind, subject_id, plan_id, unit_path, other_unit, agreement_no, evidence, opened_at,"
            " version, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10, $11)",
            case.id,
            case.kind,
            case.subject_id,
            case.plan_id,
            case.unit_path,
            case.other_unit,
            case.agreement_no,
            orjson.dumps(dict(case.evidence)).decode(),
            case.opened_at,
            case.version,
            case.state,
        )

    async def case(self, case_id: str) -> Case | None:
        names = ", ".join(field.name for field in fields(Case)).replace(
            "evidence", "evidence::text AS evidence"
        )
        row = await self._work.fetchrow(f"SELECT {names} FROM cases WHERE id = $1 FOR UPDATE", case_id)
        if row is None:
            return None
        return Case(**{**dict(row), "evidence": orjson.loads(row["evidence"])})

    async def store_case(self, case: Case) -> None:
        await self._work.execute(
            "UPDATE cases SET version = $2, state = $3, decision = $4, reason = $5, decided_by = $6, decided_at = $7"
            " WHERE id = $1",
            case.id,
            case.version,
            case.state,
            case.decision,
            case.reason,
            case.decided_by,
            case.decided_at,
        )

    async def steps(self, plan_id: str) -> list[dict[str, Any]]:
        """What happened to a plan, for its resource."""
        rows = await self._work.fetch(
            "SELECT event, person, happened_at, stage, reason, note, evidence FROM plan_steps"
            " WHERE plan_id = $1 ORDER BY id",
            plan_id,
        )
        return [dict(row) for row in rows]


class PostgresPlanTimers:
    """`ports.PlanTimers` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def schedule(self, kind: str, plan_id: str, due_at: datetime, **payload: Any) -> None:
        await timers.schedule(self._work, kind, plan_id, due_at, payload)


_UNIT: Final = "SELECT unit_code, unit_path, name_zh, name_en, level, division, valid_to FROM units"
_CUSTOMER: Final = (
    "SELECT customer_code, name, uscc, status, merged_into, unit_code, unit_path, division, agreements::text"
    " AS agreements, ARRAY[manager_a, manager_b] AS managers FROM customers"
)


def _customer(row: Any) -> KnownCustomer:
    values = dict(row)
    values["agreements"] = tuple(orjson.loads(values["agreements"]))
    values["managers"] = tuple(values["managers"])
    return KnownCustomer(**values)


def plan_of(row: Any) -> Plan:
    """A plan from a row of `plans`."""
    values = dict(row)
    values["lines"] = tuple(values["lines"])
    values["files"] = tuple(values["files"])
    values["comparison"] = tuple(Alternative(**one) for one in orjson.loads(values["comparison"]))
    return Plan(**values)


def _values(plan: Plan) -> list[Any]:
    values = {name: getattr(plan, name) for name in _NAMES}
    values["lines"] = list(plan.lines)
    values["files"] = list(plan.files)
    values["comparison"] = orjson.dumps([asdict(one) for one in plan.comparison]).decode()
    return list(values.values())


def _window(plan: Plan, subject: Subject) -> tuple[Any, ...]:
    return (
        plan.id,
        subject.id,
        subject.key,
        subject.customer_code,
        subject.uscc,
        subject.name,
        plan.version,
        plan.state,
        plan.unit_code,
        plan.unit_path,
        plan.manager_a,
        plan.manager_b,
        plan.kind,
        list(plan.lines),
        plan.opens_at,
        plan.ends_at,
        plan.last_day,
        plan.settled_at,
        plan.closed_at,
        plan.rule_version,
    )
