"""Between rows of the tables and the values of handlers and domain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from services.tiering.domain.account import Account, Status
from services.tiering.domain.agreement import Agreement, Cover
from services.tiering.domain.booking import Delta
from services.tiering.domain.entries import (
    Arrival,
    HeldTransaction,
    HoldState,
    Posting,
    TierChange,
    Transaction,
)
from services.tiering.domain.holding import HoldReason
from services.tiering.domain.standing import Direction, Move, Reason, Standing
from services.tiering.handlers.arrivals import read_again, written
from services.tiering.handlers.ports import Close
from shared.contracts.tiering_v1 import TierChanged
from shared.kernel.lines import LINES

Row = Mapping[str, Any]

LEDGER_COLUMNS: Final = (
    "seq", "identity", "source", "id", "account", "customer_code", "line", "kind", "business_date", "amount_fen",
    "pieces", "counter_id", "unit_code", "manager", "settlement", "occurred_at", "arrived_at", "booked_at", "late",
    "reverses", "traceparent", "manager_id", "clerk_id", "payer_uscc", "payer_name_hash", "product", "destination",
)  # fmt: skip


def ledger_rows(postings: Sequence[Posting], booked_at: datetime) -> Iterator[tuple[Any, ...]]:
    # Taken apart at once: reading the fields of a named tuple one by one costs more than the rest of this loop.
    for seq, arrived, account, line, amount_fen, unit_code, manager, late, reverses in postings:
        identity_, _, source, id, said, arrived_at, traceparent, _ = arrived
        yield (
            seq, identity_, source, id, account, said.customer_code, line, said.kind, said.business_date, amount_fen,
            _signed_pieces(said), said.counter_id, unit_code, manager, said.settlement, said.occurred_at, arrived_at,
            booked_at, late, reverses, traceparent, *said[10:],
        )  # fmt: skip


def _signed_pieces(said: Transaction) -> int | None:
    """A reversal takes volume back as it takes money back."""
    return -said.pieces if said.pieces and said.kind == "reversal" else said.pieces


def arrived_of_posting(row: Row) -> Arrival:
    """A booking as the transaction it came from; of a reversal, `reverses` keeps the sale's identity and not its id."""
    return Arrival(
        identity=row["identity"],
        content=row["content"],
        source=row["source"],
        id=row["id"],
        transaction=Transaction(
            customer_code=row["customer_code"],
            counter_id=row["counter_id"],
            line=LINES[row["line"]],
            kind=row["kind"],
            amount_fen=abs(row["amount_fen"]),
            occurred_at=row["occurred_at"],
            business_date=row["business_date"],
            settlement=row["settlement"],
            pieces=None if row["pieces"] is None else abs(row["pieces"]),
            reverses=None,
            manager_id=row["manager_id"],
            clerk_id=row["clerk_id"],
            payer_uscc=row["payer_uscc"],
            payer_name_hash=row["payer_name_hash"],
            product=row["product"],
            destination=row["destination"],
        ),
        arrived_at=row["arrived_at"],
        traceparent=row["traceparent"],
        reverses=row["reverses"],
    )


ADD_TO_TOTALS: Final = """
    INSERT INTO month_totals AS t (account, month, line, amount_fen, pieces, count, late_fen)
    SELECT account, month, line, amount_fen, pieces::numeric, count, late_fen
    FROM unnest($1::int[], $2::int[], $3::smallint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
        AS u (account, month, line, amount_fen, pieces, count, late_fen)
    ON CONFLICT (account, month, line) DO UPDATE SET amount_fen = t.amount_fen + excluded.amount_fen,
        pieces = t.pieces + excluded.pieces, count = t.count + excluded.count, late_fen = t.late_fen + excluded.late_fen
"""


def columns_of_totals(deltas: Mapping[tuple[int, int, int], Delta]) -> tuple[list[Any], ...]:
    keys, values = list(deltas), list(deltas.values())
    return (
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [value[0] for value in values],
        # As text, because a sum of pieces need not fit into a bigint and a Decimal takes ten times as long to send.
        [str(value[1]) for value in values],
        [value[2] for value in values],
        [value[3] for value in values],
    )


