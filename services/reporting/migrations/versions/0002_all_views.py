"""Views of everything that the services tell, each table twice: `public` is read, `shadow` is where a copy is rebuilt.

The tables of the first migration are made anew with what they lacked. Nothing is lost by that: views are built from the
topics alone, so the positions go, and the service reads from the beginning.
"""

from alembic import op

from shared.migrating import run_script
from shared.scope import covered, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD = "DROP TABLE unit_view, customer_view, tier_view, tier_movement_view"

TABLES = """
CREATE TABLE unit_view (
    unit_code text PRIMARY KEY,
    version bigint NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    level text NOT NULL,
    parent text,
    unit_path text NOT NULL,
    lines text[] NOT NULL,
    division text,
    valid_from date,
    valid_to date,
    state_offset bigint NOT NULL
);
CREATE INDEX unit_view_path ON unit_view (unit_path);

CREATE TABLE customer_view (
    customer_code text PRIMARY KEY,
    version bigint NOT NULL,
    name text NOT NULL,
    uscc text,
    kind text NOT NULL,
    status text NOT NULL,
    merged_into text,
    survivor text NOT NULL,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    division text,
    industry text,
    manager_a text,
    manager_b text,
    lead text NOT NULL,
    registered_at timestamptz NOT NULL,
    aliases text[] NOT NULL,
    counter_codes jsonb NOT NULL,
    agreements jsonb NOT NULL,
    agreements_in_force integer NOT NULL,
    agreement_history jsonb NOT NULL,
    as_of timestamptz NOT NULL
);
CREATE INDEX customer_view_merged ON customer_view (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX customer_view_aliases ON customer_view USING gin (aliases);

CREATE TABLE tier_view (
    customer_code text NOT NULL,
    scheme text NOT NULL,
    scheme_version bigint NOT NULL,
    version bigint NOT NULL,
    tier text NOT NULL,
    effective_on date,
    period text NOT NULL,
    total_fen numeric(20, 0) NOT NULL,
    key_account boolean NOT NULL,
    as_of timestamptz NOT NULL,
    unit_path text,
    manager_a text,
    manager_b text,
    state_offset bigint NOT NULL,
    PRIMARY KEY (customer_code, scheme)
);
CREATE INDEX tier_view_tier ON tier_view (scheme, tier, customer_code);

CREATE TABLE tier_movement_view (
    customer_code text NOT NULL,
    scheme text NOT NULL,
    version bigint NOT NULL,
    scheme_version bigint NOT NULL,
    from_tier text NOT NULL,
    to_tier text NOT NULL,
    direction text NOT NULL,
    reason text NOT NULL,
    effective_on date NOT NULL,
    period text NOT NULL,
    total_fen numeric(20, 0) NOT NULL,
    key_account boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    caused_by_source text,
    caused_by_id text,
    unit_path text,
    manager_a text,
    manager_b text,
    PRIMARY KEY (customer_code, scheme, version)
);
CREATE INDEX tier_movement_view_decided ON tier_movement_view (decided_at, customer_code, scheme, version);

CREATE TABLE revenue_year_view (
    customer_code text NOT NULL,
    year bigint NOT NULL,
    version bigint NOT NULL,
    merged_into text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (customer_code, year)
);

CREATE TABLE revenue_view (
    customer_code text NOT NULL,
    year bigint NOT NULL,
    month bigint NOT NULL,
    line text NOT NULL,
    amount_fen numeric(20, 0) NOT NULL,
    pieces numeric NOT NULL,
    transactions bigint NOT NULL,
    unit_path text,
    manager_a text,
    manager_b text,
    PRIMARY KEY (customer_code, year, month, line)
);
CREATE INDEX revenue_view_year ON revenue_view (year);

CREATE TABLE suspense_view (
    item uuid PRIMARY KEY,
    source text NOT NULL,
    id text NOT NULL,
    customer_code text NOT NULL,
    counter_id text NOT NULL,
    line text NOT NULL,
    kind text NOT NULL,
    amount_fen numeric(20, 0) NOT NULL,
    business_date date NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    held_at timestamptz,
    changed_at timestamptz NOT NULL,
    booked_for text,
    decided_by text,
    unit_path text NOT NULL,
    manager_a text,
    manager_b text,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    state_offset bigint NOT NULL
);
CREATE INDEX suspense_view_held ON suspense_view (held_at, item) WHERE state = 'held';
CREATE INDEX suspense_view_customer ON suspense_view (customer_code);
CREATE INDEX suspense_view_booked_for ON suspense_view (booked_for) WHERE booked_for IS NOT NULL;
CREATE INDEX suspense_view_counter ON suspense_view (counter_id);

CREATE TABLE dead_letter_view (
    service text NOT NULL,
    origin_topic text NOT NULL,
    origin_partition bigint NOT NULL,
    origin_offset bigint NOT NULL,
    reason text,
    detail text,
    failed_at timestamptz,
    customer_code text,
    counter_id text,
    line text,
    amount_fen numeric(20, 0),
    value_bytes bigint,
    state text NOT NULL,
    dead_letter_id bigint,
    decided_by text,
    decided_at timestamptz,
    unit_path text NOT NULL,
    manager_a text,
    manager_b text,
    letter_partition integer,
    letter_offset bigint,
    disposed_partition integer,
    disposed_offset bigint,
    PRIMARY KEY (service, origin_topic, origin_partition, origin_offset)
);
CREATE INDEX dead_letter_view_failed ON dead_letter_view (failed_at);

CREATE TABLE customer_event_view (
    event_id text PRIMARY KEY,
    customer_code text NOT NULL,
    customer_version bigint NOT NULL,
    event text NOT NULL,
    happened_at timestamptz NOT NULL,
    done_by text NOT NULL,
    unit_code text,
    counter_code text,
    agreement_no text,
    signed_on date,
    ends_on date,
    ended_on date,
    signing_unit text,
    declaration_id text,
    merged_into text,
    unit_path text,
    manager_a text,
    manager_b text,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
);
CREATE INDEX customer_event_view_customer ON customer_event_view (customer_code, happened_at);

CREATE TABLE declaration_view (
    declaration_id text PRIMARY KEY,
    version bigint NOT NULL,
    state text NOT NULL,
    declared_by text NOT NULL,
    declarer text NOT NULL,
    name text NOT NULL,
    uscc text,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    pre_review_unit text,
    deciding_unit text NOT NULL,
    deciding_path text NOT NULL,
    expected_lines text[] NOT NULL,
    expected_revenue_fen numeric(20, 0),
    manager_a text,
    manager_b text,
    submitted_at timestamptz,
    arrived_at timestamptz,
    waiting_for text,
    warn_at timestamptz,
    due_at timestamptz,
    warned_at timestamptz,
    breached_at timestamptz,
    escalated_to text,
    decided_at timestamptz,
    decided_by text,
    decision_seconds bigint,
    customer_code text,
    as_of timestamptz NOT NULL
);
CREATE INDEX declaration_view_waiting ON declaration_view (due_at) WHERE waiting_for IS NOT NULL;
CREATE INDEX declaration_view_customer ON declaration_view (customer_code) WHERE customer_code IS NOT NULL;

CREATE TABLE plan_view (
    plan_id text PRIMARY KEY,
    version bigint NOT NULL,
    state text NOT NULL,
    kind text NOT NULL,
    customer_code text,
    uscc text,
    name text NOT NULL,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    reviewing_unit text NOT NULL,
    lines text[] NOT NULL,
    expected_revenue_fen numeric(20, 0),
    manager_a text,
    manager_b text,
    queued boolean NOT NULL,
    submitted_at timestamptz,
    due_at timestamptz,
    breached_at timestamptz,
    reviewed_at timestamptz,
    reviewed_by text,
    opens_at timestamptz,
    ends_at timestamptz,
    settled_at timestamptz,
    rule_version bigint,
    stage text,
    progressed_at timestamptz,
    significant boolean NOT NULL,
    extended_until timestamptz,
    closed_at timestamptz,
    agreement_no text,
    as_of timestamptz NOT NULL
);
CREATE INDEX plan_view_customer ON plan_view (customer_code) WHERE customer_code IS NOT NULL;
CREATE INDEX plan_view_uscc ON plan_view (uscc) WHERE uscc IS NOT NULL;

CREATE TABLE window_view (
    window_key text PRIMARY KEY,
    customer_code text,
    uscc text,
    name text,
    state text NOT NULL,
    plan_id text,
    version bigint,
    unit_code text,
    unit_path text,
    manager_a text,
    manager_b text,
    kind text,
    lines text[],
    opens_at timestamptz,
    ends_at timestamptz,
    last_day date,
    settled_at timestamptz,
    as_of timestamptz,
    state_offset bigint NOT NULL
);
CREATE INDEX window_view_ends ON window_view (ends_at) WHERE state <> 'gone';

CREATE TABLE claims_event_view (
    event_id text PRIMARY KEY,
    event text NOT NULL,
    plan_id text,
    plan_version bigint,
    subject text NOT NULL,
    customer_code text,
    unit_code text,
    happened_at timestamptz NOT NULL,
    done_by text NOT NULL,
    ends_at timestamptz,
    agreement_no text,
    development_unit text,
    lead text,
    stage text,
    case_kind text,
    reason text,
    unit_path text,
    manager_a text,
    manager_b text,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
);
CREATE INDEX claims_event_view_subject ON claims_event_view (subject, happened_at);
CREATE INDEX claims_event_view_plan ON claims_event_view (plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX claims_event_view_customer ON claims_event_view (customer_code) WHERE customer_code IS NOT NULL;
CREATE INDEX claims_event_view_unit ON claims_event_view (unit_code) WHERE unit_code IS NOT NULL;
CREATE INDEX claims_event_view_happened ON claims_event_view (happened_at);

CREATE TABLE alert_view (
    event_id text PRIMARY KEY,
    service text NOT NULL,
    alert text NOT NULL,
    subject text NOT NULL,
    unit_code text NOT NULL,
    escalated_to text,
    due_at timestamptz,
    raised_at timestamptz NOT NULL,
    unit_path text,
    manager_a text,
    manager_b text,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
);
CREATE INDEX alert_view_unit ON alert_view (unit_code);
CREATE INDEX alert_view_raised ON alert_view (raised_at);
"""

