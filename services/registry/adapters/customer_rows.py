"""Rows of customers with what belongs to them, as the domain knows them: a statement for each part, however many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.registry.domain.agreements import Agreement
from services.registry.domain.counter_codes import CodeMapping, holding
from services.registry.domain.customers import Customer

COLUMNS = """code, version, name, uscc, kind, unit_code, registered_at, status, merged_into, division, industry,
    upstream_granted_by_province, manager_a, manager_b"""


class Rows(Protocol):
    """Where statements are read: a unit of work, or the connection of a read."""

    async def fetch(self, statement: str, /, *values: Any) -> list[Any]: ...


async def connection_of(connection: AsyncConnection) -> Rows:
    """The driver's connection inside the same transaction of a read."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    rows: Rows = driver
    return rows


async def load_agreements(store: Rows, codes: Sequence[str]) -> dict[str, list[Agreement]]:
    """The agreements of some customers in the order in which they were recorded."""
    found: dict[str, list[Agreement]] = defaultdict(list)
    rows = await store.fetch(
        "SELECT customer_code, agreement_no, signed_on, ends_on, state, ended_on, recorded_at, lines, unit_code"
        " FROM agreements WHERE customer_code = ANY($1::text[]) ORDER BY customer_code, position",
        list(codes),
    )
    for row in rows:
        found[row["customer_code"]].append(
            Agreement(
                row["agreement_no"],
                row["signed_on"],
                row["ends_on"],
                row["state"],
                row["ended_on"],
                row["recorded_at"],
                tuple(row["lines"]),
                row["unit_code"],
            )
        )
    return found


async def load_mappings(store: Rows, codes: Sequence[str]) -> dict[str, list[CodeMapping]]:
    """The counter codes of some customers, those taken back left out."""
    found: dict[str, list[CodeMapping]] = defaultdict(list)
    rows = await store.fetch(
        """
        SELECT m.id, n.code, m.customer_code, m.valid_from, m.valid_to, m.version, n.unit_code, n.counter_id
        FROM counter_codes m JOIN counter_code_names n ON n.id = m.code_id
        WHERE m.customer_code = ANY($1::text[]) AND NOT isempty(m.period)
        """,
        list(codes),
    )
    for row in rows:
        found[row["customer_code"]].append(CodeMapping(*row))
    return found


async def load_aliases(store: Rows, codes: Sequence[str]) -> dict[str, list[str]]:
    """The customers merged into each of some customers, directly or by way of others, by code."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = await store.fetch(
        "SELECT survivor, code FROM customers WHERE survivor = ANY($1::text[])"
        ' ORDER BY survivor, code COLLATE "C"',
        list(codes),
    )
    for row in rows:
        found[row["survivor"]].append(row["code"])
    return found


async def customers_of_codes(store: Rows, codes: Collection[str]) -> dict[str, Customer]:
    """Customers by code as they are seen, without locking them."""
    rows = await store.fetch(f"SELECT {COLUMNS} FROM customers WHERE code = ANY($1::text[])", list(codes))
    return {each.code: each for each in await with_parts(store, rows)}


async def with_parts(store: Rows, rows: Sequence[Any]) -> list[Customer]:
    """Customers from rows of `customers`, with their agreements, counter codes and aliases.

    One that was merged has none of these: they passed to its survivor.
    """
    codes = [row["code"] for row in rows if row["status"] != "merged"]
    agreements = await load_agreements(store, codes)
    mappings = await load_mappings(store, codes)
    aliases = await load_aliases(store, codes)
    return [
        customer_of(
            row,
            agreements.get(row["code"], ()),
            holding(mappings.get(row["code"], ())),
            aliases.get(row["code"], ()),
        )
        for row in rows
    ]


def customer_of(
    row: Any,
    agreements: Sequence[Agreement],
    counter_codes: Sequence[CodeMapping] = (),
    aliases: Sequence[str] = (),
) -> Customer:
    """A customer from a row of `customers` and its parts."""
    return Customer(
        code=row["code"],
        version=row["version"],
        name=row["name"],
        uscc=row["uscc"],
        kind=row["kind"],
        unit_code=row["unit_code"],
        registered_at=row["registered_at"],
        status=row["status"],
        merged_into=row["merged_into"],
        division=row["division"],
        industry=row["industry"],
        upstream_granted_by_province=row["upstream_granted_by_province"],
        manager_a=row["manager_a"],
        manager_b=row["manager_b"],
        agreements=tuple(agreements),
        counter_codes=tuple(counter_codes),
        aliases=tuple(aliases),
    )
