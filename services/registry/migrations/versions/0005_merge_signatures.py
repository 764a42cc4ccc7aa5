"""Three people of three offices sign a merge, and none of them asked for it; the unit of a person's post, and with it who
reads a declaration; delegations have an end within reach."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Merges that were carried out before, with two signatures beside the proposal, stay what they are.
SIGNED = (
    """
    CREATE FUNCTION merge_is_signed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (
            SELECT count(DISTINCT office) FROM merge_signatures
            WHERE merge_id = NEW.id AND person <> NEW.requested_by
        ) < 3 THEN
            RAISE EXCEPTION 'merge % has not been signed by three offices', NEW.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER merge_is_signed BEFORE UPDATE OF state ON merges FOR EACH ROW
        WHEN (NEW.state = 'merged' AND OLD.state <> 'merged') EXECUTE FUNCTION merge_is_signed()
    """,
)

# Where a post was not on record yet, a person works where their role is; the staff list says better at the next start.
POSTS = (
    "ALTER TABLE staff ADD COLUMN unit_code text REFERENCES units (code)",
    # Row-level security is forced on the owner too, who would see nobody here.
    "ALTER TABLE staff NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE staff_roles NO FORCE ROW LEVEL SECURITY",
    """
    UPDATE staff SET unit_code = (
        SELECT r.unit_code FROM staff_roles r JOIN units u ON u.code = r.unit_code
        WHERE r.user_name = staff.user_name ORDER BY length(u.path), r.unit_code LIMIT 1
    )
    """,
    "ALTER TABLE staff FORCE ROW LEVEL SECURITY",
    "ALTER TABLE staff_roles FORCE ROW LEVEL SECURITY",
)

_PERSON = "nullif(current_setting('app.person', true), '')"

# Who declared it reads it as long as their role still reaches its unit, like a manager what is bound to them.
DECLARATION_VISIBLE = f"""
    in_scope(unit_path) OR in_scope(deciding_path) OR in_scope(pre_review_path)
    OR (nullif(current_setting('app.manager', true), '') IN (manager_a, manager_b, declarer) AND in_own_scope(unit_path))
    OR EXISTS (
        SELECT 1 FROM decision_delegations d JOIN units u ON u.code = d.unit_code
        WHERE d.to_user = {_PERSON} AND d.revoked_at IS NULL
            AND nullif(current_setting('app.today', true), '')::date BETWEEN d.from_on AND d.to_on
            AND starts_with(deciding_path || '/', u.path || '/')
    )
"""

# Delegations over more days than anybody may give now are ended. That a deputy is of
# the unit is asked at every use.
ENDED = """
    UPDATE decision_delegations SET revoked_at = now(), revoked_by = 'service:registry', version = version + 1
    WHERE revoked_at IS NULL AND to_on - from_on >= 62
"""


def upgrade() -> None:
    op.execute("ALTER TABLE decision_delegations NO FORCE ROW LEVEL SECURITY")
    op.execute(ENDED)
    op.execute("ALTER TABLE decision_delegations FORCE ROW LEVEL SECURITY")
    for statement in (*SIGNED, *POSTS, f"ALTER POLICY covered ON declarations USING ({DECLARATION_VISIBLE})"):
        op.execute(statement)