# An installation may hand its writers every right on every new table; here they get what they need and no more. What
# has happened is a fact: the writer may only move it to another unit or manager.
FACTS = ("tier_movement_view", "customer_event_view", "claims_event_view", "alert_view")
STATES = (
    "unit_view",
    "customer_view",
    "tier_view",
    "revenue_year_view",
    "revenue_view",
    "suspense_view",
    "dead_letter_view",
    "declaration_view",
    "plan_view",
    "window_view",
)
PUBLIC = ("unit_view", "revenue_year_view")
"""Without rows of one unit that others may not see: the tree itself, and the versions of yearly figures."""

# A grant on the root of the tree, which is a path of one step: what belongs to no unit anybody knows is shown to it.
ON_ROOT = (
    "EXISTS (SELECT FROM unnest(string_to_array(current_setting('app.unit_paths', true), ',')) AS granted "
    "WHERE btrim(granted, '/') <> '' AND strpos(btrim(granted, '/'), '/') = 0)"
)
# Who holds which customer until when is published to everybody inside (S3 art.12(2)): any scope at all will do.
INSIDE = (
    "(SELECT coalesce(current_setting('app.unit_paths', true), '') || "
    "coalesce(current_setting('app.own_paths', true), '') <> '')"
)
VISIBLE = {
    "customer_view": covered(),
    "tier_view": covered(),
    "tier_movement_view": covered(),
    "revenue_view": covered(),
    "suspense_view": f"{covered()} OR (unit_path = '/' AND {ON_ROOT})",
    "dead_letter_view": f"{covered()} OR (unit_path = '/' AND {ON_ROOT})",
    "customer_event_view": covered(),
    "declaration_view": (
        f"{covered()} OR {covered('deciding_path', 'NULL')} "
        "OR declarer = (SELECT nullif(current_setting('app.person', true), ''))"
    ),
    "plan_view": covered(),
    "window_view": f"state <> 'gone' AND {INSIDE}",
    "claims_event_view": covered(),
    "alert_view": covered(),
}

