"""Units and the scope of a code: whose counters a code is mapped for, and who sees what these counters have held."""

from alembic import op

from shared.migrating import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What to know of them stands in the service's README.
TABLES = """
CREATE TABLE units (
    code TEXT NOT NULL,
    version BIGINT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (code)
);

ALTER TABLE bindings ADD COLUMN unit_code TEXT, ADD COLUMN counter_id TEXT;

CREATE INDEX suspense_counter ON suspense (counter_id) WHERE state = 'held';
"""

# The tree itself is nobody's secret, and the rule on suspense has to know which counters are units.
RIGHTS = """
REVOKE ALL ON units FROM tiering_writer, tiering_reader;
GRANT SELECT, INSERT, UPDATE ON units TO tiering_writer;
GRANT SELECT ON units TO tiering_reader, verifier;
"""

BEFORE = "in_scope('/CN') OR customer_code IN (SELECT code FROM bindings)"

# What is held belongs to the counter's unit; where its id is no unit's code, to its customer; and to the root where nobody
# knows that either. Reporting counts by the same rule, so that a list shows what its tile counts.
UNDER = "path || '/' LIKE ANY ((SELECT scope_patterns('app.unit_paths'))::text[])"
ON_ROOT = (
    "EXISTS (SELECT FROM unnest(string_to_array(current_setting('app.unit_paths', true), ',')) AS granted "
    "WHERE btrim(granted, '/') <> '' AND strpos(btrim(granted, '/'), '/') = 0)"
)
VISIBLE = (
    f"(SELECT {ON_ROOT}) OR counter_id IN (SELECT code FROM units WHERE {UNDER}) "
    "OR (counter_id NOT IN (SELECT code FROM units) AND customer_code IN (SELECT code FROM accounts))"
)


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, RIGHTS)
    op.execute(f"ALTER POLICY covered ON suspense USING ({VISIBLE})")


def downgrade() -> None:
    op.execute(f"ALTER POLICY covered ON suspense USING ({BEFORE})")
    op.execute("DROP INDEX suspense_counter")
    op.execute("ALTER TABLE bindings DROP COLUMN unit_code, DROP COLUMN counter_id")
    op.execute("DROP TABLE units")
