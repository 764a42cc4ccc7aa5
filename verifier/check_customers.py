"""Customers: what each service knows of them is what the registry told, and that is what the registry holds (I7).

Proved by reading `registry.customers.v1`: the newest state of each customer equals the registry's tables, and, up to
the place that each other service has read, equals what that service keeps. Fields that a service does not keep are
left out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from verifier.events import UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.snapshot import Row, Snapshot
from verifier.sources import Sources, positions
from verifier.topics import Record
from verifier.words import CUSTOMERS, LINES

CHECK: Final = "customers"
Facts = dict[str, object]
Groups = frozenset[int | None]

_PLAIN: Final = ("version", "name", "uscc", "kind", "status", "merged_into", "unit_code", "city_group", "division",
                 "industry", "manager_a", "manager_b", "upstream_granted_by_province")  # fmt: skip
_OWNER: Final = "registry"


def facts_of_state(data: Mapping[str, Any]) -> Facts:
    """The comparable form of a published state. Raises KeyError or TypeError."""
    facts: Facts = {name: data.get(name) for name in _PLAIN}
    facts["unit_path"] = str(data["unit_path"]).rstrip("/")
    facts["agreements"] = agreements_of(data["agreements"])
    facts["in_force"] = in_force_of(data["agreements"])
    facts["aliases"] = tuple(str(one) for one in data.get("aliases") or ())
    return facts


def survivors_of(told: Mapping[str, Facts]) -> dict[str, str]:
    """What each merged customer is part of, by these states: its own, or that of the survivor which lists it."""
    into: dict[str, str] = {}
    for code, facts in told.items():
        if facts["merged_into"] is not None:
            into[code] = str(facts["merged_into"])
    for code, facts in told.items():
        aliases = facts["aliases"]
        for alias in aliases if isinstance(aliases, tuple) else ():
            into.setdefault(alias, code)
    survivors = {}
    for code in into:
        survivor = code
        for _ in into:
            survivor = into.get(survivor, survivor)
            if survivor not in into:
                break
        survivors[code] = survivor
    return survivors


def agreements_of(said: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Each agreement in one comparable text, in the order of their numbers."""
    return tuple(
        sorted(
            f"{one['agreement_no']} {one['signed_on']}..{one['ends_on']} {','.join(sorted(one['lines'])) or 'all'} "
            f"{one['state']} {one['ended_on']}"
            for one in said
        )
    )


