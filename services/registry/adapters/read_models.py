"""Reads over HTTP: as the reader role, under row-level security, narrowed to what the caller may see.

Each read is a transaction that first says for whom it reads. A query that forgets its own filter still returns nothing
from outside the caller's units, because the policies of the database see to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.auth.principals import Principal
from shared.scope import reading

PAGE_MAX: Final = 500


class BadCursor(ValueError):
    """A cursor that this list did not give, or gave for other filters."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the cursor of what follows, None at the end."""

    items: list[dict[str, Any]]
    next_cursor: str | None


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
            "name": "strpos(c.name, :name) > 0",
            "uscc": "c.uscc = :uscc",
            "status": "c.status = :status",
            "kind": "c.kind = :kind",
            "manager": ":manager IN (c.manager_a, c.manager_b)",
            "agreement": "(:agreement = 'in_force') = EXISTS (SELECT 1 FROM agreements a"
            " WHERE a.customer_code = c.code AND a.state = 'in_force')",
        }
        query = f"SELECT c.* FROM customers c WHERE {_conditions(wheres, filters, 'c.id > :after')}"
        async with reading(self._reader, caller, "customers.read") as connection:
            after = _after(cursor, "customers", filters, 0)
            rows = await _fetch(
                connection,
                text(f"{query} ORDER BY c.id LIMIT :limit"),
                {**filters, "after": after, "limit": limit + 1},
            )
            page = rows[:limit]
            agreements = await _agreements(connection, [row["code"] for row in page])
        items = [_customer(row, agreements.get(row["code"], [])) for row in page]
        following = _cursor("customers", filters, page[-1]["id"]) if len(rows) > limit else None
        return Page(items, following)

    async def customer(self, caller: Principal, code: str) -> dict[str, Any] | None:
        """One customer with its agreements, the history of its managers, and how it got its code."""
        async with reading(self._reader, caller, "customers.read") as connection:
            rows = await _fetch(
                connection, text("SELECT * FROM customers WHERE code = :code"), {"code": code}
            )
            if not rows:
                return None
            agreements = await _agreements(connection, [code])
            managers = await _fetch(
                connection,
                text(
                    "SELECT part, manager, bound_at, unbound_at, bound_by FROM manager_bindings"
                    " WHERE customer_code = :code ORDER BY id"
                ),
                {"code": code},
            )
            assigned = await _fetch(
                connection,
                text(
                    "SELECT scheme, origin, division, serial, assigned_at, assigned_by FROM code_assignments"
                    " WHERE code = :code"
                ),
                {"code": code},
            )
        return {
            **_customer(rows[0], agreements.get(code, [])),
            "managers": managers,
            "code_assignment": assigned[0] if assigned else None,
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
        scope = "in_scope(u.path) AND u.code > :after"
        query = f"SELECT u.* FROM units u WHERE {_conditions(wheres, filters, scope)} ORDER BY u.code LIMIT :limit"
        async with reading(self._reader, caller, "units.read") as connection:
            after = _after(cursor, "units", filters, "")
            rows = await _fetch(connection, text(query), {**filters, "after": after, "limit": limit + 1})
        page = rows[:limit]
        following = _cursor("units", filters, page[-1]["code"]) if len(rows) > limit else None
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
        async with reading(self._reader, caller, "staff.read") as connection:
            after = _after(cursor, "staff", {}, "")
            rows = await _fetch(
                connection,
                text(
                    """
                    SELECT user_name AS "user", name_zh, name_en, office, active,
                        (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.role, 'unit', r.unit_code)
                            ORDER BY r.role, r.unit_code), '[]') FROM staff_roles r
                            WHERE r.user_name = s.user_name) AS roles
                    FROM staff s WHERE user_name > :after ORDER BY user_name LIMIT :limit
                    """
                ),
                {"after": after, "limit": limit + 1},
            )
        page = rows[:limit]
        return Page(page, _cursor("staff", {}, page[-1]["user"]) if len(rows) > limit else None)

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
            'SELECT "row", result, customer_code, reasons, notices, similar_codes AS similar'
            " FROM customer_import_rows WHERE "
            + _conditions({"result": "result = :result"}, filters, 'import_id = :id AND "row" > :after')
            + ' ORDER BY "row" LIMIT :limit'
        )
        # The import is part of what a cursor belongs to.
        belongs = {**filters, "import": import_id}
        async with reading(self._reader, caller, "customers.import") as connection:
            after = _after(cursor, "import_rows", belongs, 0)
            rows = await _fetch(
                connection, text(query), {**filters, "id": import_id, "after": after, "limit": limit + 1}
            )
        page = rows[:limit]
        return Page(page, _cursor("import_rows", belongs, page[-1]["row"]) if len(rows) > limit else None)


def _conditions(known: Mapping[str, str], filters: Mapping[str, str], always: str) -> str:
    return " AND ".join([always, *(known[name] for name in filters)])


async def _fetch(
    connection: AsyncConnection, query: TextClause, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(query, dict(values))).mappings()]


async def _agreements(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    rows = await _fetch(
        connection,
        text(
            "SELECT customer_code, agreement_no, signed_on, ends_on, state, ended_on, lines, recorded_at"
            " FROM agreements WHERE customer_code = ANY(:codes) ORDER BY customer_code, position"
        ),
        {"codes": list(codes)},
    )
    for row in rows:
        found.setdefault(row.pop("customer_code"), []).append(row)
    return found


def _customer(row: Mapping[str, Any], agreements: list[dict[str, Any]]) -> dict[str, Any]:
    names = (
        "name uscc kind status merged_into unit_code unit_path division industry upstream_granted_by_province"
        " manager_a manager_b registered_at changed_at version"
    )
    return {
        "customer_code": row["code"],
        **{name: row[name] for name in names.split()},
        "agreements": agreements,
    }


def _unit(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"unit_code": row["code"], **{name: value for name, value in row.items() if name != "code"}}


def _belongs(listing: str, filters: Mapping[str, str]) -> str:
    asked = orjson.dumps([listing, sorted(filters.items())])
    return hashlib.sha256(asked).hexdigest()[:16]


def _cursor(listing: str, filters: Mapping[str, str], after: int | str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_belongs(listing, filters), after])).decode().rstrip("=")


def _after(cursor: str | None, listing: str, filters: Mapping[str, str], first: int | str) -> int | str:
    """Where a list goes on. A cursor only ever says where, never what: it gives no right to anything."""
    if cursor is None:
        return first
    try:
        belongs, after = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor(cursor) from None
    if belongs != _belongs(listing, filters) or type(after) is not type(first):
        raise BadCursor(cursor)
    if isinstance(after, int):
        if not 0 <= after < 2**31:
            raise BadCursor(cursor)
        return after
    # PostgreSQL takes no NUL in text.
    if "\x00" in after:
        raise BadCursor(cursor)
    return str(after)
