"""The tables of tiering. The ledger is the truth; totals, standings and identities are made from it in the same
transaction. Amounts are fen (bigint), lines are numbers in the order of domain.scheme.LINES, months are yyyymm.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData()


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


ledger_head = Table(
    "ledger_head",
    metadata,
    # One row. Whoever writes locks it first, so that bookings have one order; `epoch` grows by one in every unit of work,
    # so that a process knows whether what it remembers of accounts is still true.
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("hold_number", BigInteger, nullable=False, server_default="0"),
    Column("account_number", Integer, nullable=False, server_default="0"),
    CheckConstraint("one", name="ledger_head_one_row"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("code", Text, nullable=False, unique=True),
    Column("state_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("unit_path", Text, nullable=False),
    Column("manager", Text),
    Column("city_group", SmallInteger),
    Column("upstream", Boolean, nullable=False),
    Column("agreements", JSONB, nullable=False),
    _instant("updated_at"),
    # The account that a merged one went into, when, and behind which booking; its codes mean that one from then on.
    Column("merged_into", Integer),
    _instant("merged_at", nullable=True),
    Column("merged_seq", BigInteger),
    Index("accounts_merged", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
)

units = Table(
    "units",
    metadata,
    # The organisation as the registry tells it. An outlet's code is its counters' id, so this says whose a counter is.
    Column("code", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
)

bindings = Table(
    "bindings",
    metadata,
    Column("code", Text, nullable=False),
    Column("account", Integer, nullable=False, index=True),
    Column("valid_from", Date),
    Column("valid_to", Date),
    # For whose counters the code means this account: those of a unit, one alone, or all where both are null.
    Column("unit_code", Text),
    Column("counter_id", Text),
    Index("bindings_code", "code"),
)

identities = Table(
    "identities",
    metadata,
    # (source, id) as 16 bytes, unique for ever. `seq` is null while the transaction is held.
    Column("identity", UUID(as_uuid=True), primary_key=True),
    Column("content", UUID(as_uuid=True), nullable=False),
    Column("seq", BigInteger),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("identity", UUID(as_uuid=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("account", Integer, nullable=False),
    Column("customer_code", Text, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("pieces", BigInteger),
    Column("counter_id", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("manager", Text),
    Column("settlement", Text, nullable=False),
    _instant("occurred_at"),
    _instant("arrived_at"),
    _instant("booked_at"),
    Column("late", Boolean, nullable=False),
    Column("reverses", UUID(as_uuid=True)),
    Column("traceparent", Text),
    CheckConstraint("amount_fen <> 0 AND (amount_fen > 0) = (kind = 'sale')", name="ledger_sign"),
    Index("ledger_account", "account", "seq"),
)

month_totals = Table(
    "month_totals",
    metadata,
    Column("account", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    Column("amount_fen", BigInteger, nullable=False),
    # The sum of many bigints need not fit into one.
    Column("pieces", Numeric(30, 0), nullable=False),
    Column("count", BigInteger, nullable=False),
    # What was booked after the year had been closed: the figure at the close is amount_fen - late_fen (TIE-9).
    Column("late_fen", BigInteger, nullable=False),
)

booked_years = Table(
    "booked_years", metadata, Column("year", SmallInteger, primary_key=True, autoincrement=False)
)

sale_reversals = Table(
    "sale_reversals",
    metadata,
    Column("identity", UUID(as_uuid=True), primary_key=True),
    Column("reversed_fen", BigInteger, nullable=False),
)

suspense = Table(
    "suspense",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("identity", UUID(as_uuid=True), nullable=False),
    Column("content", UUID(as_uuid=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("customer_code", Text, nullable=False),
    Column("counter_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("waits_for", UUID(as_uuid=True)),
    Column("transaction", JSONB, nullable=False),
    Column("traceparent", Text),
    _instant("arrived_at"),
    _instant("held_at"),
    _instant("ended_at", nullable=True),
    Column("decided_by", Text),
    Column("decision", Text),
    Column("comment", Text),
    UniqueConstraint("identity", "content", name="suspense_identity_content"),
    CheckConstraint("state IN ('held', 'booked', 'closed')", name="suspense_state"),
    Index("suspense_code", "customer_code", "number", postgresql_where=text("state = 'held'")),
    Index("suspense_counter", "counter_id", postgresql_where=text("state = 'held'")),
    Index(
        "suspense_waits_for", "waits_for", postgresql_where=text("state = 'held' AND waits_for IS NOT NULL")
    ),
)

standings = Table(
    "standings",
    metadata,
    Column("account", Integer, primary_key=True, autoincrement=False),
    Column("scheme", Text, primary_key=True),
    Column("tier", SmallInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("effective_on", Date),
    Column("signed_on", Date),
    Column("ended_on", Date),
    Column("granted", Boolean, nullable=False),
    Column("closed_through", SmallInteger, nullable=False),
    # The last move, so that a state can be told without reading the changes back.
    Column("from_tier", SmallInteger),
    Column("direction", Text),
    Column("reason", Text),
    Column("year", SmallInteger),
    Column("total_fen", BigInteger),
    Index("standings_holders", "closed_through", "account", postgresql_where=text("tier > 0")),
)

tier_changes = Table(
    "tier_changes",
    metadata,
    # Kept for ever: the topic can be refilled with the same ids. `number` is in commit order and is the feed's cursor.
    Column("number", BigInteger, primary_key=True),
    Column("account", Integer, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("customer_code", Text, nullable=False),
    Column("unit_path", Text, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("traceparent", Text),
    _instant("decided_at"),
    UniqueConstraint("account", "scheme", "version", name="tier_changes_version"),
)

closes = Table(
    "closes",
    metadata,
    Column("year", SmallInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    _instant("requested_at"),
    # The instant of the close: everything before it was booked into an open year, everything after it is late.
    _instant("closed_at", nullable=True),
    _instant("finished_at", nullable=True),
    Column("holders", Integer, nullable=False, server_default="0"),
    Column("settled", Integer, nullable=False, server_default="0"),
    Column("moves", Integer, nullable=False, server_default="0"),
    CheckConstraint("state IN ('queued', 'running', 'done')", name="closes_state"),
)

revenue_teller = Table(
    "revenue_teller",
    metadata,
    # One row. Whoever tells revenue locks it first; `seq` is the last booking that was looked at, `version` counts what
    # was told and rises with every state of a key.
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("one", name="revenue_teller_one_row"),
)

revenue_due = Table(
    "revenue_due",
    metadata,
    # Customers' years whose revenue has changed and is to be told, oldest first (`since` is a booking's number).
    Column("account", Integer, primary_key=True, autoincrement=False),
    Column("year", SmallInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
    Index("revenue_due_since", "since"),
)
