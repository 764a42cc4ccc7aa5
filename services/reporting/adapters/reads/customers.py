"""Customers with their tiers: the list, and one with the history of its tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting.adapters.reads.rows import Page, Row, fetch, given, has_part, under_unit, where
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading

NO_TIER: Final = "none"

HAS_REVENUE: Final = (
    "EXISTS (SELECT FROM revenue_view r WHERE r.customer_code = c.customer_code AND r.transactions > 0)"
)
CUSTOMERS: Final = (
    f"SELECT c.*, {HAS_REVENUE} AS has_revenue, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en "
    "FROM customer_view c LEFT JOIN unit_view u ON u.unit_code = c.unit_code"
)
"""Rows for `with_kind`, which makes a customer active with its first booked transaction (00-overview, glossary): the
registry, which has no revenue, goes on calling it potential."""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """What a list of customers is narrowed to. `unit` means the unit and everything below it; `q` is a part of the name
    or the beginning of the code; `tier` is a tier code or `none`; `status` is that of the state; `kind` is
    `active` from the first booked transaction on."""

    unit: str | None = None
    tier: str | None = None
    scheme: str | None = None
    key_account: bool | None = None
    q: str | None = None
    status: str | None = None
    kind: str | None = None


async def customers(
    reader: AsyncEngine, caller: Principal, asked: CustomerFilter, cursor: str | None, limit: int
) -> Page:
    """Each row: the columns of `customer_view`, `unit_name_zh`, `unit_name_en`, and `tiers`, a list of rows of
    `tier_view`."""
    values = given(asked)
    listing = Listing("customers", values)
    (after,) = listing.after(cursor, ("",))
    conditions = ["c.customer_code > :after", *_conditions(asked)]
    async with reading(reader, caller, "customers.read") as connection:
        rows = await fetch(
            connection,
            f"{CUSTOMERS} WHERE {where(conditions)} ORDER BY c.customer_code LIMIT :limit",
            {**values, "after": after, "limit": limit + 1},
        )
        shown, following = listing.page(rows, limit, lambda row: (row["customer_code"],))
        tiers = await tiers_of(connection, [row["customer_code"] for row in shown])
    return [{**with_kind(row), "tiers": tiers.get(row["customer_code"], [])} for row in shown], following


def with_kind(row: Row) -> Row:
    """A row of `CUSTOMERS` as others see it."""
    if row.pop("has_revenue"):
        row["kind"] = "active"
    return row


def _conditions(asked: CustomerFilter) -> list[str]:
    conditions = []
    if asked.unit is not None:
        conditions.append(under_unit("c"))
    if asked.q is not None:
        beginning = "starts_with(c.customer_code, btrim(normalize(CAST(:q AS text), NFKC)))"
        conditions.append(f"({has_part('c.name')} OR {beginning})")
    if asked.status is not None:
        conditions.append("c.status = :status")
    if asked.kind is not None:
        conditions.append(f"(CASE WHEN {HAS_REVENUE} THEN 'active' ELSE c.kind END) = :kind")
    of_customer = "SELECT FROM tier_view t WHERE t.customer_code = c.customer_code"
    if asked.scheme is not None:
        of_customer += " AND t.scheme = :scheme"
    holds = []
    # Who holds no tier may have a state that says so or none at all; the same goes for key accounts.
    if asked.tier == NO_TIER:
        conditions.append(f"NOT EXISTS ({of_customer} AND t.tier <> :tier)")
    elif asked.tier is not None:
        holds.append("t.tier = :tier")
    if asked.key_account is False:
        conditions.append(f"NOT EXISTS ({of_customer} AND t.key_account)")
    elif asked.key_account is True:
        holds.append("t.key_account")
    if holds or (asked.scheme is not None and asked.tier is None and asked.key_account is None):
        conditions.append(f"EXISTS ({' AND '.join((of_customer, *holds))})")
    return conditions


async def tiers_of(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, list[Row]]:
    """The tiers of these customers by scheme."""
    rows = await fetch(
        connection,
        "SELECT t.* FROM tier_view t WHERE t.customer_code = ANY(:codes) ORDER BY t.customer_code, t.scheme",
        {"codes": list(codes)},
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["customer_code"], []).append(row)
    return found


async def customer(reader: AsyncEngine, caller: Principal, code: str) -> Row | None:
    """One customer with `tiers` and `movements` (every change by scheme and version), or None where the caller sees none
    of this code."""
    async with reading(reader, caller, "customers.read") as connection:
        rows = await fetch(connection, f"{CUSTOMERS} WHERE c.customer_code = :code", {"code": code})
        if not rows:
            return None
        tiers = await tiers_of(connection, [code])
        movements = await fetch(
            connection,
            "SELECT m.* FROM tier_movement_view m WHERE m.customer_code = :code ORDER BY m.scheme, m.version",
            {"code": code},
        )
    return {**with_kind(rows[0]), "tiers": tiers.get(code, []), "movements": movements}
