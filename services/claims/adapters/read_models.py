"""What HTTP reads: lists as values and single resources, as the reader role under row-level security."""

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
from shared.listing import Column, KeysetList, Order, Row, under_unit
from shared.scope import reading

CUSTOMERS: Final = KeysetList(
    "customers",
    "customers.read",
    """
    SELECT c.customer_code, c.version, c.name, c.kind, c.status, c.merged_into, c.unit_code, c.unit_path, c.as_of,
        jsonb_path_query_array(c.agreements, '$[*] ? (@.state == "in_force")') AS agreements
    FROM customers c
    """,
    orders={"code": Order((Column("c.customer_code", "customer_code"),))},
    filters={"unit": under_unit("c.unit_path")},
)
"""Customers by code, with their agreements in force."""

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
_PLAN: Final = ", ".join(f"p.{field.name}" for field in fields(Plan) if field.name != "comparison")

PLANS: Final = KeysetList(
    "plans",
    "plans.read",
    f"SELECT {_PLAN}, {_NAMED} FROM {_WITH_SUBJECT}",
    orders={
        "filed": Order(
            (Column("p.filed_at", "filed_at", "timestamptz"), Column("p.id", "id")), descending=True
        )
    },
    filters={
        "state": "p.state = :state",
        "unit": under_unit("p.unit_path"),
        "customer": f":customer IN ({_CODE}, 'uscc:' || {_USCC})",
        "person": ":person IN (p.filed_by, p.manager_a, p.manager_b)",
    },
)
"""Plans by the time of filing, the latest first; each row with its subject."""

_WINDOW: Final = """
SELECT w.plan_id, w.window_key, w.customer_code, w.uscc, w.name, w.version, w.state, w.unit_code, w.unit_path,
    coalesce(u.name_zh, w.unit_code) AS unit_name_zh, coalesce(u.name_en, w.unit_code) AS unit_name_en, w.manager_a,
    w.manager_b, w.kind, w.lines, w.opens_at, w.ends_at, w.last_day, w.settled_at, w.closed_at, w.rule_version
FROM windows w LEFT JOIN units u ON u.unit_code = w.unit_code
"""
_LIVE: Final = "w.state IN ('registered', 'active', 'settling')"
_OPENED: Final = {
    "opened": Order(
        (Column("w.opens_at", "opens_at", "timestamptz"), Column("w.plan_id", "plan_id")), descending=True
    )
}
_WINDOW_FILTERS: Final = {
    "state": "w.state = :state",
    "unit": under_unit("w.unit_path"),
    "customer": "(w.customer_code = :customer OR w.window_key = :customer)",
}

WINDOWS: Final = KeysetList("windows", "windows.read", _WINDOW, _OPENED, _WINDOW_FILTERS)
"""Windows by their opening, the latest first."""
LIVE_WINDOWS: Final = KeysetList(
    "live windows", "windows.read", _WINDOW, _OPENED, _WINDOW_FILTERS, always=_LIVE
)
"""Those in force, settling or about to open."""

_CASE: Final = (
    f"SELECT {', '.join(f'c.{field.name}' for field in fields(Case))}, s.customer_code, s.name"
    " FROM cases c LEFT JOIN subjects s ON s.id = c.subject_id"
)

CASES: Final = KeysetList(
    "cases",
    "cases.read",
    _CASE,
    orders={
        "opened": Order(
            (Column("c.opened_at", "opened_at", "timestamptz"), Column("c.id", "id")), descending=True
        )
    },
    filters={
        "state": "c.state = :state",
        "kind": "c.kind = :kind",
        "customer": "s.customer_code = :customer",
    },
)
"""Cases by the time they were opened, the latest first."""


async def read_plan(
    reader: AsyncEngine, caller: Principal, plan_id: str
) -> tuple[Plan, Subject, list[Row]] | None:
    """One plan with its subject and what happened to it; None outside the caller's scope."""
    async with reading(reader, caller, "plans.read") as connection:
        rows = await _rows(
            connection,
            f"SELECT {_PLAN}, p.comparison::text AS comparison FROM plans p WHERE p.id = :id",
            {"id": plan_id},
        )
        if not rows:
            return None
        plan = plan_of(rows[0])
        subject = await _rows(
            connection, f"SELECT s.id, {_NAMED} FROM {_WITH_SUBJECT} WHERE p.id = :id", {"id": plan_id}
        )
        steps = await _rows(
            connection,
            "SELECT event, person, happened_at, stage, reason, note, evidence FROM plan_steps"
            " WHERE plan_id = :id ORDER BY id",
            {"id": plan_id},
        )
    return plan, Subject(**subject[0]), steps


async def read_window(reader: AsyncEngine, caller: Principal, key: str) -> Row | None:
    """The window of a customer in force, settling or about to open."""
    async with reading(reader, caller, "windows.read") as connection:
        rows = await _rows(
            connection,
            f"{_WINDOW} WHERE (w.customer_code = :key OR w.window_key = :key) AND {_LIVE}"
            " ORDER BY w.opens_at LIMIT 1",
            {"key": key},
        )
    return rows[0] if rows else None


async def read_case(reader: AsyncEngine, caller: Principal, case_id: str) -> Row | None:
    """One case in scope."""
    async with reading(reader, caller, "cases.read") as connection:
        rows = await _rows(connection, f"{_CASE} WHERE c.id = :id", {"id": case_id})
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


async def _rows(connection: AsyncConnection, query: str, values: Mapping[str, Any]) -> list[Row]:
    return [dict(row) for row in (await connection.execute(text(query), dict(values))).mappings()]
