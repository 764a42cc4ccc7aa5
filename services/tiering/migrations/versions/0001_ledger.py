"""The ledger, its totals and standings, suspense, closes, and the rights on them."""

from alembic import op

from services.tiering.adapters.tables import metadata
from shared.messaging.tables import create_messaging_tables, drop_messaging_tables
from shared.scope import IN_SCOPE, SCOPE_PATTERNS, covered, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

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
    metadata.create_all(op.get_bind(), checkfirst=False)
    create_messaging_tables(op, "tiering")
    op.execute("INSERT INTO ledger_head DEFAULT VALUES")
    # A hot row and hot counters: room on the page lets an update stay there and spares the indexes.
    op.execute("ALTER TABLE ledger_head SET (fillfactor = 20)")
    op.execute("ALTER TABLE month_totals SET (fillfactor = 80)")
    op.execute("ALTER TABLE standings SET (fillfactor = 80)")
    op.execute(IN_SCOPE)
    op.execute(SCOPE_PATTERNS)
    for statement in RIGHTS.split(";"):
        if statement.strip():
            op.execute(statement)
    for table, visible in PROTECTED.items():
        for statement in protect("tiering", table, visible):
            op.execute(statement)


def downgrade() -> None:
    drop_messaging_tables(op)
    metadata.drop_all(op.get_bind(), checkfirst=False)
    op.execute("DROP FUNCTION in_scope(text), scope_patterns(text)")
