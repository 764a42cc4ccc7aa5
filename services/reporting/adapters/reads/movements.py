"""Tier changes: the list, and the matrix from → to of a period (REP-7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch, given, in_unit
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page

BEHIND_A_CELL: Final = 50
"""How many customers a cell of the matrix names; its count is of all."""


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """What a list of tier changes is narrowed to; both dates count."""

    unit: str | None = None
    customer: str | None = None
    scheme: str | None = None
    direction: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None


_LIST: Final = KeysetList(
    "tier-movements",
    "tiers.read",
    "SELECT m.*, c.name FROM tier_movement_view m LEFT JOIN customer_view c ON c.customer_code = m.customer_code",
    orders={
        "decided": Order(
            (
                Column("m.decided_at", "decided_at", "timestamptz"),
                Column("m.customer_code", "customer_code"),
                Column("m.scheme", "scheme"),
                Column("m.version", "version", "bigint"),
            ),
            descending=True,
        )
    },
    filters={
        "unit": in_unit("m"),
        "customer": "m.customer_code = :customer",
        "scheme": "m.scheme = :scheme",
        "direction": "m.direction = :direction",
        "effective_from": "m.effective_on >= :effective_from",
        "effective_to": "m.effective_on <= :effective_to",
    },
)


async def movements(
    reads: Reads, caller: Principal, asked: MovementFilter, cursor: str | None, limit: int
) -> Page:
    """The latest decided first. Each row: the columns of `tier_movement_view` and the customer's `name`."""
    return await _LIST.read(reads.reader, caller, given(asked), cursor, limit)


_MATRIX: Final = """
WITH before AS (
    SELECT DISTINCT ON (customer_code) customer_code, to_tier AS tier FROM tier_movement_view
    WHERE scheme = :scheme AND effective_on < :from_ ORDER BY customer_code, version DESC
), after AS (
    SELECT DISTINCT ON (customer_code) customer_code, to_tier AS tier FROM tier_movement_view
    WHERE scheme = :scheme AND effective_on <= :to ORDER BY customer_code, version DESC
), moved AS (
    SELECT a.customer_code, coalesce(b.tier, 'none') AS from_tier, a.tier AS to_tier
    FROM after a LEFT JOIN before b USING (customer_code)
), numbered AS (
    SELECT m.*, c.name, row_number() OVER (PARTITION BY from_tier, to_tier ORDER BY m.customer_code) AS number
    FROM moved m LEFT JOIN customer_view c USING (customer_code)
    WHERE (m.from_tier, m.to_tier) <> ('none', 'none')%s
)
SELECT from_tier, to_tier, count(*) AS count,
    jsonb_agg(jsonb_build_object('customer_code', customer_code, 'name', name) ORDER BY customer_code)
        FILTER (WHERE number <= :named) AS customers
FROM numbered GROUP BY from_tier, to_tier ORDER BY from_tier, to_tier
"""


async def tier_matrix(
    reads: Reads,
    caller: Principal,
    scheme: str,
    from_: date,
    to: date,
    unit: str | None = None,
) -> Row:
    """Where the customers stood under a scheme before `from_` and where they stand at the end of `to`, by days of effect.

    `{scheme, from, to, cells: [{from_tier, to_tier, count, customers: [{customer_code, name}]}]}`; a cell names at most
    50 customers. Who stayed is in the cells with equal tiers; who held none throughout is in no cell.
    """
    values: Row = {"scheme": scheme, "from_": from_, "to": to, "named": BEHIND_A_CELL}
    if unit is not None:
        values["unit"] = unit
    narrowed = "" if unit is None else f" AND {in_unit('c')}"
    async with reads.reading(caller, "tiers.read") as connection:
        cells = await fetch(connection, _MATRIX % narrowed, values)
    return {"scheme": scheme, "from": from_, "to": to, "cells": cells}
