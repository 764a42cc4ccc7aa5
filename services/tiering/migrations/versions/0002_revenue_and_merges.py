"""What revenue has still to be told, and which account a merged one went into."""

from alembic import op

from shared.migrating import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As they were first made; the service's README explains them.
TABLES = """
CREATE TABLE revenue_teller (
    one BOOLEAN DEFAULT true NOT NULL,
    seq BIGINT DEFAULT '0' NOT NULL,
    version BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT revenue_teller_one_row CHECK (one)
);

CREATE TABLE revenue_due (
    account INTEGER NOT NULL,
    year SMALLINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (account, year)
);

CREATE INDEX revenue_due_since ON revenue_due (since);

ALTER TABLE accounts ADD COLUMN merged_into INTEGER, ADD COLUMN merged_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN merged_seq BIGINT;

CREATE INDEX accounts_merged ON accounts (merged_into) WHERE merged_into IS NOT NULL;

INSERT INTO revenue_teller DEFAULT VALUES;

ALTER TABLE revenue_teller SET (fillfactor = 20);

ALTER TABLE revenue_due SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
"""

# A merge moves the alias's totals to its survivor, so here alone rows of totals go.
RIGHTS = """
REVOKE ALL ON revenue_teller, revenue_due FROM tiering_writer;
GRANT SELECT, UPDATE ON revenue_teller TO tiering_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON revenue_due TO tiering_writer;
GRANT DELETE ON month_totals TO tiering_writer;
GRANT SELECT ON revenue_teller, revenue_due TO verifier;
"""


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, RIGHTS)


def downgrade() -> None:
    op.execute("REVOKE DELETE ON month_totals FROM tiering_writer")
    op.execute("ALTER TABLE accounts DROP COLUMN merged_into, DROP COLUMN merged_at, DROP COLUMN merged_seq")
    op.execute("DROP TABLE revenue_teller, revenue_due")
