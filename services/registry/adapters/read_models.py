"""Reads over HTTP: as the reader role, under row-level security, narrowed to what the caller may see.

Each read is a transaction that first says for whom it reads. A query that forgets its own filter still returns nothing
from outside the caller's units, because the policies of the database see to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.registry.adapters.customer_rows import with_parts
from services.registry.domain.customers import Customer
from services.registry.domain.names import identity_key
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the cursor of what follows, None at the end."""

    items: list[dict[str, Any]]
    next_cursor: str | None


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


class ReadModels:
    """Everything that the routes read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def customers(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Page:
        """Customers in the order of registration. Filters: unit (and all below it), name, uscc, status, kind,
        manager, agreement (`in_force` or `none`)."""
        wheres = {
            "unit": "(c.unit_path = (SELECT path FROM units WHERE code = :unit)"
            " OR starts_with(c.unit_path, (SELECT path FROM units WHERE code = :unit) || '/'))",
            "name": "strpos(c.name_key, :name_key) > 0",
            "uscc": "c.uscc = :uscc",
            "status": "c.status = :status",
            "kind": "c.kind = :kind",
            "manager": ":manager IN (c.manager_a, c.manager_b)",
            "agreement": "(:agreement = 'in_force') = EXISTS (SELECT 1 FROM agreements a"
            " WHERE a.customer_code = c.code AND a.state = 'in_force')",
        }
        listing = Listing("customers", filters)
        (after,) = listing.after(cursor, (0,))
        query = f"SELECT c.* FROM customers c WHERE {_conditions(wheres, filters, 'c.id > :after')}"
        async with reading(self._reader, caller, "customers.read") as connection:
            rows = await _fetch(
                connection,
                text(f"{query} ORDER BY c.id LIMIT :limit"),
                {**filters, **_name_key(filters), "after": after, "limit": limit + 1},
            )
            page, following = listing.page(rows, limit, lambda row: (row["id"],))
            found = await with_parts(await _raw(connection), page)
        items = [
            customer_members(customer, row["unit_path"], row["changed_at"])
            for customer, row in zip(found, page, strict=True)
        ]
        return Page(items, following)

    async def customer(self, caller: Principal, code: str) -> dict[str, Any] | None:
        """One customer with its agreements and counter codes, their history and that of its managers, how it got its
        code, and for an alias its survivor."""
        async with reading(self._reader, caller, "customers.read") as connection:
            rows = await _fetch(
                connection, text("SELECT * FROM customers WHERE code = :code"), {"code": code}
            )
            if not rows:
                return None
            (found,) = await with_parts(await _raw(connection), rows)
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

    async def units(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Page:
        """Units by code. Filters: level, parent, and unit (itself and all below it)."""
        wheres = {
            "level": "u.level = :level",
            "parent": "u.parent = :parent",
            "unit": "(u.path = (SELECT path FROM units WHERE code = :unit)"
            " OR starts_with(u.path, (SELECT path FROM units WHERE code = :unit) || '/'))",
        }
        listing = Listing("units", filters)
        (after,) = listing.after(cursor, ("",))
        scope = "in_scope(u.path) AND u.code > :after"
        query = f"SELECT u.* FROM units u WHERE {_conditions(wheres, filters, scope)} ORDER BY u.code LIMIT :limit"
        async with reading(self._reader, caller, "units.read") as connection:
            rows = await _fetch(connection, text(query), {**filters, "after": after, "limit": limit + 1})
        page, following = listing.page(rows, limit, lambda row: (row["code"],))
        return Page([_unit(row) for row in page], following)

    async def unit(self, caller: Principal, code: str) -> dict[str, Any] | None:
        """One unit in scope."""
        async with reading(self._reader, caller, "units.read") as connection:
            rows = await _fetch(
                connection,
                text("SELECT * FROM units WHERE code = :code AND in_scope(path)"),
                {"code": code},
            )
        return _unit(rows[0]) if rows else None

    async def staff(self, caller: Principal, cursor: str | None, limit: int) -> Page:
        """People with the roles that lie in scope, by user name."""
        listing = Listing("staff", {})
        (after,) = listing.after(cursor, ("",))
        async with reading(self._reader, caller, "staff.read") as connection:
            rows = await _fetch(
                connection,
                text(
                    """
                    SELECT user_name AS "user", name_zh, name_en, unit_code, office, active,
                        (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.role, 'unit', r.unit_code)
                            ORDER BY r.role, r.unit_code), '[]') FROM staff_roles r
                            WHERE r.user_name = s.user_name) AS roles
                    FROM staff s WHERE user_name > :after ORDER BY user_name LIMIT :limit
                    """
                ),
                {"after": after, "limit": limit + 1},
            )
        return Page(*listing.page(rows, limit, lambda row: (row["user"],)))

    async def customer_import(self, caller: Principal, import_id: str) -> dict[str, Any] | None:
        """One import of the caller's own."""
        async with reading(self._reader, caller, "customers.import") as connection:
            rows = await _fetch(
                connection, text("SELECT * FROM customer_imports WHERE id = :id"), {"id": import_id}
            )
        return rows[0] if rows else None

    async def import_rows(
        self, caller: Principal, import_id: str, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> Page:
        """The rows of an import in the order of the file. Filter: result."""
        query = (
            # Row-level security shows only those customers of a similar name that the reader may read.
            'SELECT "row", result, customer_code, reasons, notices, ARRAY('
            "SELECT c.code FROM customers c WHERE c.code = ANY(similar_codes) ORDER BY c.id) AS similar"
            " FROM customer_import_rows WHERE "
            + _conditions({"result": "result = :result"}, filters, 'import_id = :id AND "row" > :after')
            + ' ORDER BY "row" LIMIT :limit'
        )
        # The import is part of what a cursor belongs to.
        listing = Listing("import_rows", {**filters, "import": import_id})
        (after,) = listing.after(cursor, (0,))
        async with reading(self._reader, caller, "customers.import") as connection:
            rows = await _fetch(
                connection, text(query), {**filters, "id": import_id, "after": after, "limit": limit + 1}
            )
        return Page(*listing.page(rows, limit, lambda row: (row["row"],)))


def _name_key(filters: Mapping[str, str]) -> dict[str, str]:
    """What a name is looked for by: the form in which duplicates are found, so that nobody declares again what is there."""
    return {"name_key": identity_key(filters["name"])} if "name" in filters else {}


def _conditions(known: Mapping[str, str], filters: Mapping[str, str], always: str) -> str:
    return " AND ".join([always, *(known[name] for name in filters)])


async def _fetch(
    connection: AsyncConnection, query: TextClause, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(query, dict(values))).mappings()]


async def _raw(connection: AsyncConnection) -> asyncpg.Connection:
    """The driver's connection inside the same transaction."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    return raw


def customer_members(customer: Customer, unit_path: str, changed_at: datetime) -> dict[str, Any]:
    """The members of `CustomerOut` as values."""
    plain = (
        "name uscc kind status merged_into unit_code division industry upstream_granted_by_province manager_a"
        " manager_b lead registered_at version aliases"
    )
    return {
        "customer_code": customer.code,
        **{name: getattr(customer, name) for name in plain.split()},
        "unit_path": unit_path,
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


def _unit(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"unit_code": row["code"], **{name: value for name, value in row.items() if name != "code"}}
