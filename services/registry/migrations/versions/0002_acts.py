"""Counter codes, merges, and the units that signed agreements."""

from alembic import op

from shared.scope import protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "ALTER TABLE agreements ADD COLUMN unit_code text REFERENCES units (code)",
    # The end of the chain of merges, while `merged_into` stays the one that it was merged into.
    "ALTER TABLE customers ADD COLUMN survivor text REFERENCES customers (code)"
    " CHECK (survivor IS NULL OR status = 'merged')",
    "CREATE INDEX customers_survivor ON customers (survivor) WHERE survivor IS NOT NULL",
    # A code of a counter that has the form of one to be issued makes its serial skipped, as an adopted one does.
    "ALTER TABLE code_skips DROP CONSTRAINT code_skips_reason_check",
    "ALTER TABLE code_skips ADD CONSTRAINT code_skips_reason_check"
    " CHECK (reason IN ('adopted_code', 'mapped_code'))",
    """
    CREATE TABLE agreement_steps (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer_code text NOT NULL REFERENCES customers (code),
        agreement_no text NOT NULL,
        step text NOT NULL CHECK (step IN ('signed', 'end_moved', 'ended')),
        ends_on date,
        person text NOT NULL,
        recorded_at timestamptz NOT NULL,
        reason text
    )
    """,
    "CREATE INDEX agreement_steps_customer ON agreement_steps (customer_code, id)",
    """
    CREATE TABLE counter_code_names (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        code text NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 32)
    )
    """,
    # The code takes part in the exclusion as a range of one number: equality of text in a GiST index would need an
    # extension. A last day before the first takes a mapping back, and an empty range meets no other.
    """
    CREATE TABLE counter_codes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        code_id bigint NOT NULL REFERENCES counter_code_names (id),
        customer_code text NOT NULL REFERENCES customers (code),
        valid_from date,
        valid_to date,
        period daterange NOT NULL GENERATED ALWAYS AS (
            CASE WHEN valid_to < valid_from THEN 'empty'::daterange ELSE daterange(valid_from, valid_to, '[]') END
        ) STORED,
        mapped_by text NOT NULL,
        mapped_at timestamptz NOT NULL,
        ended_by text,
        ended_at timestamptz,
        end_reason text,
        version bigint NOT NULL CHECK (version >= 1),
        CONSTRAINT counter_codes_one_customer_a_day
            EXCLUDE USING gist (int8range(code_id, code_id, '[]') WITH &&, period WITH &&)
    )
    """,
    "CREATE INDEX counter_codes_customer ON counter_codes (customer_code)",
    "CREATE INDEX counter_codes_code ON counter_codes (code_id)",
    """
    CREATE TABLE merges (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        survivor text NOT NULL REFERENCES customers (code),
        alias text NOT NULL REFERENCES customers (code) CHECK (alias <> survivor),
        reason text NOT NULL,
        state text NOT NULL CHECK (state IN ('proposed', 'merged', 'refused', 'withdrawn')),
        requested_by text NOT NULL,
        requester_office text,
        requested_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        decision_reason text,
        effect jsonb,
        version bigint NOT NULL CHECK (version >= 1),
        CHECK ((state = 'proposed') = (decided_at IS NULL)),
        CHECK ((state = 'merged') = (effect IS NOT NULL))
    )
    """,
    "CREATE UNIQUE INDEX merges_open ON merges (alias) WHERE state = 'proposed'",
    "CREATE INDEX merges_survivor ON merges (survivor)",
    """
    CREATE TABLE merge_signatures (
        merge_id bigint NOT NULL REFERENCES merges (id),
        person text NOT NULL,
        office text NOT NULL,
        signed_at timestamptz NOT NULL,
        comment text,
        PRIMARY KEY (merge_id, person),
        UNIQUE (merge_id, office)
    )
    """,
)

_NEW = "agreement_steps, counter_code_names, counter_codes, merges, merge_signatures"

# A signature, a step and the name of a code are only ever added; of a mapping only its end and its customer may change.
GRANTS = (
    f"REVOKE ALL ON {_NEW} FROM registry_writer, registry_reader",
    f"GRANT SELECT, INSERT ON {_NEW} TO registry_writer",
    "GRANT UPDATE (customer_code, valid_to, ended_by, ended_at, end_reason, version) ON counter_codes"
    " TO registry_writer",
    "GRANT UPDATE (survivor) ON customers TO registry_writer",
    "GRANT UPDATE (state, decided_by, decided_at, decision_reason, effect, version) ON merges TO registry_writer",
    f"GRANT SELECT ON {_NEW} TO verifier",
)


def _customer_visible(column: str) -> str:
    return f"EXISTS (SELECT 1 FROM customers c WHERE c.code = {column})"


VISIBLE = {
    "agreement_steps": _customer_visible("customer_code"),
    "counter_codes": _customer_visible("customer_code"),
    "counter_code_names": "EXISTS (SELECT 1 FROM counter_codes m WHERE m.code_id = counter_code_names.id)",
    "merges": f"{_customer_visible('merges.survivor')} AND {_customer_visible('merges.alias')}",
    "merge_signatures": "EXISTS (SELECT 1 FROM merges m WHERE m.id = merge_id)",
}
"""Who sees the customer sees what is about it; a merge is seen by those who see both."""


def upgrade() -> None:
    for statement in (*TABLES, *GRANTS):
        op.execute(statement)
    for table, visible in VISIBLE.items():
        for statement in protect("registry", table, visible):
            op.execute(statement)
        op.execute(f"CREATE POLICY written ON {table} TO registry_writer USING (true) WITH CHECK (true)")
