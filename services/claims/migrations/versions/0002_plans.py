"""Plans, the windows they got, what happened to them, and cases for the centre."""

from alembic import op

from shared.migrating import run_script
from shared.scope import covered, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE INDEX customers_uscc ON customers (uscc) WHERE uscc IS NOT NULL;

CREATE TABLE subjects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_code text UNIQUE,
    uscc text UNIQUE,
    name text NOT NULL,
    CHECK (customer_code IS NOT NULL OR uscc IS NOT NULL)
);

CREATE TABLE rule_versions (
    version bigint PRIMARY KEY,
    definition jsonb NOT NULL,
    loaded_at timestamptz NOT NULL
);

CREATE TABLE plans (
    id text PRIMARY KEY,
    subject_id bigint NOT NULL REFERENCES subjects (id),
    version bigint NOT NULL CHECK (version >= 1),
    state text NOT NULL CHECK (state IN ('draft', 'submitted', 'registered', 'active', 'settling', 'succeeded',
        'expired', 'withdrawn', 'refused')),
    kind text NOT NULL CHECK (kind IN ('regular', 'festival')),
    festival text,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    reviewing_unit text NOT NULL,
    lines text[] NOT NULL,
    plan_text text NOT NULL,
    expected_revenue_fen bigint,
    expected_margin_fen bigint,
    comparison jsonb NOT NULL,
    files text[] NOT NULL,
    manager_a text NOT NULL,
    manager_b text,
    opens_on date,
    may_queue boolean NOT NULL,
    queued boolean NOT NULL,
    filed_by text NOT NULL,
    filed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    submitted_at timestamptz,
    due_at timestamptz,
    breached_at timestamptz,
    reviewed_at timestamptz,
    reviewed_by text,
    review_reason text,
    opens_at timestamptz,
    ends_at timestamptz,
    settled_at timestamptz,
    rule_version bigint REFERENCES rule_versions (version),
    stage text,
    progressed_at timestamptz,
    significant boolean NOT NULL,
    judged_at timestamptz,
    guidance text,
    extensions integer NOT NULL,
    extended_until timestamptz,
    closed_at timestamptz,
    agreement_no text,
    CHECK ((kind = 'festival') = (festival IS NOT NULL)),
    CHECK (opens_at < ends_at AND ends_at <= settled_at),
    CHECK (state NOT IN ('registered', 'active', 'settling') OR settled_at IS NOT NULL)
);
CREATE INDEX plans_subject ON plans (subject_id);
CREATE INDEX plans_listed ON plans (filed_at, id);
CREATE INDEX plans_path ON plans (unit_path text_pattern_ops);

CREATE TABLE windows (
    plan_id text PRIMARY KEY REFERENCES plans (id),
    subject_id bigint NOT NULL REFERENCES subjects (id),
    window_key text NOT NULL,
    customer_code text,
    uscc text,
    name text NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('registered', 'active', 'settling', 'succeeded', 'expired', 'withdrawn')),
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    manager_a text NOT NULL,
    manager_b text,
    kind text NOT NULL,
    lines text[] NOT NULL,
    opens_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    last_day date NOT NULL,
    settled_at timestamptz NOT NULL,
    closed_at timestamptz,
    rule_version bigint NOT NULL,
    period tstzrange NOT NULL GENERATED ALWAYS AS
        (tstzrange(opens_at, greatest(opens_at, least(settled_at, closed_at)))) STORED,
    CONSTRAINT one_window_at_a_time EXCLUDE USING gist (
        int8range(subject_id, subject_id, '[]') WITH &&, period WITH &&
    ) WHERE (state IN ('registered', 'active', 'settling'))
);
CREATE INDEX windows_key ON windows (window_key);
CREATE INDEX windows_listed ON windows (opens_at, plan_id);

CREATE TABLE plan_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id text NOT NULL REFERENCES plans (id),
    plan_version bigint NOT NULL,
    event text NOT NULL,
    person text NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    stage text,
    reason text,
    note text,
    evidence text[] NOT NULL
);
CREATE INDEX plan_steps_plan ON plan_steps (plan_id, id);

CREATE TABLE agreement_outcomes (
    subject_id bigint NOT NULL REFERENCES subjects (id),
    agreement_no text NOT NULL,
    recorded_at timestamptz NOT NULL,
    result text NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, agreement_no, recorded_at)
);

CREATE TABLE cases (
    id text PRIMARY KEY,
    version bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('late_agreement', 'foreign_agreement', 'merged_windows')),
    subject_id bigint NOT NULL REFERENCES subjects (id),
    plan_id text NOT NULL REFERENCES plans (id),
    unit_path text NOT NULL,
    other_unit text,
    agreement_no text,
    evidence jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'decided')),
    decision text,
    reason text,
    decided_by text,
    decided_at timestamptz,
    CHECK ((state = 'decided') = (decided_at IS NOT NULL))
);
CREATE INDEX cases_listed ON cases (opened_at, id);
"""

# What happened stays as it was written, and a plan is never deleted.
GRANTS = """
REVOKE ALL ON subjects, rule_versions, plans, windows, plan_steps, agreement_outcomes, cases
    FROM claims_writer, claims_reader;
GRANT SELECT, INSERT, UPDATE ON plans, windows, cases, agreement_outcomes TO claims_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON subjects TO claims_writer;
GRANT DELETE ON agreement_outcomes TO claims_writer;
GRANT SELECT, INSERT ON rule_versions, plan_steps TO claims_writer;
GRANT USAGE ON SEQUENCE subjects_id_seq, plan_steps_id_seq TO claims_writer;
GRANT SELECT ON subjects, rule_versions, plans, windows, plan_steps, agreement_outcomes, cases TO verifier;
"""

# Windows are published to everybody inside, so no policy stands before them: they hold nothing of a plan's content.
PUBLISHED = "GRANT SELECT ON windows, rule_versions TO claims_reader"

VISIBLE = {
    "plans": covered(managers="manager_a, manager_b, filed_by"),
    "subjects": "EXISTS (SELECT 1 FROM plans p WHERE p.subject_id = subjects.id)",
    "plan_steps": "EXISTS (SELECT 1 FROM plans p WHERE p.id = plan_steps.plan_id)",
    "cases": covered(managers="NULL"),
}


def upgrade() -> None:
    run_script(op, TABLES)
    run_script(op, GRANTS)
    op.execute(PUBLISHED)
    for table, visible in VISIBLE.items():
        for statement in protect("claims", table, visible):
            op.execute(statement)
        op.execute(f"CREATE POLICY written ON {table} TO claims_writer USING (true) WITH CHECK (true)")