RIGHTS = """
GRANT USAGE ON SCHEMA shadow TO reporting_writer, verifier;

CREATE TABLE rebuilds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    compare_only boolean NOT NULL,
    accept_differences boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'running', 'done', 'differs', 'failed')),
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    finished_at timestamptz,
    records_read bigint NOT NULL DEFAULT 0,
    records_to_read bigint,
    report jsonb
);
CREATE UNIQUE INDEX rebuilds_one_at_a_time ON rebuilds ((true)) WHERE state IN ('asked', 'running');

CREATE TABLE export_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person text NOT NULL,
    what text NOT NULL,
    format text NOT NULL,
    filters jsonb NOT NULL,
    exported_at timestamptz NOT NULL,
    rows bigint
);

REVOKE ALL ON rebuilds, export_log FROM reporting_writer, reporting_reader;
GRANT SELECT, INSERT, UPDATE ON rebuilds, export_log TO reporting_writer;
GRANT SELECT ON rebuilds, export_log TO verifier;
"""

# The tables change places with everything on them: indexes, policies, rights. The writer owns none of them, so the owner
# lends these two acts and nothing else. A view that a later migration adds to both schemas takes part by itself.
ACTS = (
    """
CREATE FUNCTION exchange_views() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE view text;
BEGIN
    FOR view IN SELECT tablename FROM pg_tables WHERE schemaname = 'shadow' ORDER BY 1 LOOP
        EXECUTE format('LOCK TABLE public.%I, shadow.%I IN ACCESS EXCLUSIVE MODE', view, view);
    END LOOP;
    FOR view IN SELECT tablename FROM pg_tables WHERE schemaname = 'shadow' ORDER BY 1 LOOP
        EXECUTE format('ALTER TABLE public.%I SET SCHEMA exchange', view);
        EXECUTE format('ALTER TABLE shadow.%I SET SCHEMA public', view);
        EXECUTE format('ALTER TABLE exchange.%I SET SCHEMA shadow', view);
    END LOOP;
END
$$
""",
    """
CREATE FUNCTION empty_shadow() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('shadow.%I', tablename), ', ') FROM pg_tables
        WHERE schemaname = 'shadow');
END
$$
""",
    "REVOKE ALL ON FUNCTION exchange_views(), empty_shadow() FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION exchange_views(), empty_shadow() TO reporting_writer",
)

