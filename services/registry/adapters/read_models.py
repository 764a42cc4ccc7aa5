"""Reads over HTTP: as the reader role, under row-level security, narrowed to what the caller may see.

Each read is a transaction that first says for whom it reads. A query that forgets its own filter still returns nothing
from outside the caller's units, because the policies of the database see to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.registry.adapters.customer_rows import connection_of, with_parts
from services.registry.domain.customers import Customer
from services.registry.domain.names import identity_key
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page
from shared.scope import reading


def _in_unit(path: str) -> str:
    """The condition (SQL) that a path is that of the unit `:unit` or of one below it."""
    return (
        f"({path} = (SELECT path FROM units WHERE code = :unit)"
        f" OR starts_with({path}, (SELECT path FROM units WHERE code = :unit) || '/'))"
    )


_CUSTOMERS: Final = KeysetList(
    "customers",
    "customers.read",
    "SELECT c.* FROM customers c",
    orders={"registered": Order((Column("c.id", "id", "bigint"),))},
    filters={
        "unit": _in_unit("c.unit_path"),
        "name": "strpos(c.name_key, :name) > 0",
        "uscc": "c.uscc = :uscc",
        "status": "c.status = :status",
        "kind": "c.kind = :kind",
        "manager": ":manager IN (c.manager_a, c.manager_b)",
        "agreement": "(:agreement = 'in_force') = EXISTS (SELECT 1 FROM agreements a"
        " WHERE a.customer_code = c.code AND a.state = 'in_force')",
    },
)
_UNIT: Final = """
    SELECT u.code AS unit_code, u.name_zh, u.name_en, u.level, u.parent, u.path, u.lines, u.division, u.city_group, u.centre,
        u.valid_from, u.valid_to, u.version
    FROM units u
