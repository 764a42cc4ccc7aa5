"""Rows of a line are seen by those whose line it is: revenue and what is held."""

from alembic import op

from shared.scope import LINE_PATTERNS, bind_to_lines, in_line

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Both copies of a view: the one that is read and the one that is rebuilt change places.
TABLES = tuple(f"{schema}.{view}" for schema in ("public", "shadow") for view in ("revenue_view", "suspense_view"))
MINE = "(SELECT nullif(current_setting('app.manager', true), '')) IN (manager_a, manager_b)"


def upgrade() -> None:
    op.execute(LINE_PATTERNS)
    for table in TABLES:
        op.execute(bind_to_lines("reporting", table, f"{in_line('unit_path', 'line')} OR {MINE}"))
