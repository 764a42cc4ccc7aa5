"""The ledger, its totals and standings, suspense, closes, and the rights on them."""

from alembic import op

from shared.migrating import run_script
from shared.messaging.tables import create_messaging_tables, drop_messaging_tables
from shared.scope import IN_SCOPE, SCOPE_PATTERNS, covered, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The tables as they were first made; the service's README explains them.
TABLES = """
CREATE TABLE accounts (
    number INTEGER NOT NULL,
    code TEXT NOT NULL,
    state_version INTEGER NOT NULL,
    status TEXT NOT NULL,
    unit_code TEXT NOT NULL,
    unit_path TEXT NOT NULL,
    manager TEXT,
    city_group SMALLINT,
    upstream BOOLEAN NOT NULL,
    agreements JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (code)
);

CREATE TABLE bindings (
    code TEXT NOT NULL,
    account INTEGER NOT NULL,
    valid_from DATE,
    valid_to DATE
);

CREATE INDEX bindings_code ON bindings (code);

CREATE INDEX ix_bindings_account ON bindings (account);

CREATE TABLE booked_years (
    year SMALLINT NOT NULL,
    PRIMARY KEY (year)
);

CREATE TABLE closes (
    year SMALLINT NOT NULL,
    state TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    holders INTEGER DEFAULT '0' NOT NULL,
    settled INTEGER DEFAULT '0' NOT NULL,
    moves INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (year),
    CONSTRAINT closes_state CHECK (state IN ('queued', 'running', 'done'))
);

CREATE TABLE identities (
    identity UUID NOT NULL,
    content UUID NOT NULL,
    seq BIGINT,
    PRIMARY KEY (identity)
);

CREATE TABLE ledger (
    seq BIGINT NOT NULL,
    identity UUID NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    account INTEGER NOT NULL,
    customer_code TEXT NOT NULL,
    line SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    business_date DATE NOT NULL,
    amount_fen BIGINT NOT NULL,
    pieces BIGINT,
    counter_id TEXT NOT NULL,
    unit_code TEXT NOT NULL,
    manager TEXT,
    settlement TEXT NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    arrived_at TIMESTAMP WITH TIME ZONE NOT NULL,
    booked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    reverses UUID,
    traceparent TEXT,
    PRIMARY KEY (seq),
    CONSTRAINT ledger_sign CHECK (amount_fen <> 0 AND (amount_fen > 0) = (kind = 'sale'))
);

CREATE INDEX ledger_account ON ledger (account, seq);

CREATE TABLE ledger_head (
    one BOOLEAN DEFAULT true NOT NULL,
    epoch BIGINT DEFAULT '0' NOT NULL,
    seq BIGINT DEFAULT '0' NOT NULL,
    hold_number BIGINT DEFAULT '0' NOT NULL,
    account_number INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT ledger_head_one_row CHECK (one)
);

CREATE TABLE month_totals (
    account INTEGER NOT NULL,
    month INTEGER NOT NULL,
    line SMALLINT NOT NULL,
    amount_fen BIGINT NOT NULL,
    pieces NUMERIC(30, 0) NOT NULL,
    count BIGINT NOT NULL,
    late_fen BIGINT NOT NULL,
    PRIMARY KEY (account, month, line)
);

CREATE TABLE sale_reversals (
    identity UUID NOT NULL,
    reversed_fen BIGINT NOT NULL,
    PRIMARY KEY (identity)
);

CREATE TABLE standings (
    account INTEGER NOT NULL,
    scheme TEXT NOT NULL,
    tier SMALLINT NOT NULL,
    version INTEGER NOT NULL,
    effective_on DATE,
    signed_on DATE,
    ended_on DATE,
    granted BOOLEAN NOT NULL,
    closed_through SMALLINT NOT NULL,
    from_tier SMALLINT,
    direction TEXT,
    reason TEXT,
    year SMALLINT,
    total_fen BIGINT,
    PRIMARY KEY (account, scheme)
);

CREATE INDEX standings_holders ON standings (closed_through, account) WHERE tier > 0;

CREATE TABLE suspense (
    number BIGINT NOT NULL,
    identity UUID NOT NULL,
    content UUID NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_code TEXT NOT NULL,
    counter_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    waits_for UUID,
    transaction JSONB NOT NULL,
    traceparent TEXT,
    arrived_at TIMESTAMP WITH TIME ZONE NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    decided_by TEXT,
    decision TEXT,
    comment TEXT,
    PRIMARY KEY (number),
    CONSTRAINT suspense_identity_content UNIQUE (identity, content),
    CONSTRAINT suspense_state CHECK (state IN ('held', 'booked', 'closed'))
);

CREATE INDEX suspense_code ON suspense (customer_code, number) WHERE state = 'held';

CREATE INDEX suspense_waits_for ON suspense (waits_for) WHERE state = 'held' AND waits_for IS NOT NULL;

CREATE TABLE tier_changes (
    number BIGSERIAL NOT NULL,
    account INTEGER NOT NULL,
    scheme TEXT NOT NULL,
    version INTEGER NOT NULL,
    customer_code TEXT NOT NULL,
    unit_path TEXT NOT NULL,
    event BYTEA NOT NULL,
    traceparent TEXT,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (number),
    CONSTRAINT tier_changes_version UNIQUE (account, scheme, version)
);
"""