"""
UNITS: Final = KeysetList(
    "units",
    "units.read",
    _UNIT,
    orders={"code": Order((Column("u.code", "unit_code"),))},
    filters={"level": "u.level = :level", "parent": "u.parent = :parent", "unit": _in_unit("u.path")},
    always="in_scope(u.path)",
)
STAFF: Final = KeysetList(
    "staff",
    "staff.read",
    """
    SELECT s.user_name AS "user", s.name_zh, s.name_en, s.unit_code, s.office, s.active,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.role, 'unit', r.unit_code)
            ORDER BY r.role, r.unit_code), '[]') FROM staff_roles r WHERE r.user_name = s.user_name) AS roles
    FROM staff s
    """,
    orders={"user": Order((Column("s.user_name", "user"),))},
    filters={},
)
"""People with the roles that lie in scope."""
IMPORT_ROWS: Final = KeysetList(
    "import_rows",
    "customers.import",
    # Row-level security shows only those customers of a similar name that the reader may read.
    """
    SELECT r."row", r.result, r.customer_code, r.reasons, r.notices, ARRAY(
        SELECT c.code FROM customers c WHERE c.code = ANY(r.similar_codes) ORDER BY c.id) AS similar
    FROM customer_import_rows r
    """,
    orders={"row": Order((Column('r."row"', "row", "bigint"),))},
    filters={"import": "r.import_id = :import", "result": "r.result = :result"},
)

_PARTS: Final = {
    "survivor": text(
        # The survivor may lie outside the caller's scope; its code is on the alias's own row.
        "SELECT a.survivor AS customer_code, s.name FROM customers a LEFT JOIN customers s ON s.code = a.survivor"
        " WHERE a.code = :code AND a.survivor IS NOT NULL"
    ),
    "managers": text(
        "SELECT part, manager, bound_at, unbound_at, bound_by FROM manager_bindings"
        " WHERE customer_code = :code ORDER BY id"
    ),
    "agreement_steps": text(
        "SELECT customer_code, agreement_no, step, ends_on, person, recorded_at, reason FROM agreement_steps"
        " WHERE customer_code = ANY(:codes) ORDER BY id"
    ),
    "code_assignment": text(
        "SELECT scheme, origin, division, serial, assigned_at, assigned_by FROM code_assignments WHERE code = :code"
    ),
}


async def customers_in_scope(
    reader: AsyncEngine, caller: Principal, asked: Mapping[str, str | None], cursor: str | None, limit: int
) -> Page:
    """Customers in the order of registration. Filters: unit (and all below it), name, uscc, status, kind, manager, agreement
    (`in_force` or `none`)."""
    # A name is looked for in the form in which duplicates are found, so that nobody declares again what is there.
    name = asked.get("name")
    sought = {**asked, "name": None if name is None else identity_key(name)}
    async with reading(reader, caller, "customers.read") as connection:
        page = await _CUSTOMERS.read_in(connection, sought, cursor, limit)
        found = await with_parts(await connection_of(connection), page.items)
    return Page(
        [
            customer_members(customer, row["unit_path"], row["changed_at"])
            for customer, row in zip(found, page.items, strict=True)
        ],
        page.next_cursor,
    )


async def customer_in_scope(reader: AsyncEngine, caller: Principal, code: str) -> dict[str, Any] | None:
    """One customer with its agreements and counter codes, their history and that of its managers, how it got its code, and
    for an alias its survivor."""
    async with reading(reader, caller, "customers.read") as connection:
        rows = await _fetch(connection, text("SELECT * FROM customers WHERE code = :code"), {"code": code})
        if not rows:
            return None
        (found,) = await with_parts(await connection_of(connection), rows)
        parts = {
            name: await _fetch(connection, query, {"code": code, "codes": [code, *found.aliases]})
            for name, query in _PARTS.items()
        }
    return {
        **customer_members(found, rows[0]["unit_path"], rows[0]["changed_at"]),
        "survivor": next(iter(parts["survivor"]), None),
        "managers": parts["managers"],
        "agreement_steps": parts["agreement_steps"],
        "code_assignment": next(iter(parts["code_assignment"]), None),
    }


async def unit_in_scope(reader: AsyncEngine, caller: Principal, code: str) -> dict[str, Any] | None:
    """One unit in scope."""
    query = text(f"{_UNIT} WHERE u.code = :code AND in_scope(u.path)")
    async with reading(reader, caller, "units.read") as connection:
        return next(iter(await _fetch(connection, query, {"code": code})), None)


async def own_import(reader: AsyncEngine, caller: Principal, import_id: str) -> dict[str, Any] | None:
    """One import of the caller's own."""
    query = text("SELECT * FROM customer_imports WHERE id = :id")
    async with reading(reader, caller, "customers.import") as connection:
        return next(iter(await _fetch(connection, query, {"id": import_id})), None)


async def _fetch(
    connection: AsyncConnection, query: TextClause, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(query, dict(values))).mappings()]


def customer_members(customer: Customer, unit_path: str, changed_at: datetime) -> dict[str, Any]:
    """The members of `CustomerOut` as values."""
    return {
        "customer_code": customer.code,
        "name": customer.name,
        "uscc": customer.uscc,
        "kind": customer.kind,
        "status": customer.status,
        "merged_into": customer.merged_into,
        "unit_code": customer.unit_code,
        "unit_path": unit_path,
        "division": customer.division,
        "industry": customer.industry,
        "upstream_granted_by_province": customer.upstream_granted_by_province,
        "manager_a": customer.manager_a,
        "manager_b": customer.manager_b,
        "lead": customer.lead,
        "registered_at": customer.registered_at,
        "version": customer.version,
        "aliases": customer.aliases,
        "changed_at": changed_at,
        "agreements": [
            {
                "agreement_no": each.agreement_no,
                "signed_on": each.signed_on,
                "ends_on": each.ends_on,
                "state": each.state,
                "ended_on": each.ended_on,
                "lines": each.lines,
                "unit_code": each.unit_code,
                "recorded_at": each.recorded_at,
            }
            for each in customer.agreements
        ],
        "counter_codes": [
            {
                "id": each.id,
                "code": each.code,
                "unit_code": each.unit_code,
                "counter_id": each.counter_id,
                "valid_from": each.valid_from,
                "valid_to": each.valid_to,
                "version": each.version,
            }
            for each in customer.counter_codes
        ],
    }
