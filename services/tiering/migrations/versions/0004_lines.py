"""Rows of a line are seen by those whose line it is: bookings, totals, and what is held."""

from alembic import op

from shared.scope import LINE_PATTERNS, bind_to_lines, in_line

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The order in which the ledger numbers lines.
LINES = ("letters", "logistics", "express", "parcels", "press", "finance", "information", "philately")
NAME = f"(ARRAY{list(LINES)})[%s.line + 1]"
MINE = "a.manager = (SELECT nullif(current_setting('app.manager', true), ''))"


def _of_account(table: str) -> str:
    within = in_line("a.unit_path", NAME % table)
    return f"EXISTS (SELECT FROM accounts a WHERE a.number = {table}.account AND ({within} OR {MINE}))"


# What is held belongs to its counter's unit, else to its customer's, as in the policy beside this one.
HELD_AT = (
    "coalesce((SELECT u.path FROM units u WHERE u.code = suspense.counter_id), "
    "(SELECT a.unit_path FROM accounts a WHERE a.code = suspense.customer_code))"
)
WITHIN = {
    "ledger": _of_account("ledger"),
    "month_totals": _of_account("month_totals"),
    "suspense": in_line(HELD_AT, "(suspense.transaction ->> 'line')"),
}


def upgrade() -> None:
    op.execute(LINE_PATTERNS)
    for table, within in WITHIN.items():
        op.execute(bind_to_lines("tiering", table, within))


def downgrade() -> None:
    for table in WITHIN:
        op.execute(f"DROP POLICY lines ON {table}")
    op.execute("DROP FUNCTION line_patterns()")
