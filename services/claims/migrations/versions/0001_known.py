"""Units and customers as the registry tells them, who may see which rows, and what messaging keeps."""

from alembic import op

from shared.messaging.tables import create_messaging_tables
from shared.migrating import run_script
from shared.scope import SCOPE_PATTERNS, covered, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE units (
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

CREATE TABLE customers (
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
    upstream_granted_by_province boolean NOT NULL,
    manager_a text,
    manager_b text,
    registered_at timestamptz NOT NULL,
    agreements jsonb NOT NULL,
    as_of timestamptz NOT NULL
);
"""

# An installation may hand its writers every right on every new table; here they get what they need and no more.
GRANTS = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM claims_writer, claims_reader;
GRANT SELECT, INSERT, UPDATE ON units, customers TO claims_writer;
GRANT SELECT ON units TO claims_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO verifier;
"""


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, GRANTS)
    create_messaging_tables(op, "claims")
    op.execute(SCOPE_PATTERNS)
    for statement in protect("claims", "customers", covered()):
        op.execute(statement)
    # Where writers have no BYPASSRLS, they still see and write every row.
    op.execute("CREATE POLICY written ON customers TO claims_writer USING (true) WITH CHECK (true)")
