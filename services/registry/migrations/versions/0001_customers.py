"""Organisation, staff, customers, codes, agreements, imports, and what messaging keeps."""

from alembic import op

from shared.messaging.tables import create_messaging_tables
from shared.scope import IN_SCOPE

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loaded_files (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    version integer NOT NULL,
    changes integer NOT NULL,
    loaded_at timestamptz NOT NULL
);

CREATE TABLE units (
    code text PRIMARY KEY CHECK (code ~ '^[^/,]+$'),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    level text NOT NULL CHECK (level IN ('national', 'province', 'city', 'professional', 'county', 'outlet')),
    parent text REFERENCES units (code) DEFERRABLE INITIALLY DEFERRED,
    path text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED,
    lines text[] NOT NULL DEFAULT '{}',
    division text,
    city_group smallint CHECK (city_group BETWEEN 1 AND 3),
    centre boolean NOT NULL,
    valid_from date,
    valid_to date,
    version integer NOT NULL
);

CREATE TABLE units_history (
    code text NOT NULL,
    version integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    state jsonb NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE staff (
    user_name text PRIMARY KEY,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    office text NOT NULL,
    active boolean NOT NULL
);

CREATE TABLE staff_roles (
    user_name text NOT NULL REFERENCES staff (user_name),
    role text NOT NULL CHECK (role IN ('manager', 'reviewer', 'centre', 'steward', 'approver', 'auditor',
                                       'province', 'national', 'admin', 'service')),
    unit_code text NOT NULL REFERENCES units (code),
    PRIMARY KEY (user_name, role, unit_code)
);

CREATE TABLE code_schemes (
    id text PRIMARY KEY,
    definition jsonb NOT NULL,
    loaded_at timestamptz NOT NULL
);

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 32),
    version bigint NOT NULL CHECK (version >= 1),
    name text NOT NULL,
    name_key text NOT NULL,
    similar_key text NOT NULL,
    uscc text UNIQUE,
    kind text NOT NULL CHECK (kind IN ('potential', 'active')),
    status text NOT NULL CHECK (status IN ('active', 'retired', 'merged', 'annulled')),
    merged_into text REFERENCES customers (code),
    unit_code text NOT NULL REFERENCES units (code),
    unit_path text NOT NULL,
    division text,
    industry text,
    upstream_granted_by_province boolean NOT NULL DEFAULT false,
    manager_a text,
    manager_b text,
    registered_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK ((status = 'merged') = (merged_into IS NOT NULL))
);
CREATE INDEX customers_name ON customers (name_key, unit_code);
CREATE INDEX customers_similar ON customers (similar_key);
CREATE INDEX customers_path ON customers (unit_path text_pattern_ops);
CREATE INDEX customers_manager_a ON customers (manager_a);
CREATE INDEX customers_manager_b ON customers (manager_b);

CREATE TABLE agreements (
    customer_code text NOT NULL REFERENCES customers (code),
    agreement_no text NOT NULL,
    position integer NOT NULL,
    signed_on date NOT NULL,
    ends_on date CHECK (ends_on >= signed_on),
    state text NOT NULL CHECK (state IN ('in_force', 'ended')),
    ended_on date,
    lines text[] NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (customer_code, agreement_no),
    CHECK ((state = 'ended') = (ended_on IS NOT NULL))
);

CREATE TABLE manager_bindings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_code text NOT NULL REFERENCES customers (code),
    part text NOT NULL CHECK (part IN ('A', 'B')),
    manager text NOT NULL,
    bound_at timestamptz NOT NULL,
    unbound_at timestamptz,
    bound_by text NOT NULL,
    CHECK (unbound_at >= bound_at)
);
CREATE UNIQUE INDEX manager_bindings_current ON manager_bindings (customer_code, part)
    WHERE unbound_at IS NULL;

CREATE TABLE code_ranges (
    scheme text NOT NULL REFERENCES code_schemes (id),
    division text NOT NULL,
    last_serial bigint NOT NULL DEFAULT 0 CHECK (last_serial >= 0),
    PRIMARY KEY (scheme, division)
);

CREATE TABLE code_assignments (
    code text PRIMARY KEY,
    customer_code text NOT NULL UNIQUE REFERENCES customers (code) CHECK (customer_code = code),
    scheme text NOT NULL REFERENCES code_schemes (id),
    origin text NOT NULL CHECK (origin IN ('issued', 'adopted')),
    division text,
    serial bigint,
    assigned_at timestamptz NOT NULL,
    assigned_by text NOT NULL,
    UNIQUE (scheme, division, serial),
    CHECK ((origin = 'issued') = (serial IS NOT NULL AND division IS NOT NULL))
);

CREATE TABLE code_skips (
    scheme text NOT NULL REFERENCES code_schemes (id),
    division text NOT NULL,
    serial bigint NOT NULL,
    reason text NOT NULL CHECK (reason IN ('adopted_code')),
    code text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (scheme, division, serial)
);

