"""A mapping of a counter code belongs to the counters of a unit, to one counter, or to all counters."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The name of a code is the code within a scope. What excludes two customers on one day goes by the name's number, so
# that it now holds for each scope by itself.
STATEMENTS = (
    "ALTER TABLE counter_code_names ADD COLUMN unit_code text REFERENCES units (code)",
    "ALTER TABLE counter_code_names ADD COLUMN counter_id text CHECK (length(counter_id) BETWEEN 1 AND 32)",
    "ALTER TABLE counter_code_names ADD CONSTRAINT counter_code_names_one_scope"
    " CHECK (unit_code IS NULL OR counter_id IS NULL)",
    "ALTER TABLE counter_code_names DROP CONSTRAINT counter_code_names_code_key",
    "ALTER TABLE counter_code_names ADD CONSTRAINT counter_code_names_code_and_scope"
    " UNIQUE NULLS NOT DISTINCT (code, unit_code, counter_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
