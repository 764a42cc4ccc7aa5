"""Reads of plans, windows and cases over HTTP: as the reader role, under row-level security."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.claims.adapters.plans import plan_of
from services.claims.domain.plans import Plan
from services.claims.handlers.ports import Case, Subject
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading

Rows = tuple[list[dict[str, Any]], str | None]

_UNDER: Final = (
    "(right({0}.unit_path, length(:unit) + 1) = '/' || :unit OR starts_with({0}.unit_path || '/',"
    " (SELECT u.unit_path || '/' FROM units u WHERE u.unit_code = :unit)))"
)
# What a plan's reader is told of its customer: everything, where the plan's readers may know it or this one reads the
# customer (row-level security shows `c` then); else what the plan was filed with, in filters as in answers.
_OPEN: Final = "(p.identified OR c.customer_code IS NOT NULL)"
_CODE: Final = f"CASE WHEN {_OPEN} THEN s.customer_code ELSE p.named_code END"
_USCC: Final = f"CASE WHEN {_OPEN} THEN s.uscc ELSE p.named_uscc END"
_NAME: Final = f"CASE WHEN {_OPEN} THEN s.name ELSE coalesce(p.named_name, p.named_code) END"
_NAMED: Final = f"{_CODE} AS customer_code, {_USCC} AS uscc, {_NAME} AS name"
_WITH_SUBJECT: Final = (
    "plans p JOIN subjects s ON s.id = p.subject_id"
    " LEFT JOIN customers c ON c.customer_code = s.customer_code"
)
_PLAN_FILTERS: Final = {
    "state": "p.state = :state",
    "unit": _UNDER.format("p"),
    "customer": f":customer IN ({_CODE}, 'uscc:' || {_USCC})",
    "person": ":person IN (p.filed_by, p.manager_a, p.manager_b)",
}
_WINDOW_FILTERS: Final = {
    "state": "w.state = :state",
    "unit": _UNDER.format("w"),
    "customer": "(w.customer_code = :customer OR w.window_key = :customer)",
}
_CASE_FILTERS: Final = {
    "state": "c.state = :state",
    "kind": "c.kind = :kind",
    "customer": "s.customer_code = :customer",
}
_PLAN: Final = ", ".join(f"p.{field.name}" for field in fields(Plan) if field.name != "comparison")
_WINDOW: Final = """
SELECT w.plan_id, w.window_key, w.customer_code, w.uscc, w.name, w.version, w.state, w.unit_code, w.unit_path,
    coalesce(u.name_zh, w.unit_code) AS unit_name_zh, coalesce(u.name_en, w.unit_code) AS unit_name_en, w.manager_a,
    w.manager_b, w.kind, w.lines, w.opens_at, w.ends_at, w.last_day, w.settled_at, w.closed_at, w.rule_version
