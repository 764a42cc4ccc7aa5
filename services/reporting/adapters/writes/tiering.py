"""Views of what tiering tells: tiers and their changes, held transactions. Money is fen; figures are numeric, because a
printed figure may have more digits than eight bytes hold."""

from __future__ import annotations

from typing import Any, Final

from services.reporting.adapters.writes.tables import BY_VERSION_AND_OFFSET, Table
from services.reporting.handlers.held_items import HeldItem
from shared.contracts.tiering_v1 import TierChanged, TierState
from shared.messaging.states import StateRecord


def _tier(told: StateRecord[TierState]) -> tuple[Any, ...]:
    tier = told.state
    return (
        tier.customer_code,
        tier.scheme,
        tier.scheme_version,
        tier.version,
        tier.tier,
        tier.effective_on,
        tier.period,
        tier.total_fen,
        tier.key_account,
        tier.as_of,
        told.record.offset,
    )


TIERS: Final = Table[StateRecord[TierState]](
    "tier_view",
    {
        "customer_code": "text",
        "scheme": "text",
        "scheme_version": "bigint",
        "version": "bigint",
        "tier": "text",
        "effective_on": "date",
        "period": "text",
        "total_fen": "numeric",
        "key_account": "boolean",
        "as_of": "timestamptz",
        "state_offset": "bigint",
    },
    ("customer_code", "scheme"),
    _tier,
    BY_VERSION_AND_OFFSET,
    owner="customer_code",
)


def _movement(told: StateRecord[TierChanged]) -> tuple[Any, ...]:
    change = told.state
    cause = change.caused_by
    return (
        change.customer_code,
        change.scheme,
        change.version,
        change.scheme_version,
        change.from_tier,
        change.to_tier,
        change.direction,
        change.reason,
        change.effective_on,
        change.period,
        change.total_fen,
        change.key_account,
        change.decided_at,
        None if cause is None else cause.source,
        None if cause is None else cause.id,
    )


MOVEMENTS: Final = Table[StateRecord[TierChanged]](
    "tier_movement_view",
    {
        "customer_code": "text",
        "scheme": "text",
        "version": "bigint",
        "scheme_version": "bigint",
        "from_tier": "text",
        "to_tier": "text",
        "direction": "text",
        "reason": "text",
        "effective_on": "date",
        "period": "text",
        "total_fen": "numeric",
        "key_account": "boolean",
        "decided_at": "timestamptz",
        "caused_by_source": "text",
        "caused_by_id": "text",
    },
    ("customer_code", "scheme", "version"),
    _movement,
    owner="customer_code",
)


def _held(item: HeldItem) -> tuple[Any, ...]:
    event = item.last.state
    return (
        item.item,
        event.source,
        event.id,
        event.customer_code,
        event.counter_id,
        event.line,
        event.kind,
        event.amount_fen,
        event.business_date,
        event.state,
        event.reason,
        item.held_at,
        event.at,
        event.booked_for,
        event.decided_by,
        "/",
        item.last.record.partition,
        item.first_offset,
        item.last.record.offset,
    )


_LAST: Final = ("state", "reason", "changed_at", "booked_for", "decided_by", "state_offset")
SUSPENSE: Final = Table[HeldItem](
    "suspense_view",
    {
        "item": "uuid",
        "source": "text",
        "id": "text",
        "customer_code": "text",
        "counter_id": "text",
        "line": "text",
        "kind": "text",
        "amount_fen": "numeric",
        "business_date": "date",
        "state": "text",
        "reason": "text",
        "held_at": "timestamptz",
        "changed_at": "timestamptz",
        "booked_for": "text",
        "decided_by": "text",
        "unit_path": "text",
        "partition": "integer",
        "first_offset": "bigint",
        "state_offset": "bigint",
    },
    ("item",),
    _held,
    # Since when it is held comes from the first event, and how it stands from the last, whichever was read first.
    folded="held_at = least(v.held_at, excluded.held_at), first_offset = least(v.first_offset, excluded.first_offset), "
    + ", ".join(
        f"{name} = CASE WHEN v.state_offset < excluded.state_offset THEN excluded.{name} ELSE v.{name} END"
        for name in _LAST
    ),
)