SUSPENSE_COLUMNS: Final = (
    "number", "identity", "content", "source", "id", "customer_code", "counter_id", "reason", "state", "waits_for",
    "transaction", "traceparent", "arrived_at", "held_at", "ended_at",
)  # fmt: skip


def values_of_hold(hold: HeldTransaction, now: datetime) -> tuple[Any, ...]:
    arrived = hold.arrived
    said = arrived.transaction
    return (
        hold.number, arrived.identity, arrived.content, arrived.source, arrived.id, said.customer_code,
        said.counter_id, hold.reason.value, hold.state.value, hold.waits_for,
        json.dumps(written(said), ensure_ascii=False), arrived.traceparent, arrived.arrived_at, now,
        ended_at(hold, now),
    )  # fmt: skip


def values_of_changed_hold(hold: HeldTransaction, now: datetime) -> tuple[Any, ...]:
    return hold.number, hold.state.value, hold.reason.value, hold.waits_for, ended_at(hold, now)


def ended_at(hold: HeldTransaction, now: datetime) -> datetime | None:
    return None if hold.state is HoldState.HELD else now


def hold(row: Row) -> HeldTransaction:
    said, reverses = read_again(_json(row["transaction"]), row["source"])
    arrived = Arrival(
        identity=row["identity"],
        content=row["content"],
        source=row["source"],
        id=row["id"],
        transaction=said,
        arrived_at=row["arrived_at"],
        traceparent=row["traceparent"],
        reverses=reverses,
    )
    return HeldTransaction(
        row["number"], arrived, HoldReason(row["reason"]), row["waits_for"], HoldState(row["state"])
    )


def account(row: Row) -> Account:
    return Account(
        number=row["number"],
        code=row["code"],
        state_version=row["state_version"],
        status=Status(row["status"]),
        unit_code=row["unit_code"],
        unit_path=row["unit_path"],
        manager=row["manager"],
        city_group=row["city_group"],
        upstream=row["upstream"],
        agreements=tuple(_agreement(one) for one in _json(row["agreements"])),
        merged_into=row["merged_into"],
        merged_at=row["merged_at"],
        merged_seq=row["merged_seq"],
    )


def _agreement(said: Mapping[str, Any]) -> Agreement:
    return Agreement(
        number=said["number"],
        signed_on=date.fromisoformat(said["signed_on"]),
        ends_on=_day(said["ends_on"]),
        lines=tuple(said["lines"]),
        in_force=said["in_force"],
        ended_on=_day(said["ended_on"]),
    )


def _json(said: Any) -> Any:
    """SQLAlchemy decodes JSON on the connections it opens; a bare asyncpg connection does not."""
    return json.loads(said) if isinstance(said, str) else said


def _day(said: str | None) -> date | None:
    return None if said is None else date.fromisoformat(said)


BINDING_COLUMNS: Final = ("code", "account", "valid_from", "valid_to", "unit_code", "counter_id")

UPSERT_UNITS: Final = """
    INSERT INTO units AS u (code, version, path) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
    ON CONFLICT (code) DO UPDATE SET version = excluded.version, path = excluded.path WHERE u.version < excluded.version
    RETURNING code, path
"""

UPSERT_ACCOUNT: Final = """
    INSERT INTO accounts (number, code, state_version, status, unit_code, unit_path, manager, city_group, upstream,
        agreements, updated_at, merged_into, merged_at, merged_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (number) DO UPDATE SET state_version = $3, status = $4, unit_code = $5, unit_path = $6, manager = $7,
        city_group = $8, upstream = $9, agreements = $10, updated_at = $11, merged_into = $12, merged_at = $13,
        merged_seq = $14
"""


def values_of_account(account: Account, now: datetime) -> tuple[Any, ...]:
    agreements = [
        {
            "number": one.number,
            "signed_on": one.signed_on.isoformat(),
            "ends_on": one.ends_on and one.ends_on.isoformat(),
            "lines": list(one.lines),
            "in_force": one.in_force,
            "ended_on": one.ended_on and one.ended_on.isoformat(),
        }
        for one in account.agreements
    ]
    return (
        account.number, account.code, account.state_version, account.status.value, account.unit_code,
        account.unit_path, account.manager, account.city_group, account.upstream, json.dumps(agreements), now,
        account.merged_into, account.merged_at, account.merged_seq,
    )  # fmt: skip