FROM windows w LEFT JOIN units u ON u.unit_code = w.unit_code
"""
_LIVE: Final = "w.state IN ('registered', 'active', 'settling')"
_CASE: Final = ", ".join(f"c.{field.name}" for field in fields(Case))


class PlanReads:
    """Everything that the routes of plans, windows and cases read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def plans(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Rows:
        """Plans by the time of filing, the latest first; each row with its subject."""
        listing = Listing("plans", filters)
        at, plan_id = listing.after(cursor, ("9999-01-01T00:00:00+00:00", ""))
        async with reading(self._reader, caller, "plans.read") as connection:
            rows = await _fetch(
                connection,
                f"""
                SELECT {_PLAN}, {_NAMED} FROM {_WITH_SUBJECT}
                WHERE {_conditions(_PLAN_FILTERS, filters)}
                    AND (p.filed_at, p.id) < (CAST(CAST(:at AS text) AS timestamptz), :plan_id)
                ORDER BY p.filed_at DESC, p.id DESC LIMIT :limit
                """,
                {**filters, "at": at, "plan_id": plan_id, "limit": limit + 1},
            )
        return listing.page(rows, limit, lambda row: (row["filed_at"].isoformat(), row["id"]))

    async def plan(
        self, caller: Principal, plan_id: str
    ) -> tuple[Plan, Subject, list[dict[str, Any]]] | None:
        """One plan with its subject and what happened to it; None outside the caller's scope."""
        async with reading(self._reader, caller, "plans.read") as connection:
            rows = await _fetch(
                connection,
                f"SELECT {_PLAN}, p.comparison::text AS comparison FROM plans p WHERE p.id = :id",
                {"id": plan_id},
            )
            if not rows:
                return None
            plan = plan_of(rows[0])
            subject = await _fetch(
                connection,
                f"SELECT s.id, {_NAMED} FROM {_WITH_SUBJECT} WHERE p.id = :id",
                {"id": plan_id},
            )
            steps = await _fetch(
                connection,
                "SELECT event, person, happened_at, stage, reason, note, evidence FROM plan_steps"
                " WHERE plan_id = :id ORDER BY id",
                {"id": plan_id},
            )
        return plan, Subject(**subject[0]), steps

    async def windows(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Rows:
        """Windows by their opening, the latest first; without a state, those in force, settling or about to open."""
        listing = Listing("windows", filters)
        at, plan_id = listing.after(cursor, ("9999-01-01T00:00:00+00:00", ""))
        wanted = _conditions(_WINDOW_FILTERS, filters)
        live = "true" if "state" in filters else _LIVE
        async with reading(self._reader, caller, "windows.read") as connection:
            rows = await _fetch(
                connection,
                f"""
                {_WINDOW} WHERE {wanted} AND {live}
                    AND (w.opens_at, w.plan_id) < (CAST(CAST(:at AS text) AS timestamptz), :plan_id)
                ORDER BY w.opens_at DESC, w.plan_id DESC LIMIT :limit
                """,
                {**filters, "at": at, "plan_id": plan_id, "limit": limit + 1},
            )
        return listing.page(rows, limit, lambda row: (row["opens_at"].isoformat(), row["plan_id"]))

    async def window(self, caller: Principal, key: str) -> dict[str, Any] | None:
        """The window of a customer in force, settling or about to open."""
        async with reading(self._reader, caller, "windows.read") as connection:
            rows = await _fetch(
                connection,
                f"{_WINDOW} WHERE (w.customer_code = :key OR w.window_key = :key) AND {_LIVE}"
                " ORDER BY w.opens_at LIMIT 1",
                {"key": key},
            )
        return rows[0] if rows else None

    async def cases(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Rows:
        """Cases by the time they were opened, the latest first."""
        listing = Listing("cases", filters)
        at, case_id = listing.after(cursor, ("9999-01-01T00:00:00+00:00", ""))
        async with reading(self._reader, caller, "cases.read") as connection:
            rows = await _fetch(
                connection,
                f"""
                SELECT {_CASE}, s.customer_code, s.name FROM cases c LEFT JOIN subjects s ON s.id = c.subject_id
                WHERE {_conditions(_CASE_FILTERS, filters)}
                    AND (c.opened_at, c.id) < (CAST(CAST(:at AS text) AS timestamptz), :case_id)
                ORDER BY c.opened_at DESC, c.id DESC LIMIT :limit
                """,
                {**filters, "at": at, "case_id": case_id, "limit": limit + 1},
            )
        return listing.page(rows, limit, lambda row: (row["opened_at"].isoformat(), row["id"]))

    async def case(self, caller: Principal, case_id: str) -> dict[str, Any] | None:
        """One case in scope."""
        async with reading(self._reader, caller, "cases.read") as connection:
            rows = await _fetch(
                connection,
                f"SELECT {_CASE}, s.customer_code, s.name FROM cases c LEFT JOIN subjects s ON s.id = c.subject_id"
                " WHERE c.id = :id",
                {"id": case_id},
            )
        return rows[0] if rows else None


def case_of(row: Mapping[str, Any]) -> Case:
    """A case from a row of `cases`."""
    evidence = row["evidence"]
    return Case(
        **{
            **{field.name: row[field.name] for field in fields(Case)},
            "evidence": orjson.loads(evidence) if isinstance(evidence, str) else evidence,
        }
    )


def _conditions(known: Mapping[str, str], filters: Mapping[str, str]) -> str:
    return " AND ".join(["true", *(known[name] for name in filters)])


async def _fetch(connection: AsyncConnection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(text(query), dict(values))).mappings()]
