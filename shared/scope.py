"""The database's own word on who sees what: row-level security by unit, the same in every service (REP-19, PLT-13).

Reads over HTTP run as `<svc>_reader`, which sees no row until its transaction says for whom it reads: `app.unit_paths`
are the units covered, a comma between them; `app.manager` is a manager who sees what is bound to them, and
`app.own_paths` are the units within which they do. The settings end with the transaction, so that a pooled connection
never carries one caller's scope to the next.

People of a professional unit see the customers of the city (or province) that their line extends over, and of these
customers what belongs to their line. `app.lines` names pairs of path and line, such as `/CN/32/3205|express`; where it is
empty the caller is bound to no line. Tables whose rows belong to a line have a second, restrictive policy for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.auth.policy import Operation, reach
from shared.auth.principals import Principal

IN_SCOPE: Final = """
CREATE FUNCTION in_scope(path text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT 1 FROM unnest(string_to_array(current_setting('app.unit_paths', true), ',')) AS granted
        WHERE granted <> '' AND starts_with(rtrim(path, '/') || '/', rtrim(granted, '/') || '/')
    )
$$
"""
"""The function that policies ask; a migration creates it once. `/CN/32` covers `/CN/32/3205` and not `/CN/321`."""

SCOPE_PATTERNS: Final = """
CREATE FUNCTION scope_patterns(setting text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(regexp_replace(rtrim(granted, '/'), '([%_\\\\])', '\\\\\\1', 'g') || '/%'), '{}')
    FROM unnest(string_to_array(current_setting(setting, true), ',')) AS granted WHERE rtrim(granted, '/') <> ''
$$
"""
"""The same scope as patterns for LIKE. A policy that asks `in_scope` pays a call for every row of a large table; one
that compares with `(SELECT scope_patterns(…))` makes the patterns once for the query."""


def covered(path: str = "unit_path", managers: str = "manager_a, manager_b") -> str:
    """The condition (SQL) of a row that carries its unit's path and its managers: the caller covers the unit, or is one
    of the managers and has that role on a unit at or above it. A row without a path is nobody's."""
    under = f"{path} || '/' LIKE ANY ((SELECT scope_patterns('%s'))::text[])"
    return (
        f"{under % 'app.unit_paths'} OR ({under % 'app.own_paths'} "
        f"AND (SELECT nullif(current_setting('app.manager', true), '')) IN ({managers}))"
    )


LINE_PATTERNS: Final = """
CREATE FUNCTION line_patterns() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(regexp_replace(rtrim(split_part(pair, '|', 1), '/'), '([%_\\\\])', '\\\\\\1', 'g')
        || '/%|' || split_part(pair, '|', 2)), '{}')
    FROM unnest(string_to_array(current_setting('app.lines', true), ',')) AS pair WHERE pair <> ''
$$
"""
"""The pairs of `app.lines` as patterns for LIKE; a migration creates it once."""

BOUND_TO_NO_LINE: Final = "(SELECT coalesce(current_setting('app.lines', true), '') = '')"


def in_line(path: str, line: str) -> str:
    """The condition (SQL) that a row of a unit and a line is within the caller's lines."""
    return f"{path} || '/|' || {line} LIKE ANY ((SELECT line_patterns())::text[])"


def bind_to_lines(service: str, table: str, within: str) -> str:
    """The statement that hides a table's rows of other lines from a caller who is bound to some: `within` (SQL) says which
    rows are theirs. It comes on top of the policy that says whose the rows are."""
    return (
        f"CREATE POLICY lines ON {table} AS RESTRICTIVE FOR SELECT TO {service}_reader "
        f"USING ({BOUND_TO_NO_LINE} OR {within})"
    )


def protect(service: str, table: str, visible: str) -> tuple[str, ...]:
    """The statements that show a table's rows to the service's reader only where `visible` (SQL) holds. Batch writers
    have BYPASSRLS instead of a policy, because COPY into a protected table is refused to everybody else."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY covered ON {table} FOR SELECT TO {service}_reader USING ({visible})",
        f"GRANT SELECT ON {table} TO {service}_reader",
    )


_SCOPE = text(
    "SELECT set_config('app.unit_paths', :paths, true), set_config('app.manager', :manager, true), "
    "set_config('app.own_paths', :own_paths, true), set_config('app.person', :person, true), "
    "set_config('app.lines', :lines, true)"
)


@asynccontextmanager
async def reading(
    engine: AsyncEngine, caller: Principal, operation: Operation
) -> AsyncIterator[AsyncConnection]:
    """A read-only transaction that sees what this operation may show to the caller."""
    scope = reach(caller, operation)
    async with engine.connect() as connection:
        await connection.execute(
            _SCOPE,
            {
                "paths": paths_setting(scope.paths),
                "manager": scope.own_user if scope.own_paths else "",
                "own_paths": paths_setting(scope.own_paths),
                "person": caller.user,
                "lines": paths_setting([f"{path}|{line}" for path, line in scope.lines or ()]),
            },
        )
        yield connection


def paths_setting(paths: Sequence[str]) -> str:
    """Unit paths as the setting holds them. A path with a comma is no unit's and would read as two; it covers nothing."""
    return ",".join(path for path in paths if "," not in path)
