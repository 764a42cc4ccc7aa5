"""Customers, codes and agreements in PostgreSQL, a few statements with arrays for any number of rows.

The rows of a chunk come here decided; a customer that several rows touched is stored once, in its last state. Every
write of a customer compares its version, and whoever loads one holds its row lock, so that two writers never build on
the same state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from services.registry.adapters.customer_rows import COLUMNS, customers_of_codes, with_parts
from services.registry.domain.agreements import Agreement
from services.registry.domain.book import SIMILAR_MAX, Book
from services.registry.domain.codes import CodeScheme, SerialRange, slot_of
from services.registry.domain.customers import Customer
from services.registry.domain.names import identity_key, similarity_key
from services.registry.domain.organisation import Unit
from services.registry.domain.registering import Assignment, Registrant
from services.registry.handlers.ports import Change
from shared.messaging.work import Work

REGISTRATION_LOCK = 7_306_001
"""Registrations of one instance stand in line: what one transaction found missing must still be missing when it commits.

Held only while a chunk is decided and stored; at 500 rows a chunk that is some tens of milliseconds."""


class StoredElsewhere(RuntimeError):
    """A customer changed between being read and being written: its row lock was not held, which is a fault of ours."""


class PostgresCustomers:
    """`ports.Customers` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def lock_registrations(self) -> None:
        await self._work.execute("SELECT pg_advisory_xact_lock($1)", REGISTRATION_LOCK)

    async def load_book(
        self, registrants: Sequence[Registrant], divisions: set[str], issuing: CodeScheme
    ) -> Book:
        book = Book()
        codes = [each.customer_code for each in registrants if each.customer_code is not None]
        adopted = {slot[0] for code in codes if (slot := slot_of(issuing, code)) is not None}
        await self._load_ranges(book, divisions, adopted, issuing)
        ids = await self._work.fetch(
            """
            SELECT id FROM customers WHERE code = ANY($1::text[])
            UNION SELECT id FROM customers WHERE uscc = ANY($2::text[])
            UNION SELECT id FROM customers WHERE name_key = ANY($3::text[])
            """,
            codes,
            [each.uscc for each in registrants if each.uscc is not None],
            sorted({identity_key(each.name) for each in registrants}),
        )
        for customer in await self._locked([row["id"] for row in ids]):
            book.add(customer)
        similar = await self._work.fetch(
            """
            SELECT key, found.code FROM unnest($1::text[]) AS key, LATERAL (
                SELECT code FROM customers WHERE similar_key = key ORDER BY id LIMIT $2
            ) AS found
            """,
            sorted({similarity_key(each.name) for each in registrants}),
            SIMILAR_MAX + 1,
        )
        for found in similar:
            book.add_similar(found["key"], found["code"])
        mapped = await self._work.fetch(
            """
            SELECT DISTINCT n.code FROM counter_code_names n JOIN counter_codes m ON m.code_id = n.id
            WHERE n.code = ANY($1::text[]) AND NOT isempty(m.period)
            """,
            codes,
        )
        book.mapped.update(found["code"] for found in mapped)
        return book

    async def _load_ranges(
        self,
        book: Book,
        divisions: set[str],
        adopted: set[str],
        issuing: CodeScheme,
    ) -> None:
        """Locks the ranges that codes may be issued from, made with their first code, and those that adopted codes
        fall into, if there are any."""
        wanted = sorted(divisions | adopted)
        await self._work.execute(
            "INSERT INTO code_ranges (scheme, division) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
            issuing.id,
            sorted(divisions),
        )
        rows = await self._work.fetch(
            "SELECT division, last_serial FROM code_ranges WHERE scheme = $1 AND division = ANY($2::text[])"
            " ORDER BY division FOR UPDATE",
            issuing.id,
            wanted,
        )
        for row in rows:
            book.ranges[row["division"]] = SerialRange(issuing, row["division"], row["last_serial"])
        skips = await self._work.fetch(
            "SELECT s.division, s.serial FROM code_skips s JOIN code_ranges r USING (scheme, division)"
            " WHERE s.scheme = $1 AND s.division = ANY($2::text[]) AND s.serial > r.last_serial",
            issuing.id,
            wanted,
        )
        for row in skips:
            book.ranges[row["division"]].skipped.add(row["serial"])

    async def locked(self, code: str) -> Customer | None:
        return (await self.locked_all([code])).get(code)

    async def locked_all(self, codes: Sequence[str]) -> dict[str, Customer]:
        ids = await self._work.fetch("SELECT id FROM customers WHERE code = ANY($1::text[])", list(codes))
        return {each.code: each for each in await self._locked([row["id"] for row in ids])}

    async def seen(self, codes: Collection[str]) -> dict[str, Customer]:
        return await customers_of_codes(self._work, codes)

    async def of_units(self, codes: Sequence[str]) -> list[Customer]:
        ids = await self._work.fetch(
            "SELECT id FROM customers WHERE unit_code = ANY($1::text[])", list(codes)
        )
        return await self._locked([row["id"] for row in ids])

    async def _locked(self, ids: Sequence[int]) -> list[Customer]:
        """In the order of registration, which is also the order in which every transaction locks them."""
        rows = await self._work.fetch(
            f"SELECT {COLUMNS} FROM customers WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE", list(ids)
        )
        return await with_parts(self._work, rows)

    async def store_changes(
        self,
        changes: Sequence[Change],
        book: Book,
        units: Mapping[str, Unit],
        issuing: CodeScheme,
        person: str,
    ) -> None:
        first: dict[str, Change] = {}
        for each in changes:
            first.setdefault(each.after.code, each)
        last = {each.after.code: each.after for each in changes}
        created = [each for each in first.values() if each.before is None]
        updated = [
            (each.before.version, last[code]) for code, each in first.items() if each.before is not None
        ]
        await self._insert([last[each.after.code] for each in created], units)
        await self._update(updated, units)
        assigned = [each.assignment for each in created if each.assignment is not None]
        await self._insert_codes(assigned, issuing, person)
        await self._upsert_agreements(last.values())
        await self._bind_managers([(first[code].before, customer) for code, customer in last.items()], person)
        await self._work.executemany(
            "UPDATE code_ranges SET last_serial = $3 WHERE scheme = $1 AND division = $2 AND last_serial < $3",
            [(issuing.id, each.division, each.last) for each in book.ranges.values()],
        )

    async def store(
        self, customer: Customer, units: Mapping[str, Unit], person: str, before: Customer | None = None
    ) -> None:
        await self._update([(customer.version - 1, customer)], units)
        await self._upsert_agreements([customer])
        if before is not None:
            await self._bind_managers([(before, customer)], person)

    async def note_agreement(
        self, customer_code: str, agreement: Agreement, step: str, person: str, reason: str | None
    ) -> None:
        await self._work.execute(
            """
            INSERT INTO agreement_steps (customer_code, agreement_no, step, ends_on, person, recorded_at, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            customer_code,
            agreement.agreement_no,
            step,
            agreement.ended_on or agreement.ends_on,
            person,
            self._work.now,
            reason,
        )

    async def survivor_of(self, code: str) -> str:
        found: str = await self._work.fetchval(
            "SELECT coalesce(survivor, code) FROM customers WHERE code = $1", code
        )
        return found

    async def point_to(self, alias: str, survivor: str) -> None:
        await self._work.execute(
            "UPDATE customers SET survivor = $2 WHERE code = $1 OR survivor = $1", alias, survivor
        )

    async def _insert(self, customers: Sequence[Customer], units: Mapping[str, Unit]) -> None:
        if not customers:
            return
        await self._work.execute(
            f"""
            INSERT INTO customers ({COLUMNS}, name_key, similar_key, unit_path, changed_at)
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::text[],
                $14::text[], $15::text[], $16::text[], $17::text[], $18::timestamptz[])
            """,
            *_columns([(*_values(each, units), self._work.now) for each in customers]),
        )

    async def _update(
        self,
        customers: Sequence[tuple[int, Customer]],
        units: Mapping[str, Unit],
    ) -> None:
        if not customers:
            return
        rows = [(*_values(each, units), before, self._work.now) for before, each in customers]
        done = await self._work.fetch(
            """
            UPDATE customers AS c SET version = n.version, name = n.name, uscc = n.uscc, kind = n.kind,
                unit_code = n.unit_code, status = n.status, merged_into = n.merged_into, division = n.division,
                industry = n.industry, upstream_granted_by_province = n.upstream, manager_a = n.manager_a,
                manager_b = n.manager_b, name_key = n.name_key, similar_key = n.similar_key,
                unit_path = n.unit_path, changed_at = n.changed_at
            FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::text[],
                $14::text[], $15::text[], $16::text[], $17::text[], $18::bigint[], $19::timestamptz[])
                AS n (code, version, name, uscc, kind, unit_code, registered_at, status, merged_into, division,
                    industry, upstream, manager_a, manager_b, name_key, similar_key, unit_path, before, changed_at)
            WHERE c.code = n.code AND c.version = n.before RETURNING c.code
            """,
            *_columns(rows),
        )
        if len(done) != len(customers):
            raise StoredElsewhere(
                f"{len(customers) - len(done)} customers have another version than was read"
            )

    async def _insert_codes(self, assigned: Sequence[Assignment], issuing: CodeScheme, person: str) -> None:
        now = self._work.now
        rows = [
            (
                each.code,
                each.scheme,
                "issued" if each.issued else "adopted",
                each.issued.division if each.issued else None,
                each.issued.serial if each.issued else None,
            )
            for each in assigned
        ]
        if rows:
            await self._work.execute(
                """
                INSERT INTO code_assignments
                    (code, customer_code, scheme, origin, division, serial, assigned_at, assigned_by)
                SELECT n.code, n.code, n.scheme, n.origin, n.division, n.serial, $6, $7
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
                    AS n (code, scheme, origin, division, serial)
                """,
                *_columns(rows),
                now,
                person,
            )
        slots = [(*each.skipped, each.code) for each in assigned if each.skipped is not None]
        if slots:
            await self._work.execute(
                """
                INSERT INTO code_skips (scheme, division, serial, reason, code, recorded_at)
                SELECT $4, n.division, n.serial, 'adopted_code', n.code, $5
                FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (division, serial, code)
                ON CONFLICT DO NOTHING
                """,
                *_columns(slots),
                issuing.id,
                now,
            )

    async def _upsert_agreements(self, customers: Iterable[Customer]) -> None:
        rows = [
            (
                each.code,
                a.agreement_no,
                position,
                a.signed_on,
                a.ends_on,
                a.state,
                a.ended_on,
                a.recorded_at,
                # A column of arrays would have to be rectangular; lines hold no comma.
                ",".join(a.lines),
                a.unit_code,
            )
            for each in customers
            for position, a in enumerate(each.agreements)
        ]
        if not rows:
            return
        await self._work.execute(
            """
            INSERT INTO agreements
                (customer_code, agreement_no, position, signed_on, ends_on, state, ended_on, recorded_at, lines,
                unit_code)
            SELECT n.code, n.no, n.position, n.signed_on, n.ends_on, n.state, n.ended_on, n.recorded_at,
                string_to_array(n.lines, ','), n.unit_code
            FROM unnest($1::text[], $2::text[], $3::integer[], $4::date[], $5::date[], $6::text[],
                $7::date[], $8::timestamptz[], $9::text[], $10::text[])
                AS n (code, no, position, signed_on, ends_on, state, ended_on, recorded_at, lines, unit_code)
            ON CONFLICT (customer_code, agreement_no) DO UPDATE
                SET ends_on = excluded.ends_on, state = excluded.state, ended_on = excluded.ended_on
                WHERE (agreements.ends_on, agreements.state) IS DISTINCT FROM (excluded.ends_on, excluded.state)
            """,
            *_columns(rows),
        )

    async def _bind_managers(self, steps: Sequence[tuple[Customer | None, Customer]], person: str) -> None:
        bound: list[tuple[str, str, str]] = []
        for before, after in steps:
            for part, old, new in (
                ("A", before.manager_a if before else None, after.manager_a),
                ("B", before.manager_b if before else None, after.manager_b),
            ):
                if new is not None and new != old:
                    bound.append((after.code, part, new))
        if not bound:
            return
        await self._work.execute(
            """
            UPDATE manager_bindings AS b SET unbound_at = $3
            FROM unnest($1::text[], $2::text[]) AS n (code, part)
            WHERE b.customer_code = n.code AND b.part = n.part AND b.unbound_at IS NULL
            """,
            *_columns([row[:2] for row in bound]),
            self._work.now,
        )
        await self._work.execute(
            """
            INSERT INTO manager_bindings (customer_code, part, manager, bound_at, bound_by)
            SELECT n.code, n.part, n.manager, $4, $5 FROM unnest($1::text[], $2::text[], $3::text[])
                AS n (code, part, manager)
            """,
            *_columns(bound),
            self._work.now,
            person,
        )


def _values(customer: Customer, units: Mapping[str, Unit]) -> tuple[Any, ...]:
    return (
        customer.code,
        customer.version,
        customer.name,
        customer.uscc,
        customer.kind,
        customer.unit_code,
        customer.registered_at,
        customer.status,
        customer.merged_into,
        customer.division,
        customer.industry,
        customer.upstream_granted_by_province,
        customer.manager_a,
        customer.manager_b,
        identity_key(customer.name),
        similarity_key(customer.name),
        units[customer.unit_code].path,
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into one array per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]
