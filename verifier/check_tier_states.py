"""Latest tiers: `tiering.tiers.v1` says what tiering holds, and reporting shows what the topics say (TIE-20, I7).

Proved by reading `tiering.tiers.v1` and `tiering.tier-changes.v1` up to the place that reporting has read: every row of
`tier_view` and `tier_movement_view` is the fold of the topic, and none is missing. The latest state of each key equals
tiering's standing; one that the outbox still holds is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from verifier.events import UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.schemes import SchemeVersion
from verifier.snapshot import Row, Snapshot
from verifier.sources import Sources, positions
from verifier.topics import Record
from verifier.words import TIER_CHANGES, TIERS, fen_of

CHECK: Final = "latest tiers"
VIEWS: Final = "reporting views"
Facts = dict[str, str]
_STATE: Final = ("scheme_version", "version", "tier", "effective_on", "period", "total", "key_account")
_MOVEMENT: Final = ("scheme_version", "from_tier", "to_tier", "direction", "reason", "effective_on", "period", "total",
                    "key_account")  # fmt: skip


def facts_of(data: Mapping[str, Any], names: Iterable[str]) -> Facts:
    """A published state or change as comparable texts, money in fen. Raises KeyError or ValueError."""
    return {name: str(fen_of(data[name]) if name == "total" else data[name]) for name in names}


def facts_of_row(row: Row, names: Iterable[str]) -> Facts:
    # A numeric of the database may print itself with an exponent.
    return {name: str(int(row["total_fen"]) if name == "total" else row[name]) for name in names}


def differences(
    check: str, where: str, expected: Mapping[str, str], found: Mapping[str, str]
) -> list[Difference]:
    return [
        Difference(check, where, name, value, found[name])
        for name, value in expected.items()
        if name in found and found[name] != value
    ]


@dataclass(slots=True)
class States:
    """Follows the topic of latest tiers; keeps what reporting has read and what tiering said last."""

    wanted: Mapping[str, Facts]
    """`code|scheme` → what tiering's standing says."""
    read_to: Mapping[int, int]
    settled: Callable[[Record], bool]
    """Whether a record was there before the snapshots: a later one may tell what is not in them yet."""
    latest: dict[str, Facts] = field(default_factory=dict)
    viewed: dict[str, tuple[int, int, Facts]] = field(default_factory=dict)
    found: list[Difference] = field(default_factory=list)

    def follow(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                data = read_event(record).data
                key = f"{data['customer_code']}|{data['scheme']}"
                facts = facts_of(data, _STATE)
                version = int(data["version"])
            except (UnreadableError, KeyError, TypeError, ValueError) as problem:
                self.found.append(
                    Difference(CHECK, record.place, "record", "a latest tier", type(problem).__name__)
                )
                continue
            if (record.key or b"") != key.encode():
                self.found.append(Difference(CHECK, record.place, "key", key, repr(record.key)))
            before = self.latest.get(key)
            if before is None or self.settled(record) or not _same(before, self.wanted.get(key, {})):
                self.latest[key] = facts
            if record.offset < self.read_to.get(record.partition, 0):
                seen = self.viewed.get(key)
                if seen is None or seen[:2] < (version, record.offset):
                    self.viewed[key] = (version, record.offset, facts)

    def complete(self) -> bool:
        return all(_same(self.latest.get(key, {}), wanted) for key, wanted in self.wanted.items())


def _same(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return bool(found) and all(found[name] == value for name, value in wanted.items())


def standing_facts(row: Row, versions: Sequence[SchemeVersion]) -> Facts | None:
    """What the topic has to say of a standing; None where the scheme is unknown to this checker."""
    version = next((one for one in reversed(versions) if one.scheme == row["scheme"]), None)
    if version is None:
        return None
    held = row["tier"] > 0 and (row["signed_on"] is not None or not version.needs_agreement)
    return {
        "version": str(row["version"]),
        "tier": version.code(row["tier"]),
        "effective_on": str(row["effective_on"]),
        "period": str(row["year"]),
        "total": str(row["total_fen"]),
        "key_account": str(held),
    }


async def check_tier_states(sources: Sources, versions: Sequence[SchemeVersion], report: Report) -> None:
    """The topic beside standings and beside reporting's view."""
    tiering, reporting = sources.database("tiering"), sources.database("reporting")
    if not sources.ends.get(TIERS):
        report.notice(f"{TIERS} was not compared: it is not there")
        return
    wanted: dict[str, Facts] = {}
    if tiering is not None:
        async for rows in tiering.chunks(
            "SELECT a.code, s.* FROM standings s JOIN accounts a ON a.number = s.account WHERE s.version > 0"
        ):
            for row in rows:
                facts = standing_facts(row, versions)
                if facts is not None:
                    wanted[f"{row['code']}|{row['scheme']}"] = facts
    views = reporting is not None and await reporting.has("tier_view", "tier_movement_view")
    states = States(wanted, await positions(reporting, TIERS) if views and reporting else {}, sources.settled)
    await sources.read(TIERS, states.follow, states.complete)
    report.add(states.found)
    report.count("latest tiers", len(wanted))
    for key, facts in sorted(wanted.items()):
        if key not in states.latest:
            report.add([Difference(CHECK, key, "state told", f"version {facts['version']}", "none")])
        report.add(differences(CHECK, key, facts, states.latest.get(key, {})))
    if views and reporting is not None:
        await _tier_view(reporting, states, report)
        await _movement_view(sources, reporting, report)


_SURVIVORS: Final = """
    WITH RECURSIVE part (alias, code) AS (
        SELECT customer_code, merged_into FROM customer_view WHERE merged_into IS NOT NULL
        UNION SELECT p.alias, c.merged_into FROM part p JOIN customer_view c ON c.customer_code = p.code
            WHERE c.merged_into IS NOT NULL
    ), survivor AS (
        SELECT p.* FROM part p JOIN customer_view c ON c.customer_code = p.code WHERE c.merged_into IS NULL
    )
"""
"""A merged customer's rows belong to the unit and the managers of the one it is part of."""


async def _tier_view(db: Snapshot, states: States, report: Report) -> None:
    expected = {key: facts for key, (_, _, facts) in states.viewed.items()}
    async for rows in db.chunks("SELECT * FROM tier_view ORDER BY customer_code, scheme"):
        report.count("rows of tier_view", len(rows))
        for row in rows:
            key = f"{row['customer_code']}|{row['scheme']}"
            facts = expected.pop(key, None)
            if facts is None:
                report.add([Difference(VIEWS, f"tier_view {key}", "row", "none, nothing was told", "a row")])
            else:
                report.add(differences(VIEWS, f"tier_view {key}", facts, facts_of_row(row, _STATE)))
    report.add(
        Difference(VIEWS, f"tier_view {key}", "row", f"version {facts['version']}", "none")
        for key, facts in sorted(expected.items())
    )
    for view in ("tier_view", "tier_movement_view"):
        for row in await db.rows(
            f"{_SURVIVORS} SELECT v.customer_code, v.unit_path, c.unit_path FROM {view} v "
            "LEFT JOIN survivor s ON s.alias = v.customer_code "
            "LEFT JOIN customer_view c ON c.customer_code = coalesce(s.code, v.customer_code) "
            "WHERE (v.unit_path, v.manager_a, v.manager_b) IS DISTINCT FROM "
            "(c.unit_path, c.manager_a, c.manager_b) LIMIT 1000"
        ):
            report.add([Difference(VIEWS, f"{view} {row[0]}", "unit and managers", str(row[2]), str(row[1]))])


_MOVEMENTS: Final = (
    "SELECT v.* FROM tier_movement_view v JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS w (code, named, number) "
    "ON v.customer_code = w.code AND v.scheme = w.named AND v.version = w.number"
)


async def _movement_view(sources: Sources, db: Snapshot, report: Report) -> None:
    if sources.topics is None or not sources.ends.get(TIER_CHANGES):
        return
    read_to = await positions(db, TIER_CHANGES)
    told = 0
    async for records in sources.topics.read(TIER_CHANGES, list(sources.ends[TIER_CHANGES])):
        if not records:
            break
        changes = _changes_of(one for one in records if one.offset < read_to.get(one.partition, 0))
        keys = list(changes)
        rows = {
            (row["customer_code"], row["scheme"], row["version"]): row
            for row in await db.rows(
                _MOVEMENTS, [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
            )
        }
        told += len(keys)
        for key, facts in changes.items():
            where = f"tier_movement_view {key[0]}|{key[1]}|{key[2]}"
            if key not in rows:
                report.add([Difference(VIEWS, where, "row", "the change told", "none")])
            else:
                report.add(differences(VIEWS, where, facts, facts_of_row(rows[key], _MOVEMENT)))
    stored = await db.value("SELECT count(*) FROM tier_movement_view")
    report.count("rows of tier_movement_view", stored)
    if stored > told:
        report.add([Difference(VIEWS, "tier_movement_view", "rows", str(told), str(stored))])


def _changes_of(records: Iterable[Record]) -> dict[tuple[str, str, int], Facts]:
    changes: dict[tuple[str, str, int], Facts] = {}
    for record in records:
        try:
            data = read_event(record).data
            key = (str(data["customer_code"]), str(data["scheme"]), int(data["version"]))
            changes[key] = facts_of(data, _MOVEMENT)
        except (UnreadableError, KeyError, TypeError, ValueError):
            continue  # Told by the check of the topic itself.
    return changes
