"""Three people of three offices sign a merge, and none of them asked for it; which unit a person's post is in."""

from alembic import op

revision = "0004"
down_revision = "0003"
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


def upgrade() -> None:
    for statement in SIGNED:
        op.execute(statement)
