"""The views, how fresh they are, who may see which rows, and what messaging keeps."""

from alembic import op

from shared.messaging.tables import create_messaging_tables
from shared.migrating import run_script
from shared.scope import SCOPE_PATTERNS, covered, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE unit_view (
    unit_code text PRIMARY KEY,
    version bigint NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    level text NOT NULL,
    parent text,
    unit_path text NOT NULL,
    lines text[] NOT NULL,
    division text,
    valid_from date,
    valid_to date,
    state_offset bigint NOT NULL
);

CREATE TABLE customer_view (
    customer_code text PRIMARY KEY,
    version bigint NOT NULL,
    name text NOT NULL,
    uscc text,
    kind text NOT NULL,
    status text NOT NULL,
    merged_into text,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    division text,
    industry text,
    manager_a text,
    manager_b text,
    registered_at timestamptz NOT NULL,
    agreements jsonb NOT NULL,
    agreements_in_force integer NOT NULL,
    as_of timestamptz NOT NULL
);

CREATE TABLE tier_view (
    customer_code text NOT NULL,
    scheme text NOT NULL,
    scheme_version bigint NOT NULL,
    version bigint NOT NULL,
    tier text NOT NULL,
    effective_on date,
    period text NOT NULL,
    total_fen numeric(20, 0) NOT NULL,
    key_account boolean NOT NULL,
    as_of timestamptz NOT NULL,
    unit_path text,
    manager_a text,
    manager_b text,
    state_offset bigint NOT NULL,
    PRIMARY KEY (customer_code, scheme)
);
CREATE INDEX tier_view_tier ON tier_view (scheme, tier, customer_code);

CREATE TABLE tier_movement_view (
    customer_code text NOT NULL,
    scheme text NOT NULL,
    version bigint NOT NULL,
    scheme_version bigint NOT NULL,
    from_tier text NOT NULL,
    to_tier text NOT NULL,
    direction text NOT NULL,
    reason text NOT NULL,
    effective_on date NOT NULL,
    period text NOT NULL,
    total_fen numeric(20, 0) NOT NULL,
    key_account boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    caused_by_source text,
    caused_by_id text,
    unit_path text,
    manager_a text,
    manager_b text,
    PRIMARY KEY (customer_code, scheme, version)
);
CREATE INDEX tier_movement_view_decided ON tier_movement_view (decided_at, customer_code, scheme, version);

CREATE TABLE view_freshness (
    view text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    offset_reached bigint NOT NULL,
    event_time timestamptz,
    PRIMARY KEY (view, topic, partition)
);
"""

VIEWS = ("customer_view", "tier_view", "tier_movement_view")

# An installation may hand its writers every right on every new table; here they get what they need and no more. A change
# of tier is a fact: the writer may only move it to another unit or manager.
GRANTS = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reporting_writer, reporting_reader;
GRANT SELECT, INSERT, UPDATE ON unit_view, customer_view, tier_view, view_freshness TO reporting_writer;
GRANT SELECT, INSERT, UPDATE (unit_path, manager_a, manager_b) ON tier_movement_view TO reporting_writer;
GRANT SELECT ON unit_view, view_freshness TO reporting_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO verifier;
"""


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, GRANTS)
    create_messaging_tables(op, "reporting")
    op.execute(SCOPE_PATTERNS)
    for view in VIEWS:
        for statement in protect("reporting", view, covered()):
            op.execute(statement)
        # Where writers have no BYPASSRLS, they still see and write every row.
        op.execute(f"CREATE POLICY written ON {view} TO reporting_writer USING (true) WITH CHECK (true)")
