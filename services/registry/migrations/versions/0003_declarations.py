"""Declarations, their steps, and delegations of deciding."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE declarations (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        version bigint NOT NULL CHECK (version >= 1),
        state text NOT NULL CHECK (state IN ('draft', 'submitted', 'pre_reviewed', 'approved', 'rejected', 'returned',
                                             'withdrawn')),
        waiting_for text CHECK (waiting_for IN ('declarer', 'pre_review', 'centre')),
        declared_by text NOT NULL CHECK (declared_by IN ('manager', 'unit')),
        declarer text NOT NULL,
        name text NOT NULL,
        uscc text,
        nature text,
        industry text,
        address text,
        division text,
        contacts jsonb NOT NULL DEFAULT '[]',
        expected_lines text[] NOT NULL DEFAULT '{}',
        expected_revenue_fen bigint CHECK (expected_revenue_fen >= 0),
        manager_a text,
        manager_b text,
        similar_key text NOT NULL,
        address_key text NOT NULL,
        phone_keys text[] NOT NULL,
        unit_code text NOT NULL REFERENCES units (code),
        unit_path text NOT NULL,
        pre_review_unit text REFERENCES units (code),
        pre_review_path text,
        deciding_unit text NOT NULL REFERENCES units (code),
        deciding_path text NOT NULL,
        created_at timestamptz NOT NULL,
        submitted_at timestamptz,
        arrived_at timestamptz,
        stage text CHECK (stage IN ('pre_review', 'centre')),
        run_mode text CHECK (run_mode IN ('clock', 'working')),
        run_limit interval,
        run_warn interval,
        run_spent interval,
        run_since timestamptz,
        warn_at timestamptz,
        due_at timestamptz,
        pre_review_overdue_at timestamptz,
        warned_at timestamptz,
        breached_at timestamptz,
        escalated_to text,
        decided_at timestamptz,
        decided_by text,
        decided_for text,
        decision_seconds bigint CHECK (decision_seconds >= 0),
        customer_code text UNIQUE REFERENCES customers (code),
        changed_at timestamptz NOT NULL,
        CHECK ((state = 'approved') = (customer_code IS NOT NULL)),
        CHECK ((state IN ('approved', 'rejected')) = (decided_at IS NOT NULL AND decided_by IS NOT NULL)),
        CHECK ((pre_review_unit IS NULL) = (pre_review_path IS NULL)),
        CHECK (declarer <> decided_by)
    )
    """,
    # The earlier declaration of a customer goes before a later one: two of one credit code are never open at once.
    """
    CREATE UNIQUE INDEX declarations_open_uscc ON declarations (uscc)
        WHERE state IN ('submitted', 'pre_reviewed', 'returned')
    """,
    "CREATE INDEX declarations_similar ON declarations (similar_key)",
    "CREATE INDEX declarations_address ON declarations (address_key) WHERE address_key <> ''",
    "CREATE INDEX declarations_phones ON declarations USING gin (phone_keys)",
    "CREATE INDEX declarations_decided ON declarations (decided_at) WHERE decided_at IS NOT NULL",
    """
    CREATE TABLE declaration_steps (
        declaration_id text NOT NULL REFERENCES declarations (id),
        ordinal integer NOT NULL CHECK (ordinal >= 1),
        version bigint NOT NULL,
        step text NOT NULL,
        person text NOT NULL,
        acted_for text,
        at timestamptz NOT NULL,
        comment text,
        content jsonb,
        sha256 text NOT NULL,
        PRIMARY KEY (declaration_id, ordinal)
    )
    """,
    """
    CREATE TABLE decision_delegations (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        from_user text NOT NULL,
        to_user text NOT NULL CHECK (to_user <> from_user),
        unit_code text NOT NULL REFERENCES units (code),
        from_on date NOT NULL,
        to_on date NOT NULL CHECK (to_on >= from_on),
        created_at timestamptz NOT NULL,
        revoked_at timestamptz,
        revoked_by text,
        version bigint NOT NULL DEFAULT 1,
        CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
    )
    """,
    "CREATE INDEX decision_delegations_deputy ON decision_delegations (to_user) WHERE revoked_at IS NULL",
)

# The writer adds steps and never changes one; nothing here is ever deleted.
GRANTS = (
    "REVOKE ALL ON declarations, declaration_steps, decision_delegations FROM registry_writer, registry_reader",
    "GRANT SELECT, INSERT, UPDATE ON declarations TO registry_writer",
    "GRANT SELECT, INSERT ON declaration_steps, decision_delegations TO registry_writer",
    "GRANT UPDATE (revoked_at, revoked_by, version) ON decision_delegations TO registry_writer",
    "GRANT SELECT ON declarations, declaration_steps, decision_delegations TO registry_reader",
    "GRANT SELECT ON declarations, declaration_steps, decision_delegations TO verifier",
)

_PERSON = "nullif(current_setting('app.person', true), '')"

# A deputy sees what the unit they stand in for decides, on the days for which they do; `app.today` is the day that the
# reading transaction says it is, because the service's clock is not always the database's.
DECLARATION_VISIBLE = f"""
    in_scope(unit_path) OR in_scope(deciding_path) OR declarer = {_PERSON}
    OR (nullif(current_setting('app.manager', true), '') IN (manager_a, manager_b) AND in_own_scope(unit_path))
    OR EXISTS (
        SELECT 1 FROM decision_delegations d JOIN units u ON u.code = d.unit_code
        WHERE d.to_user = {_PERSON} AND d.revoked_at IS NULL
            AND nullif(current_setting('app.today', true), '')::date BETWEEN d.from_on AND d.to_on
            AND starts_with(deciding_path || '/', u.path || '/')
    )
"""
SCOPE = {
    "declarations": DECLARATION_VISIBLE,
    "declaration_steps": "EXISTS (SELECT 1 FROM declarations WHERE declarations.id = declaration_id)",
    "decision_delegations": f"""
        {_PERSON} IN (from_user, to_user)
        OR EXISTS (SELECT 1 FROM units WHERE units.code = unit_code AND in_scope(units.path))
    """,
}


def upgrade() -> None:
    for statement in (*TABLES, *GRANTS):
        op.execute(statement)
    for table, visible in SCOPE.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY written ON {table} TO registry_writer USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY covered ON {table} FOR SELECT TO registry_reader USING ({visible})")
