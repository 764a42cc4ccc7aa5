"""Dead letters that stand for many records, and what background work has given up."""

from alembic import op

from shared.messaging.tables import add_faults, drop_faults

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_faults(op, "tiering")


def downgrade() -> None:
    drop_faults(op)
