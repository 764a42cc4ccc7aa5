"""Customers with their revenue and tiers: the list, and one with the history of its tiers.

Revenue is that of the year so far and has nothing to do with tiers: a customer without one, for want of an agreement or
of revenue, has it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting.adapters.reads.rows import (
    Page,
    Row,
    fetch,
    fetch_one,
    folded,
    given,
    under_unit,
    where,
)
from services.reporting.adapters.reads.searching import words_of
from shared.auth.principals import Principal
from shared.clock import business_date
from shared.paging import Key, Listing
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
    """What a list of customers is narrowed to. `unit` means the unit and everything below it; `q` are words that each
    have to be found in the name or be another name of the customer (`_FOUND`); `tier` is a tier code or `none`; `status`
    is that of the state; `kind` is `active` from the first booked transaction on; `agreement` is `yes` with one in force.
    `order` is by code, or by the revenue of the year with the largest first."""

    unit: str | None = None
    tier: str | None = None
    scheme: str | None = None
    key_account: bool | None = None
    q: str | None = None
    status: str | None = None
    kind: str | None = None
    agreement: bool | None = None
    order: Literal["code", "revenue"] = "code"


_NO_REVENUE: Final = -(10**17)
"""Where a customer without revenue stands among the others, in fen: behind every reversal."""
_YEAR: Final = (
    "LEFT JOIN LATERAL (SELECT sum(r.amount_fen) AS revenue_fen FROM revenue_view r "
    "WHERE r.customer_code = c.customer_code AND r.year = CAST(:year AS bigint)) y ON true"
)
_SORTED_BY: Final = f"coalesce(y.revenue_fen, {_NO_REVENUE})"


async def customers(
    reader: AsyncEngine,
    caller: Principal,
    now: datetime,
    asked: CustomerFilter,
    cursor: str | None,
    limit: int,
) -> Page:
    """Each row: the columns of `customer_view`, `unit_name_zh`, `unit_name_en`, `revenue_year` and `revenue_fen` (this
    year's so far; null without any), and `tiers`, a list of rows of `tier_view`."""
    by_revenue = asked.order == "revenue"
    narrowed = given(asked)
    listing = Listing("customers", narrowed)
    first: Key = (10**18, "") if by_revenue else ("",)
    *of_revenue, code = listing.after(cursor, first)
    conditions = _conditions(asked)
    values = {**_values(asked), "year": business_date(now).year, "after": code}
    if by_revenue:
        conditions.append(f"({_SORTED_BY}, :after) < (CAST(:revenue AS numeric), c.customer_code)")
        values["revenue"] = of_revenue[0]
    else:
        conditions.append("c.customer_code > :after")
    order = f"{_SORTED_BY} DESC, c.customer_code" if by_revenue else "c.customer_code"
    async with reading(reader, caller, "customers.read") as connection:
        rows = await fetch(
            connection,
            f"{CUSTOMERS} {_YEAR} WHERE {where(conditions)} ORDER BY {order} LIMIT :limit".replace(
                "SELECT c.*", "SELECT c.*, y.revenue_fen, CAST(:year AS bigint) AS revenue_year", 1
            ),
            {**values, "limit": limit + 1},
        )
        shown, following = listing.page(rows, limit, _key_by_revenue if by_revenue else _key)
        tiers = await tiers_of(connection, [row["customer_code"] for row in shown])
    return [{**with_kind(row), "tiers": tiers.get(row["customer_code"], [])} for row in shown], following


def _key(row: Row) -> Key:
    return (row["customer_code"],)


def _key_by_revenue(row: Row) -> Key:
    revenue = row["revenue_fen"]
    return (_NO_REVENUE if revenue is None else revenue), row["customer_code"]


async def customer_counts(
    reader: AsyncEngine, caller: Principal, now: datetime, asked: CustomerFilter
) -> Row:
    """`{total, revenue_fen, year}` of everything that a list under these filters has."""
    async with reading(reader, caller, "customers.read") as connection:
        return await fetch_one(
            connection,
            "SELECT count(*) AS total, sum(y.revenue_fen) AS revenue_fen, CAST(:year AS bigint) AS year "
            f"FROM customer_view c {_YEAR} WHERE {where(_conditions(asked))}",
            {**_values(asked), "year": business_date(now).year},
        )


def with_kind(row: Row) -> Row:
    """A row of `CUSTOMERS` as others see it."""
    if row.pop("has_revenue"):
        row["kind"] = "active"
    return row


_FOUND: Final = (
    f"(strpos({folded('c.name')}, {folded('CAST(:word_%(n)s AS text)')}) > 0 "
    "OR starts_with(lower(c.customer_code), :word_%(n)s) "
    "OR lower(c.uscc) = :word_%(n)s OR EXISTS (SELECT FROM unnest(c.aliases) a WHERE lower(a) = :word_%(n)s) "
    "OR EXISTS (SELECT FROM jsonb_array_elements(c.agreement_history) g WHERE lower(g->>'agreement_no') = :word_%(n)s) "
    "OR EXISTS (SELECT FROM jsonb_array_elements(c.counter_codes) k WHERE lower(k->>'code') = :word_%(n)s))"
)
"""A word means a customer by a part of the name, the beginning of the code, or all of the credit code, of a code merged
into it, of an agreement's number or of a counter's own code."""


def _values(asked: CustomerFilter) -> Row:
    """The parameters of `_conditions`."""
    values = {name: value for name, value in given(asked).items() if name not in _NO_PARAMETERS}
    return values | {f"word_{number}": word for number, word in enumerate(words_of(asked.q))}


_NO_PARAMETERS: Final = ("q", "agreement", "key_account", "order")


def _conditions(asked: CustomerFilter) -> list[str]:
    conditions = []
    if asked.unit is not None:
        conditions.append(under_unit("c"))
    conditions += [_FOUND % {"n": number} for number in range(len(words_of(asked.q)))]
    if asked.status is not None:
        conditions.append("c.status = :status")
    if asked.agreement is not None:
        conditions.append("c.agreements_in_force > 0" if asked.agreement else "c.agreements_in_force = 0")
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