MERGED_INTO: Final = """
    WITH RECURSIVE parts AS (
        SELECT number FROM accounts WHERE merged_into = ANY($1::int[])
        UNION SELECT a.number FROM accounts a JOIN parts p ON a.merged_into = p.number
    ) SELECT number FROM parts
"""

MOVE_TOTALS: Final = """
    WITH gone AS (DELETE FROM month_totals WHERE account = $1 RETURNING *)
    INSERT INTO month_totals AS t (account, month, line, amount_fen, pieces, count, late_fen)
    SELECT $2, month, line, amount_fen, pieces, count, late_fen FROM gone
    ON CONFLICT (account, month, line) DO UPDATE SET amount_fen = t.amount_fen + excluded.amount_fen,
        pieces = t.pieces + excluded.pieces, count = t.count + excluded.count, late_fen = t.late_fen + excluded.late_fen
"""

# Updating what is due already makes a telling that goes on beside this one pass it over, and tell it after this has ended.
DUE_BY_MERGE: Final = """
    INSERT INTO revenue_due (account, year, since)
    SELECT one, year, (SELECT seq FROM ledger_head) FROM unnest(ARRAY[$1::int, $2::int]) AS one,
        (SELECT DISTINCT month / 100 AS year FROM month_totals WHERE account = $1) AS years
    ORDER BY one, year
    ON CONFLICT (account, year) DO UPDATE SET since = revenue_due.since
"""

UPSERT_STANDING: Final = """
    INSERT INTO standings (account, scheme, tier, version, effective_on, signed_on, ended_on, granted, closed_through,
        from_tier, direction, reason, year, total_fen)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (account, scheme) DO UPDATE SET tier = $3, version = $4, effective_on = $5, signed_on = $6,
        ended_on = $7, granted = $8, closed_through = $9, from_tier = $10, direction = $11, reason = $12, year = $13,
        total_fen = $14
"""


def values_of_standings(
    accounts: Mapping[int, Account], changed: set[tuple[int, str]]
) -> Iterator[tuple[Any, ...]]:
    for number, scheme in sorted(changed):
        one = accounts[number].standings[scheme]
        move = one.last_move
        last = (
            (move.from_tier, move.direction.value, move.reason.value, move.year, move.total_fen)
            if move
            else (None,) * 5
        )
        yield (
            number, scheme, one.tier, one.version, one.effective_on, one.cover.signed_on, one.cover.ended_on,
            one.granted, one.closed_through, *last,
        )  # fmt: skip


def standing(row: Row) -> Standing:
    move = None
    if row["reason"] is not None:
        move = Move(
            from_tier=row["from_tier"],
            to_tier=row["tier"],
            direction=Direction(row["direction"]),
            reason=Reason(row["reason"]),
            effective_on=row["effective_on"],
            year=row["year"],
            total_fen=row["total_fen"],
        )
    return Standing(
        tier=row["tier"],
        version=row["version"],
        effective_on=row["effective_on"],
        cover=Cover(row["signed_on"], row["ended_on"]),
        granted=row["granted"],
        closed_through=row["closed_through"],
        last_move=move,
    )


CHANGE_COLUMNS: Final = (
    "account", "scheme", "version", "customer_code", "unit_path", "event", "traceparent", "decided_at",
)  # fmt: skip


def values_of_change(change: TierChange, event: TierChanged) -> tuple[Any, ...]:
    return (
        change.account, change.scheme.scheme, change.standing.version, change.code, change.unit_path,
        event.model_dump_json().encode(), change.traceparent, change.decided_at,
    )  # fmt: skip


def close(row: Row) -> Close:
    return Close(
        year=row["year"],
        state=row["state"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        closed_at=row["closed_at"],
        finished_at=row["finished_at"],
        holders=row["holders"],
        settled=row["settled"],
        moves=row["moves"],
    )


def values_of_close(one: Close) -> tuple[Any, ...]:
    return (
        one.year, one.state, one.requested_by, one.requested_at, one.closed_at, one.finished_at, one.holders,
        one.settled, one.moves,
    )  # fmt: skip