BEGIN_AGAIN = """
DELETE FROM positions WHERE consumer = 'reporting.views';
TRUNCATE view_freshness;
"""


def upgrade() -> None:
    op.execute(OLD)
    op.execute("CREATE SCHEMA shadow")
    op.execute("CREATE SCHEMA exchange")
    for schema in ("public", "shadow"):
        # Functions are found in `public` whichever of the two the tables go to.
        op.execute(f"SET LOCAL search_path = {schema}, public")
        run_script(op, TABLES)
        for table in (*STATES, *FACTS):
            op.execute(f"REVOKE ALL ON {table} FROM reporting_writer, reporting_reader")
            op.execute(f"GRANT SELECT, INSERT ON {table} TO reporting_writer")
            op.execute(f"GRANT SELECT ON {table} TO verifier")
        for table in STATES:
            op.execute(f"GRANT UPDATE ON {table} TO reporting_writer")
        for table in FACTS:
            op.execute(f"GRANT UPDATE (unit_path, manager_a, manager_b) ON {table} TO reporting_writer")
        # Of an event that was published twice the first place counts, whichever was read first.
        for table in FACTS[1:]:
            op.execute(f"GRANT UPDATE (record_offset) ON {table} TO reporting_writer")
        # A month without bookings any more is no row.
        op.execute("GRANT DELETE ON revenue_view TO reporting_writer")
        for table in PUBLIC:
            op.execute(f"GRANT SELECT ON {table} TO reporting_reader")
        for table, visible in VISIBLE.items():
            for statement in protect("reporting", table, visible):
                op.execute(statement)
            # Where writers have no BYPASSRLS, they still see and write every row.
            op.execute(f"CREATE POLICY written ON {table} TO reporting_writer USING (true) WITH CHECK (true)")
    op.execute("SET LOCAL search_path = public")
    run_script(op, RIGHTS)
    for statement in ACTS:
        op.execute(statement)
    run_script(op, BEGIN_AGAIN)