CREATE TABLE customer_imports (
    id text PRIMARY KEY,
    person text NOT NULL,
    file_name text NOT NULL,
    file_sha256 text NOT NULL,
    rows_total integer NOT NULL,
    rows_done integer NOT NULL DEFAULT 0,
    created integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE customer_import_rows (
    import_id text NOT NULL REFERENCES customer_imports (id),
    "row" integer NOT NULL,
    result text NOT NULL CHECK (result IN ('created', 'updated', 'unchanged', 'rejected')),
    customer_code text,
    reasons text[] NOT NULL DEFAULT '{}',
    notices text[] NOT NULL DEFAULT '{}',
    similar_codes text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (import_id, "row")
);
"""

# An installation may hand its writers every right on every new table; here they get what they need and no more.
GRANTS_OF_THE_INSTALLATION = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM registry_writer, registry_reader;
"""

# What may never change has no right to change: codes and skipped serials are only ever added, a customer keeps its code,
# and a history has no second version of itself.
GRANTS = """
GRANT SELECT, INSERT, UPDATE ON loaded_files, units, staff, code_ranges, agreements,
    customer_imports TO registry_writer;
GRANT SELECT, INSERT, DELETE ON staff_roles TO registry_writer;
GRANT SELECT, INSERT ON units_history, code_schemes, customers, code_assignments, code_skips,
    customer_import_rows, manager_bindings TO registry_writer;
GRANT UPDATE (version, name, name_key, similar_key, uscc, kind, status, merged_into, unit_code, unit_path, division,
    industry, upstream_granted_by_province, manager_a, manager_b, changed_at) ON customers TO registry_writer;
GRANT UPDATE (unbound_at) ON manager_bindings TO registry_writer;
GRANT SELECT ON loaded_files, units, units_history, staff, staff_roles, code_schemes, customers, agreements,
    manager_bindings, code_assignments, customer_imports, customer_import_rows
    TO registry_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO verifier;
"""

# Reads over HTTP run as `registry_reader`, which sees nothing until a transaction says for whom it reads (shared/scope.py).
SCOPE = f"""
{IN_SCOPE};

CREATE FUNCTION in_own_scope(path text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT 1 FROM unnest(string_to_array(current_setting('app.own_paths', true), ',')) AS granted
        WHERE granted <> '' AND starts_with(rtrim(path, '/') || '/', rtrim(granted, '/') || '/')
    )
$$;

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE customers FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON customers TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON customers FOR SELECT TO registry_reader USING (
    in_scope(unit_path)
    OR (nullif(current_setting('app.manager', true), '') IN (manager_a, manager_b) AND in_own_scope(unit_path))
);

ALTER TABLE agreements ENABLE ROW LEVEL SECURITY;
ALTER TABLE agreements FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON agreements TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON agreements FOR SELECT TO registry_reader
    USING (EXISTS (SELECT 1 FROM customers WHERE customers.code = customer_code));

ALTER TABLE manager_bindings ENABLE ROW LEVEL SECURITY;
ALTER TABLE manager_bindings FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON manager_bindings TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON manager_bindings FOR SELECT TO registry_reader
    USING (EXISTS (SELECT 1 FROM customers WHERE customers.code = customer_code));

ALTER TABLE code_assignments ENABLE ROW LEVEL SECURITY;
ALTER TABLE code_assignments FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON code_assignments TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON code_assignments FOR SELECT TO registry_reader
    USING (EXISTS (SELECT 1 FROM customers WHERE customers.code = customer_code));

ALTER TABLE staff_roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff_roles FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON staff_roles TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON staff_roles FOR SELECT TO registry_reader
    USING (EXISTS (SELECT 1 FROM units WHERE units.code = unit_code AND in_scope(units.path)));

ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON staff TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY covered ON staff FOR SELECT TO registry_reader USING (
    EXISTS (SELECT 1 FROM staff_roles WHERE staff_roles.user_name = staff.user_name)
    OR user_name = current_setting('app.person', true)
);

ALTER TABLE customer_imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_imports FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON customer_imports TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY own ON customer_imports FOR SELECT TO registry_reader
    USING (person = current_setting('app.person', true));

ALTER TABLE customer_import_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_import_rows FORCE ROW LEVEL SECURITY;
CREATE POLICY written ON customer_import_rows TO registry_writer USING (true) WITH CHECK (true);
CREATE POLICY own ON customer_import_rows FOR SELECT TO registry_reader
    USING (EXISTS (SELECT 1 FROM customer_imports WHERE customer_imports.id = import_id));
"""


def upgrade() -> None:
    # A statement at a time: the driver takes one per call.
    for statement in (*_statements(TABLES), *_statements(GRANTS_OF_THE_INSTALLATION)):
        op.execute(statement)
    create_messaging_tables(op, "registry")
    for statement in (*_statements(GRANTS), *_statements(SCOPE)):
        op.execute(statement)


def _statements(script: str) -> list[str]:
    found: list[str] = []
    body = ""
    for part in script.split(";\n"):
        body = f"{body};\n{part}" if body else part
        # A function's body between dollar quotes is one statement.
        if body.count("$$") % 2 == 0:
            if body.strip():
                found.append(body)
            body = ""
    return found
