"""What a plan was filed with, beside the customer that this meant: readers who may not know the customer see no more."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Of plans filed before nobody knows any more whether by code or by credit code; those with a code are taken as by code.
STATEMENTS = (
    """
    ALTER TABLE plans ADD COLUMN named_code text, ADD COLUMN named_uscc text, ADD COLUMN named_name text,
        ADD COLUMN identified boolean NOT NULL DEFAULT false
    """,
    "ALTER TABLE plans NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE subjects NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE customers NO FORCE ROW LEVEL SECURITY",
    """
    UPDATE plans p SET named_code = s.customer_code,
        named_uscc = CASE WHEN s.customer_code IS NULL THEN s.uscc END,
        named_name = CASE WHEN s.customer_code IS NULL THEN s.name END,
        identified = p.opens_at IS NOT NULL OR EXISTS (
            SELECT 1 FROM customers c
            WHERE c.customer_code = s.customer_code AND p.filed_by IN (c.manager_a, c.manager_b)
        )
    FROM subjects s WHERE s.id = p.subject_id
    """,
    "ALTER TABLE plans FORCE ROW LEVEL SECURITY",
    "ALTER TABLE subjects FORCE ROW LEVEL SECURITY",
    "ALTER TABLE customers FORCE ROW LEVEL SECURITY",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
