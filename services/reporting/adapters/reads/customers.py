"""Customers with their revenue and tiers: the list, and one with the history of its tiers.

Revenue is that of the year so far and has nothing to do with tiers: a customer without one, for want of an agreement or
of revenue, has it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import (
    Row,
    fetch,
    fetch_one,
    folded,
    given,
    in_unit,
    where,
    without_keys,
)
from services.reporting.adapters.reads.searching import WORDS_MAX, words_of
from shared.auth.principals import Principal
from shared.clock import business_date
from shared.listing import Column, KeysetList, Order, Page

NO_TIER: Final = "none"
CustomerOrder = Literal["code", "revenue"]

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
    order: CustomerOrder = "code"


_NO_REVENUE: Final = -(10**17)
"""Where a customer without revenue stands among the others, in fen: behind every reversal."""
_YEAR: Final = (
    "LEFT JOIN LATERAL (SELECT sum(r.amount_fen) AS revenue_fen FROM revenue_view r "
    "WHERE r.customer_code = c.customer_code AND r.year = CAST(:year AS bigint)) y ON true"
)
_REVENUE_DOWN: Final = f"CAST(-coalesce(y.revenue_fen, {_NO_REVENUE}) AS bigint)"


async def customers(
    reads: Reads, caller: Principal, asked: CustomerFilter, cursor: str | None, limit: int
) -> Page:
    """Each row: the columns of `customer_view`, `unit_name_zh`, `unit_name_en`, `revenue_year` and `revenue_fen` (this
    year's so far; null without any), and `tiers`, a list of rows of `tier_view`."""
    async with reads.reading(caller, _LIST.operation) as connection:
        found = without_keys(
            await replace(_LIST, always=_holding(asked)).read_in(
                connection, _values(asked), cursor, limit, asked.order, _this_year(reads)
            )
        )
        tiers = await tiers_of(connection, [row["customer_code"] for row in found.items])
    rows = [{**with_kind(row), "tiers": tiers.get(row["customer_code"], [])} for row in found.items]
    return Page(rows, found.next_cursor)


async def customer_counts(reads: Reads, caller: Principal, asked: CustomerFilter) -> Row:
    """`{total, revenue_fen, year}` of everything that a list under these filters has."""
    values = _values(asked)
    conditions = [_holding(asked), *(_LIST.filters[name] for name in values)]
    async with reads.reading(caller, _LIST.operation) as connection:
        return await fetch_one(
            connection,
            "SELECT count(*) AS total, sum(y.revenue_fen) AS revenue_fen, CAST(:year AS bigint) AS year "
            f"FROM customer_view c {_YEAR} WHERE {where(conditions)}",
            {**values, **_this_year(reads)},
        )


def _this_year(reads: Reads) -> Row:
    return {"year": business_date(reads.now()).year}


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


_LIST: Final = KeysetList(
    "customers",
    "customers.read",
    CUSTOMERS.replace(
        " FROM customer_view c",
        f", y.revenue_fen, CAST(:year AS bigint) AS revenue_year, {_REVENUE_DOWN} AS sort_revenue FROM customer_view c",
    )
    + f" {_YEAR}",
    orders={
        "code": Order((Column("c.customer_code", "customer_code"),)),
        "revenue": Order(
            (Column(_REVENUE_DOWN, "sort_revenue", "bigint"), Column("c.customer_code", "customer_code"))
        ),
    },
    filters={
        "unit": in_unit("c"),
        "status": "c.status = :status",
        "agreement": "(c.agreements_in_force > 0) = :agreement",
        "kind": f"(CASE WHEN {HAS_REVENUE} THEN 'active' ELSE c.kind END) = :kind",
        **{f"word_{number}": _FOUND % {"n": number} for number in range(WORDS_MAX)},
        # What they mean depends on each other: `_holding`.
        **dict.fromkeys(("tier", "scheme", "key_account"), "true"),
    },
)


def _values(asked: CustomerFilter) -> Row:
    """The filters of `_LIST`; each word of `q` is one."""
    values = {name: value for name, value in given(asked).items() if name in _LIST.filters}
    return values | {f"word_{number}": word for number, word in enumerate(words_of(asked.q))}


def _holding(asked: CustomerFilter) -> str:
    """The condition on the tiers that a customer holds."""
    conditions = []
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
    return where(conditions)


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


async def customer(reads: Reads, caller: Principal, code: str) -> Row | None:
    """One customer with `tiers` and `movements` (every change by scheme and version), or None where the caller sees none
    of this code."""
    async with reads.reading(caller, "customers.read") as connection:
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
