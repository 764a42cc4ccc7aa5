"""Customer codes: never two customers, never twice, and every serial explained (REG-4, invariant I5).

Proved from the registry's tables: the codes of issued assignments are built again from division, serial and an own check
digit; serials from 1 to the last of a range are issued or skipped with a reason; customers and assignments match one to
one. Proved from `registry.customer-events.v1`, as far as it reaches: no code was assigned twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from verifier.events import UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.sources import Sources
from verifier.topics import Record
from verifier.words import CUSTOMER_EVENTS, check_digit

CHECK: Final = "codes"


def code_of(definition: Mapping[str, Any], division: str, serial: int) -> str:
    """The code of a serial: division, serial with leading zeros, check digit over both."""
    body = f"{division}{serial:0{int(definition['serial_digits'])}d}"
    return body + check_digit(body)


def serial_differences(
    name: str, last: int, issued: Iterable[int], skipped: Iterable[int]
) -> list[Difference]:
    """Every serial up to the last is issued or skipped; none is both, none lies beyond. Gaps are told as ranges."""
    taken, passed = set(issued), set(skipped)
    found = [
        Difference(CHECK, f"{name} serial {serial}", "issued or skipped", "one of them", "both")
        for serial in sorted(taken & passed)
    ]
    found += [
        Difference(CHECK, f"{name} serial {serial}", "last serial", f"at least {serial}", str(last))
        for serial in sorted(taken)
        if serial > last
    ]
    missing = [serial for serial in range(1, last + 1) if serial not in taken and serial not in passed]
    start = 0
    for at, serial in enumerate(missing):
        if at + 1 == len(missing) or missing[at + 1] != serial + 1:
            span = str(serial) if missing[start] == serial else f"{missing[start]} to {serial}"
            found.append(
                Difference(CHECK, f"{name} serial {span}", "issued or skipped", "one of them", "neither")
            )
            start = at + 1
    return found


@dataclass(slots=True)
class Assigned:
    """Follows the events: which codes were given."""

    times: dict[str, int] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def follow(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                event = read_event(record)
            except UnreadableError:
                continue  # Told by the services as dead letters; no code is given by it.
            if event.data.get("event") in ("code_assigned", "code_adopted") and event.id not in self._seen:
                self._seen.add(event.id)
                code = str(event.data.get("customer_code"))
                self.times[code] = self.times.get(code, 0) + 1

    def differences(self) -> list[Difference]:
        return [
            Difference(CHECK, code, "times assigned", "1", str(times))
            for code, times in sorted(self.times.items())
            if times > 1
        ]


async def check_codes(sources: Sources, report: Report) -> None:
    """The registry's codes and ranges."""
    db = sources.database("registry")
    if db is None or not await db.has("code_assignments", "code_ranges", "code_skips", "code_schemes"):
        report.notice("codes were not checked: the registry's database is not there")
        return
    definitions = {
        row[0]: json.loads(row[1]) for row in await db.rows("SELECT id, definition FROM code_schemes")
    }
    issued: dict[tuple[str, str], set[int]] = {}
    async for rows in db.chunks(
        "SELECT code, scheme, division, serial FROM code_assignments WHERE origin = 'issued' ORDER BY code"
    ):
        report.count("issued codes", len(rows))
        for code, scheme, division, serial in rows:
            expected = code_of(definitions[scheme], division, serial)
            if code != expected:
                report.add([Difference(CHECK, f"{division} serial {serial}", "code", expected, code)])
            issued.setdefault((scheme, division), set()).add(serial)
    skipped: dict[tuple[str, str], set[int]] = {}
    for row in await db.rows("SELECT scheme, division, serial FROM code_skips"):
        skipped.setdefault((row[0], row[1]), set()).add(row[2])
    ranges = {(row[0], row[1]): row[2] for row in await db.rows("SELECT * FROM code_ranges")}
    for place in sorted(ranges.keys() | issued.keys()):
        report.add(
            serial_differences(
                " ".join(place), ranges.get(place, 0), issued.get(place, set()), skipped.get(place, set())
            )
        )
    for row in await db.rows(
        "SELECT c.code, a.code FROM customers c FULL JOIN code_assignments a ON a.customer_code = c.code "
        "WHERE a.code IS DISTINCT FROM c.code LIMIT 1000"
    ):
        report.add(
            [Difference(CHECK, str(row[0] or row[1]), "customer and assignment", str(row[0]), str(row[1]))]
        )
    assigned = Assigned()
    await sources.read(CUSTOMER_EVENTS, assigned.follow)
    report.add(assigned.differences())