# What is booked, decided or published is never changed or removed: the writer may only add to it (TIE-1).
RIGHTS = """
REVOKE ALL ON ledger, tier_changes, identities, month_totals, booked_years, sale_reversals, ledger_head, accounts,
    bindings, suspense, standings, closes FROM tiering_writer;
GRANT SELECT, INSERT ON ledger, tier_changes, booked_years TO tiering_writer;
GRANT SELECT, INSERT, UPDATE ON identities, month_totals, sale_reversals, accounts, suspense, standings, closes
    TO tiering_writer;
GRANT SELECT, UPDATE ON ledger_head TO tiering_writer;
GRANT SELECT, INSERT, DELETE ON bindings TO tiering_writer;
GRANT USAGE ON SEQUENCE tier_changes_number_seq TO tiering_writer;
GRANT SELECT ON closes, booked_years TO tiering_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO verifier;
"""

IN_ACCOUNT = "account IN (SELECT number FROM accounts)"

PROTECTED = {
    "accounts": covered("unit_path", "manager"),
    "bindings": IN_ACCOUNT,
    "ledger": IN_ACCOUNT,
    "month_totals": IN_ACCOUNT,
    "standings": IN_ACCOUNT,
    "tier_changes": IN_ACCOUNT,
    # What is held for a code that nobody knows belongs to no unit: only a role on the root sees it.
    "suspense": "in_scope('/CN') OR customer_code IN (SELECT code FROM bindings)",
}


def upgrade() -> None:
    run_script(op, TABLES)
    create_messaging_tables(op, "tiering")
    op.execute("INSERT INTO ledger_head DEFAULT VALUES")
    # A hot row and hot counters: room on the page lets an update stay there and spares the indexes.
    op.execute("ALTER TABLE ledger_head SET (fillfactor = 20)")
    op.execute("ALTER TABLE month_totals SET (fillfactor = 80)")
    op.execute("ALTER TABLE standings SET (fillfactor = 80)")
    op.execute(IN_SCOPE)
    op.execute(SCOPE_PATTERNS)
    run_script(op, RIGHTS)
    for table, visible in PROTECTED.items():
        for statement in protect("tiering", table, visible):
            op.execute(statement)


def downgrade() -> None:
    drop_messaging_tables(op)
    op.execute(
        "DROP TABLE ledger, tier_changes, identities, month_totals, booked_years, sale_reversals, ledger_head, suspense, "
        "standings, closes, bindings, accounts"
    )
    op.execute("DROP FUNCTION in_scope(text), scope_patterns(text)")
