"""What counters say beside a booking, kept with it, and what a customer's year adds up to by each of it (ADR 9)."""

from alembic import op

from shared.migrating import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Bookings made before have no evidence: it was not kept. A null costs a bit in the row.
TABLES = """
ALTER TABLE ledger ADD COLUMN manager_id TEXT, ADD COLUMN clerk_id TEXT, ADD COLUMN payer_uscc TEXT,
    ADD COLUMN payer_name_hash TEXT, ADD COLUMN product TEXT, ADD COLUMN destination TEXT;

CREATE TABLE evidence_totals (
    account INTEGER NOT NULL,
    year SMALLINT NOT NULL,
    kind SMALLINT NOT NULL,
    value TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    bookings BIGINT NOT NULL,
    first_on DATE NOT NULL,
    last_on DATE NOT NULL,
    PRIMARY KEY (account, year, kind, value)
);

CREATE TABLE revenue_skipped (
    seq BIGINT PRIMARY KEY
);

INSERT INTO evidence_totals
SELECT account, extract(year FROM business_date), 0, counter_id, sum(amount_fen), count(*), min(business_date),
    max(business_date)
FROM ledger WHERE seq <= (SELECT seq FROM revenue_teller) GROUP BY 1, 2, 4;
"""

RIGHTS = """
REVOKE ALL ON evidence_totals, revenue_skipped FROM tiering_writer;
GRANT SELECT, INSERT, UPDATE ON evidence_totals TO tiering_writer;
GRANT SELECT, INSERT, DELETE ON revenue_skipped TO tiering_writer;
GRANT SELECT ON evidence_totals, revenue_skipped TO verifier;
"""


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE evidence_totals, revenue_skipped")
    op.execute(
        "ALTER TABLE ledger DROP COLUMN manager_id, DROP COLUMN clerk_id, DROP COLUMN payer_uscc, "
        "DROP COLUMN payer_name_hash, DROP COLUMN product, DROP COLUMN destination"
    )
