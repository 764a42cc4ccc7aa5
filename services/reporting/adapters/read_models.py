"""Reads over HTTP: as the reader role, under row-level security, so that a query without a filter of its own still
returns nothing from outside the caller's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.auth.principals import Principal
from shared.paging import Key, Listing, bad_cursor
from shared.scope import reading

Row = dict[str, Any]

NO_TIER: Final = "none"

_UNDER_UNIT: Final = (
    "(right(%(table)s.unit_path, length(:unit) + 1) = '/' || :unit OR starts_with(%(table)s.unit_path || '/', "
    "(SELECT u.unit_path || '/' FROM unit_view u WHERE u.unit_code = :unit)))"
)


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """What a list of customers is narrowed to. `unit` means the unit and everything below it; `q` is a part of the name
    or the beginning of the code; `tier` is a tier code or `none`."""

    unit: str | None = None
    tier: str | None = None
    scheme: str | None = None
    key_account: bool | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """What a list of tier changes is narrowed to; both dates count."""

    unit: str | None = None
    customer: str | None = None
    scheme: str | None = None
    direction: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None


class ReadModels:
    """Everything that routes and pages read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def customers(
        self, caller: Principal, asked: CustomerFilter, cursor: str | None, limit: int
    ) -> tuple[list[Row], str | None]:
        """A page of customers by code, each with its tiers, and the cursor of the next page."""
        values = _given(asked)
        listing = Listing("customers", values)
        (after,) = listing.after(cursor, ("",))
        conditions = ["c.customer_code > :after", *_customer_conditions(asked)]
        async with reading(self._reader, caller, "customers.read") as connection:
            rows = await _fetch(
                connection,
                f"{_CUSTOMERS} WHERE {' AND '.join(conditions)} ORDER BY c.customer_code LIMIT :limit",
                {**values, "after": after, "limit": limit + 1},
            )
            shown, following = listing.page(rows, limit, lambda row: (row["customer_code"],))
            tiers = await _tiers(connection, [row["customer_code"] for row in shown])
        return [{**row, "tiers": tiers.get(row["customer_code"], [])} for row in shown], following

    async def customer(self, caller: Principal, code: str) -> Row | None:
        """One customer with its tiers and every change of them, or None where the caller sees none of this code."""
        async with reading(self._reader, caller, "customers.read") as connection:
            rows = await _fetch(connection, f"{_CUSTOMERS} WHERE c.customer_code = :code", {"code": code})
            if not rows:
                return None
            tiers = await _tiers(connection, [code])
            movements = await _fetch(
                connection,
                f"{_MOVEMENTS} WHERE m.customer_code = :code ORDER BY m.scheme, m.version",
                {"code": code},
            )
        return {**rows[0], "tiers": tiers.get(code, []), "movements": movements}

    async def movements(
        self, caller: Principal, asked: MovementFilter, cursor: str | None, limit: int
    ) -> tuple[list[Row], str | None]:
        """A page of tier changes, the latest decided first, and the cursor of the next page."""
        values = _given(asked)
        listing = Listing("tier-movements", values)
        after = listing.after(cursor, (_LAST, "", "", 0))
        conditions = [_MOVEMENT_CONDITIONS[name] for name in values]
        if cursor is not None:
            conditions.append(
                "(m.decided_at, m.customer_code, m.scheme, m.version) "
                "< (CAST(:decided_at AS timestamptz), :customer_code, :scheme_code, :version)"
            )
            values |= {
                "decided_at": _instant(after[0]),
                "customer_code": after[1],
                "scheme_code": after[2],
                "version": after[3],
            }
        async with reading(self._reader, caller, "tiers.read") as connection:
            rows = await _fetch(
                connection,
                f"{_MOVEMENTS} WHERE {' AND '.join(conditions) or 'true'} "
                "ORDER BY m.decided_at DESC, m.customer_code DESC, m.scheme DESC, m.version DESC LIMIT :limit",
                {**values, "limit": limit + 1},
            )
        return listing.page(rows, limit, _movement_key)

    async def freshness(self, caller: Principal) -> list[Row]:
        """How far each view has come in each partition."""
        async with reading(self._reader, caller, "customers.read") as connection:
            return await _fetch(
                connection,
                'SELECT view, topic, partition, offset_reached AS "offset", event_time FROM view_freshness '
                "ORDER BY view, topic, partition",
                {},
            )


_CUSTOMERS: Final = (
    "SELECT c.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM customer_view c "
    "LEFT JOIN unit_view u ON u.unit_code = c.unit_code"
)
_MOVEMENTS: Final = "SELECT m.* FROM tier_movement_view m"
_MOVEMENT_CONDITIONS: Final = {
    "unit": _UNDER_UNIT % {"table": "m"},
    "customer": "m.customer_code = :customer",
    "scheme": "m.scheme = :scheme",
    "direction": "m.direction = :direction",
    "effective_from": "m.effective_on >= :effective_from",
    "effective_to": "m.effective_on <= :effective_to",
}
_LAST: Final = "9999-12-31T00:00:00+00:00"


def _customer_conditions(asked: CustomerFilter) -> list[str]:
    conditions = []
    if asked.unit is not None:
        conditions.append(_UNDER_UNIT % {"table": "c"})
    if asked.q is not None:
        conditions.append("(strpos(lower(c.name), lower(:q)) > 0 OR starts_with(c.customer_code, :q))")
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


async def _tiers(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, list[Row]]:
    rows = await _fetch(
        connection,
        "SELECT t.* FROM tier_view t WHERE t.customer_code = ANY(:codes) ORDER BY t.customer_code, t.scheme",
        {"codes": list(codes)},
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["customer_code"], []).append(row)
    return found


async def _fetch(connection: AsyncConnection, query: str, values: Mapping[str, Any]) -> list[Row]:
    rows = (await connection.execute(text(query), dict(values))).mappings()
    return [_plain(dict(row)) for row in rows]


def _plain(row: Row) -> Row:
    if "total_fen" in row:
        row["total_fen"] = int(row["total_fen"])
    return row


def _given(asked: CustomerFilter | MovementFilter) -> Row:
    return {name: value for name in asked.__slots__ if (value := getattr(asked, name)) is not None}


def _movement_key(row: Row) -> Key:
    return row["decided_at"].isoformat(), row["customer_code"], row["scheme"], row["version"]


def _instant(printed: str | int) -> datetime:
    try:
        instant = datetime.fromisoformat(str(printed))
    except ValueError:
        raise bad_cursor() from None
    if instant.tzinfo is None:
        raise bad_cursor()
    return instant