def in_force_of(said: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same for services that keep only what is in force."""
    return tuple(
        sorted(
            f"{one['agreement_no']} {one['signed_on']}..{one['ends_on']} {','.join(sorted(one['lines'])) or 'all'}"
            for one in said
            if one.get("state", "in_force") == "in_force"
        )
    )


def facts_differences(where: str, expected: Facts, found: Facts) -> list[Difference]:
    """Compared are the fields that the service keeps."""
    return [
        Difference(CHECK, where, name, str(expected.get(name)), str(value))
        for name, value in sorted(found.items())
        if expected.get(name) != value
    ]


@dataclass(slots=True)
class Told:
    """What the topic says, as each service has to know it."""

    owned: Mapping[str, int]
    """Customer code → version in the registry's snapshot; newer states are not in it and not looked at."""
    read_to: Mapping[str, Mapping[int, int]]
    """Service → partition → how far it has read."""
    newest: dict[str, dict[str, Facts]] = field(default_factory=dict)
    """Service → customer code → facts."""
    found: list[Difference] = field(default_factory=list)
    states: int = 0
    _steps: dict[str, int] = field(default_factory=dict)
    """Customer code → its version, while every version from 1 on has been seen."""
    _groups: dict[str, set[int | None]] = field(default_factory=dict)

    def follow(self, record: Record, settled: bool) -> None:
        try:
            event = read_event(record)
            code, version = str(event.data["customer_code"]), int(event.data["version"])
            facts = facts_of_state(event.data)
        except (UnreadableError, KeyError, TypeError, ValueError) as problem:
            self.found.append(
                Difference(CHECK, record.place, "record", "a customer's state", type(problem).__name__)
            )
            return
        self.states += 1
        if (record.key or b"") != code.encode():
            self.found.append(Difference(CHECK, record.place, "key", code, repr(record.key)))
        self._note_group(code, version, facts)
        if version <= self.owned.get(code, 0):
            self._keep(_OWNER, code, version, facts)
        elif settled and self.owned:
            known = f"version {self.owned[code]}" if code in self.owned else "no such customer"
            self.found.append(
                Difference(CHECK, f"{code} in registry", "state told", known, f"version {version}")
            )
        for service, read_to in self.read_to.items():
            if record.offset < read_to.get(record.partition, 0):
                self._keep(service, code, version, facts)

    def _keep(self, service: str, code: str, version: int, facts: Facts) -> None:
        known = self.newest.setdefault(service, {}).get(code)
        if known is None or int(str(known["version"])) <= version:
            self.newest[service][code] = facts

    def _note_group(self, code: str, version: int, facts: Facts) -> None:
        group = facts["city_group"]
        self._groups.setdefault(code, set()).add(group if isinstance(group, int) else None)
        if version == self._steps.get(code, 0) + 1:
            self._steps[code] = version
        elif version > self._steps.get(code, 0):
            self._steps[code] = -1  # A step is gone, so other groups may have been told.

    def complete(self) -> bool:
        told = self.newest.get(_OWNER, {})
        return all(code in told and told[code]["version"] == version for code, version in self.owned.items())

    def groups(self) -> dict[str, Groups]:
        """Every city group that a customer had, for those whose states are all there."""
        return {
            code: frozenset(groups) for code, groups in self._groups.items() if self._steps.get(code, 0) > 0
        }


# -- what each service keeps ------------------------------------------------------------------------------------------

_REGISTRY: Final = """
    SELECT c.*, (SELECT coalesce(jsonb_agg(jsonb_build_object('agreement_no', a.agreement_no, 'signed_on', a.signed_on,
        'ends_on', a.ends_on, 'lines', to_jsonb(a.lines), 'state', a.state, 'ended_on', a.ended_on)), '[]')
        FROM agreements a WHERE a.customer_code = c.code) AS agreements FROM customers c ORDER BY c.code
"""


def _kept_by_registry(row: Row) -> tuple[str, Facts]:
    facts = _columns(row)
    facts["agreements"] = agreements_of(json.loads(row["agreements"]))
    return row["code"], facts


_TIERING: Final = """
    WITH RECURSIVE part (number, root) AS (
        SELECT number, merged_into FROM accounts WHERE merged_into IS NOT NULL
        UNION SELECT p.number, a.merged_into FROM part p JOIN accounts a ON a.number = p.root
            WHERE a.merged_into IS NOT NULL
    ), last AS (SELECT p.number, a.code FROM part p JOIN accounts a ON a.number = p.root WHERE a.merged_into IS NULL)
    SELECT a.*, coalesce(l.code, a.code) AS survivor FROM accounts a LEFT JOIN last l USING (number) ORDER BY a.code
"""


def _kept_by_tiering(row: Row) -> tuple[str, Facts]:
    agreements = [
        {
            "agreement_no": one["number"],
            "signed_on": one["signed_on"],
            "ends_on": one["ends_on"],
            "lines": [LINES[line] for line in one["lines"]],
            "state": "in_force" if one["in_force"] else "ended",
            "ended_on": one["ended_on"],
        }
        for one in json.loads(row["agreements"])
    ]
    facts: Facts = {
        "version": row["state_version"],
        "status": row["status"],
        "survivor": row["survivor"],
    }
    if row["merged_into"] is not None:
        # It belongs where its survivor does, and its agreements are the survivor's.
        return row["code"], facts
    return row["code"], facts | {
        "unit_code": row["unit_code"],
        "unit_path": row["unit_path"].rstrip("/"),
        "manager_a": row["manager"],
        "city_group": row["city_group"],
        "upstream_granted_by_province": row["upstream"],
        "agreements": agreements_of(agreements),
    }


def _kept_by_claims(row: Row) -> tuple[str, Facts]:
    facts = _columns(row)
    facts["agreements"] = agreements_of(json.loads(row["agreements"]))
    return row["customer_code"], facts


def _kept_by_reporting(row: Row) -> tuple[str, Facts]:
    facts = _columns(row)
    facts["in_force"] = in_force_of(json.loads(row["agreements"]))
    return row["customer_code"], facts


def _columns(row: Row) -> Facts:
    facts: Facts = {name: row[name] for name in _PLAIN if name in row.keys()}  # noqa: SIM118 - a row is no dict
    facts["unit_path"] = row["unit_path"].rstrip("/")
    return facts


_KEEPERS: Final[dict[str, tuple[str, str, Callable[[Row], tuple[str, Facts]]]]] = {
    "registry": ("customers", _REGISTRY, _kept_by_registry),
    "tiering": ("accounts", _TIERING, _kept_by_tiering),
    "claims": ("customers", "SELECT * FROM customers ORDER BY customer_code", _kept_by_claims),
    "reporting": ("customer_view", "SELECT * FROM customer_view ORDER BY customer_code", _kept_by_reporting),
}


async def check_customers(sources: Sources, report: Report) -> dict[str, Groups]:
    """The topic beside every service's customers; returns the city groups told, for the check of tiers."""
    keepers: dict[str, Snapshot] = {}
    for service, (table, _, _) in _KEEPERS.items():
        db = sources.database(service)
        if db is not None and await db.has(table):
            keepers[service] = db
    if not keepers or not sources.ends.get(CUSTOMERS):
        report.notice(f"{CUSTOMERS} was not compared: it or the databases are not there")
        return {}
    owned = {}
    if _OWNER in keepers:
        owned = {row[0]: row[1] for row in await keepers[_OWNER].rows("SELECT code, version FROM customers")}
    readers = {
        service: await positions(db, CUSTOMERS) for service, db in keepers.items() if service != _OWNER
    }
    told = Told(owned, readers)

    def follow(records: list[Record]) -> None:
        for record in records:
            told.follow(record, sources.settled(record))

    await sources.read(CUSTOMERS, follow, told.complete)
    report.add(told.found)
    for service, db in keepers.items():
        _, statement, keep = _KEEPERS[service]
        report.add([one async for one in _compared(service, db.chunks(statement), keep, told, report)])
    return told.groups()


async def _compared(
    service: str,
    chunks: AsyncIterator[list[Row]],
    keep: Callable[[Row], tuple[str, Facts]],
    told: Told,
    report: Report,
) -> AsyncIterator[Difference]:
    expected = dict(told.newest.get(service, {}))
    survivors = survivors_of(expected)
    async for rows in chunks:
        report.count(f"customers of {service}", len(rows))
        for row in rows:
            code, facts = keep(row)
            said = expected.pop(code, None)
            where = f"{code} in {service}"
            if said is None and facts["version"] == 0:
                continue  # Opened by the other side of a merge, whose own state is still to be read.
            if said is None:
                yield Difference(CHECK, where, "state told", f"version {facts['version']}", "none")
                continue
            said = said | {"survivor": survivors.get(code, code)}
            for one in facts_differences(where, said, facts):
                yield one
    for code, said in sorted(expected.items()):
        yield Difference(CHECK, f"{code} in {service}", "customer", f"version {said['version']}", "none")
