"""Who pre-reviews a declaration sees it; who declared it sees it as long as their role reaches its unit."""

from alembic import op

from shared.scope import covered

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PRE_REVIEWED = (
    "pre_review_unit IN (SELECT u.unit_code FROM unit_view u WHERE "
    f"{covered('u.unit_path', 'NULL')})"
)
VISIBLE = (
    f"{covered(managers='manager_a, manager_b, declarer')} OR {covered('deciding_path', 'NULL')} OR {_PRE_REVIEWED}"
)


def upgrade() -> None:
    # Both copies of the view, each with the units beside it: the one that is read and the one that is rebuilt change places.
    for schema in ("public", "shadow"):
        op.execute(f"SET LOCAL search_path = {schema}, public")
        op.execute(f"ALTER POLICY covered ON declaration_view USING ({VISIBLE})")
    op.execute("SET LOCAL search_path = public")
