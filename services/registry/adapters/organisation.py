"""Units, staff and code schemes in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import orjson

from services.registry.domain.codes import CodeScheme
from services.registry.domain.organisation import StaffMember, Unit
from services.registry.handlers.ports import Organisation
from shared.messaging.work import Work

FILES_LOCK = 7_306_002


class PostgresOrganisations:
    """`ports.Organisations` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def load(self) -> Organisation:
        units = {row["code"]: unit_of(row) for row in await self._work.fetch("SELECT * FROM units")}
        staff = await self._work.fetch(
            "SELECT user_name, name_zh, name_en, unit_code FROM staff WHERE active"
        )
        names = Counter(name for row in staff for name in {row["name_zh"], row["name_en"]})
        managers = {
            name: row["user_name"]
            for row in staff
            for name in (row["name_zh"], row["name_en"])
            if names[name] == 1
        }
        # A user name always means its user, even if somebody else is called like that.
        managers.update({row["user_name"]: row["user_name"] for row in staff})
        posts = {row["user_name"]: row["unit_code"] for row in staff if row["unit_code"] is not None}
        return Organisation(units, managers, posts)

    async def office_of(self, user: str) -> str | None:
        found: str | None = await self._work.fetchval(
            "SELECT office FROM staff WHERE user_name = $1 AND active", user
        )
        return found

    async def staff_member(self, user: str) -> StaffMember | None:
        row = await self._work.fetchrow("SELECT * FROM staff WHERE user_name = $1 AND active", user)
        if row is None:
            return None
        return _person_of(
            row,
            await self._work.fetch(
                "SELECT user_name, role, unit_code FROM staff_roles WHERE user_name = $1", user
            ),
        )

    async def units(self, codes: Sequence[str]) -> dict[str, Unit]:
        rows = await self._work.fetch("SELECT * FROM units WHERE code = ANY($1::text[])", list(codes))
        return {row["code"]: unit_of(row) for row in rows}

    async def lock(self) -> None:
        await self._work.execute("SELECT pg_advisory_xact_lock($1)", FILES_LOCK)

    async def file_hash(self, name: str) -> str | None:
        found: str | None = await self._work.fetchval("SELECT sha256 FROM loaded_files WHERE name = $1", name)
        return found

    async def store_units(self, units: Sequence[Unit]) -> dict[str, int]:
        versions: dict[str, int] = {}
        for unit in units:
            versions[unit.code] = await self._work.fetchval(
                """
                INSERT INTO units (code, name_zh, name_en, level, parent, path, lines, division, city_group, centre,
                    valid_from, valid_to, version)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)
                ON CONFLICT (code) DO UPDATE SET name_zh = $2, name_en = $3, level = $4, parent = $5, path = $6,
                    lines = $7, division = $8, city_group = $9, centre = $10, valid_from = $11, valid_to = $12,
                    version = units.version + 1
                RETURNING version
                """,
                unit.code,
                unit.name_zh,
                unit.name_en,
                unit.level,
                unit.parent,
                unit.path,
                list(unit.lines),
                unit.division,
                unit.city_group,
                unit.centre,
                unit.valid_from,
                unit.valid_to,
            )
            await self._work.execute(
                "INSERT INTO units_history (code, version, recorded_at, state) VALUES ($1, $2, $3, $4::text::jsonb)",
                unit.code,
                versions[unit.code],
                self._work.now,
                orjson.dumps(asdict(unit)).decode(),
            )
        return versions

    async def store_staff(self, staff: Sequence[StaffMember]) -> int:
        rows = await self._work.fetch("SELECT * FROM staff")
        grants = await self._work.fetch("SELECT user_name, role, unit_code FROM staff_roles")
        known = {
            row["user_name"]: _person_of(row, [g for g in grants if g["user_name"] == row["user_name"]])
            for row in rows
        }
        named = {person.user for person in staff}
        gone = [
            replace(person, active=False, roles=())
            for person in known.values()
            if person.user not in named and person.active
        ]
        changed = [person for person in staff if known.get(person.user) != person] + gone
        for person in changed:
            await self._work.execute(
                """
                INSERT INTO staff (user_name, name_zh, name_en, office, active, unit_code)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (user_name) DO UPDATE
                    SET name_zh = $2, name_en = $3, office = $4, active = $5, unit_code = $6
                """,
                person.user,
                person.name_zh,
                person.name_en,
                person.office,
                person.active,
                person.unit,
            )
            await self._work.execute("DELETE FROM staff_roles WHERE user_name = $1", person.user)
            await self._work.executemany(
                "INSERT INTO staff_roles (user_name, role, unit_code) VALUES ($1, $2, $3)",
                [(person.user, role, unit) for role, unit in person.roles],
            )
        return len(changed)

    async def store_scheme(self, scheme: CodeScheme) -> bool:
        definition = {
            name: value for name, value in asdict(scheme).items() if name not in ("label_en", "label_zh")
        }
        await self._work.execute(
            "INSERT INTO code_schemes (id, definition, loaded_at) VALUES ($1, $2::text::jsonb, $3)"
            " ON CONFLICT DO NOTHING",
            scheme.id,
            orjson.dumps(definition).decode(),
            self._work.now,
        )
        stored = await self._work.fetchval(
            "SELECT definition::text FROM code_schemes WHERE id = $1", scheme.id
        )
        return bool(orjson.loads(stored) == definition)

    async def record_file(self, name: str, sha256: str, version: int, changes: int) -> None:
        await self._work.execute(
            """
            INSERT INTO loaded_files (name, sha256, version, changes, loaded_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO UPDATE SET sha256 = $2, version = $3, changes = $4, loaded_at = $5
            """,
            name,
            sha256,
            version,
            changes,
            self._work.now,
        )


def _person_of(row: Any, grants: Sequence[Any]) -> StaffMember:
    return StaffMember(
        row["user_name"],
        row["name_zh"],
        row["name_en"],
        row["unit_code"],
        row["office"],
        tuple(sorted((grant["role"], grant["unit_code"]) for grant in grants)),
        row["active"],
    )


def unit_of(row: Any) -> Unit:
    """A unit from a row of `units`."""
    valid_from: date | None = row["valid_from"]
    return Unit(
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        level=row["level"],
        parent=row["parent"],
        division=row["division"],
        lines=tuple(row["lines"]),
        city_group=row["city_group"],
        centre=row["centre"],
        valid_from=valid_from,
        valid_to=row["valid_to"],
        path=row["path"],
    )
