"""Exclusive windows (I3): at most one per customer at any instant, each opened once and closed once for one reason.

Recomputed from what claims told, and compared with what it holds:
- `claims.events.v1`: the events of each window are one of the possible lives of a window, in order;
- `claims.plans.v1`: the newest state of each plan is the row of that plan, and of its window;
- `claims.windows.v1`: on each key the holder changes only through a record without a value, and what lies there last is
  the window that is in force or settling, if any;
- the table of windows: no two in force overlap, whatever the constraint says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from verifier.events import UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.snapshot import Snapshot
from verifier.sources import Sources
from verifier.topics import Record

CHECK: Final = "windows"
PLANS: Final = "claims.plans.v1"
WINDOWS: Final = "claims.windows.v1"
CLAIMS_EVENTS: Final = "claims.events.v1"
TOPICS: Final = (PLANS, WINDOWS, CLAIMS_EVENTS)
TABLES: Final = ("plans", "windows", "cases")
LIVE: Final = ("active", "settling")

_STEPS: Final = {
    "window_opened": "o",
    "window_extended": "e",
    "window_settling": "s",
    "window_succeeded": "S",
    "window_expired": "X",
    "window_withdrawn": "W",
}
# Progress and the like lie between; a window may still be in force when we look.
_LIVES: Final = re.compile(r"oe*(s(X|S|W)?|S|W)?")
_COMPARED: Final = (
    "version", "state", "unit_code", "queued", "opens_at", "ends_at", "settled_at", "closed_at", "rule_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a window as it was told."""

    id: str
    plan_id: str
    plan_version: int
    event: str
    happened_at: str
    by: str


def life_differences(events: Iterable[Happened]) -> list[Difference]:
    """Where the events of a window are no possible life of one, or its automatic moves were not the system's."""
    lives: dict[str, list[Happened]] = {}
    for event in events:
        if event.event in _STEPS:
            lives.setdefault(event.plan_id, []).append(event)
    found = []
    for plan_id, told in sorted(lives.items()):
        ordered = sorted(told, key=lambda one: one.plan_version)
        life = "".join(_STEPS[one.event] for one in ordered)
        if _LIVES.fullmatch(life) is None:
            words = ", ".join(one.event for one in ordered)
            found.append(Difference(CHECK, plan_id, "life", "opened once, closed at most once", words))
        found += [
            Difference(CHECK, plan_id, f"who did {one.event}", "service:claims", one.by)
            for one in ordered
            if one.event in ("window_opened", "window_settling", "window_expired", "window_succeeded")
            and one.by != "service:claims"
        ]
    return found


@dataclass(slots=True)
class Holders:
    """Follows `claims.windows.v1`: who holds each key, and where a holder was replaced without having gone."""

    last: dict[str, tuple[str, int, str] | None] = field(default_factory=dict)
    """Key → plan, version and state of the last record; None where that was one without a value."""
    gone: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Key → plan and version of the last record without a value."""
    found: list[Difference] = field(default_factory=list)

    def follow(self, record: Record) -> None:
        key = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            self.last[key] = None
            said = dict(record.headers or ()).get("ce_id") or b""
            parts = said.decode("utf-8", "replace").split("|")
            if len(parts) >= 3 and parts[2].isdigit():
                self.gone[key] = (parts[1], int(parts[2]))
            return
        try:
            data = read_event(record).data
            state = (str(data["plan_id"]), int(data["version"]), str(data["state"]))
        except (UnreadableError, KeyError, TypeError, ValueError) as problem:
            self.found.append(Difference(CHECK, record.place, "record", "a window", type(problem).__name__))
            return
        before = self.last.get(key)
        if before is not None and before[0] != state[0]:
            self.found.append(
                Difference(CHECK, f"{WINDOWS} {key}", "holder", f"none after {before[0]}", state[0])
            )
        self.last[key] = state

    def differences(
        self, live: Mapping[str, tuple[str, int, str]], versions: Mapping[str, int]
    ) -> list[Difference]:
        """Against the windows in force in the database (by key) and the versions of all plans there; what is newer than
        the snapshot is left out."""
        found = list(self.found)
        for key, wanted in sorted(live.items()):
            last = self.last.get(key)
            newer = last is not None and last[1] > versions.get(last[0], 0)
            over = (
                last is None and key in self.gone and self.gone[key][1] > versions.get(self.gone[key][0], 0)
            )
            if last != wanted and not newer and not over:
                found.append(Difference(CHECK, f"{WINDOWS} {key}", "latest record", str(wanted), str(last)))
        for key, last in sorted(self.last.items()):
            if last is not None and key not in live and last[1] <= versions.get(last[0], 0):
                found.append(Difference(CHECK, f"{WINDOWS} {key}", "latest record", "none", str(last)))
        return found


@dataclass(slots=True)
class Plans:
    """Follows `claims.plans.v1`: the states of each plan up to the version that the snapshot has."""

    wanted: Mapping[str, Mapping[str, Any]]
    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: int = 0

    def follow(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                data = read_event(record).data
                plan_id, version = str(data["plan_id"]), int(data["version"])
            except (UnreadableError, KeyError, TypeError, ValueError):
                continue  # Found missing below, if it was the newest.
            self.records += 1
            row = self.wanted.get(plan_id)
            if row is not None and version <= row["version"]:
                before = self.newest.get(plan_id)
                if before is None or before["version"] <= version:
                    self.newest[plan_id] = data

    def complete(self) -> bool:
        return all(
            self.newest.get(plan_id, {}).get("version") == row["version"]
            for plan_id, row in self.wanted.items()
        )

    def differences(self) -> list[Difference]:
        found = []
        for plan_id, row in sorted(self.wanted.items()):
            told = self.newest.get(plan_id, {})
            found += [
                Difference(CHECK, plan_id, name, str(row[name]), str(_value(told.get(name))))
                for name in _COMPARED
                if _value(told.get(name)) != row[name]
            ]
        return found


async def check_windows(sources: Sources, report: Report) -> None:
    """Everything about windows."""
    db = sources.database("claims")
    if db is None or not await db.has("plans", "windows"):
        report.notice("windows were not checked: the database of claims is not there")
        return
    await _check_tables(db, report)
    columns = ", ".join(_COMPARED)
    rows = {row[0]: dict(row) for row in await db.rows(f"SELECT id, {columns} FROM plans")}
    report.count("plans", len(rows))
    plans = Plans({plan_id: {name: _value(row[name]) for name in _COMPARED} for plan_id, row in rows.items()})
    if await sources.read(PLANS, plans.follow, plans.complete):
        report.add(plans.differences())
    await _check_holders(sources, db, {plan_id: row["version"] for plan_id, row in rows.items()}, report)
    await _check_lives(sources, report)


async def _check_tables(db: Snapshot, report: Report) -> None:
    report.count("windows", int(await db.value("SELECT count(*) FROM windows")))
    for row in await db.rows(
        "SELECT a.plan_id, b.plan_id FROM windows a JOIN windows b ON b.subject_id = a.subject_id"
        " AND a.plan_id < b.plan_id WHERE a.state IN ('registered', 'active', 'settling')"
        " AND b.state IN ('registered', 'active', 'settling')"
        " AND a.opens_at < b.settled_at AND b.opens_at < a.settled_at"
    ):
        report.add([Difference(CHECK, f"{row[0]} and {row[1]}", "in force together", "never", "both")])
    for row in await db.rows(
        "SELECT p.id, p.state, w.state FROM plans p FULL JOIN windows w ON w.plan_id = p.id"
        " WHERE (p.opens_at IS NOT NULL) <> (w.plan_id IS NOT NULL)"
        " OR w.plan_id IS NOT NULL AND (p.state, p.version, p.subject_id, p.opens_at, p.ends_at, p.settled_at)"
        " <> (w.state, w.version, w.subject_id, w.opens_at, w.ends_at, w.settled_at)"
        " OR p.closed_at IS DISTINCT FROM w.closed_at AND w.plan_id IS NOT NULL"
    ):
        report.add([Difference(CHECK, str(row[0]), "window of the plan", str(row[1]), str(row[2]))])


async def _check_holders(sources: Sources, db: Snapshot, versions: Mapping[str, int], report: Report) -> None:
    live = {
        row[0]: (row[1], row[2], row[3])
        for row in await db.rows(
            "SELECT window_key, plan_id, version, state FROM windows WHERE state IN ('active', 'settling')"
        )
    }
    holders = Holders()

    def follow(records: list[Record]) -> None:
        for record in records:
            holders.follow(record)

    if await sources.read(WINDOWS, follow, lambda: not holders.differences(live, versions)):
        report.count("keys of windows", len(holders.last))
        report.add(holders.differences(live, versions))


async def _check_lives(sources: Sources, report: Report) -> None:
    events: dict[str, Happened] = {}
    twice: list[Difference] = []

    def follow(records: list[Record]) -> None:
        for record in records:
            try:
                event = read_event(record)
                data = event.data
                if data.get("event") not in _STEPS:
                    continue
                said = Happened(
                    event.id, str(data["plan_id"]), int(data["plan_version"]), str(data["event"]),
                    str(data["happened_at"]), str(data["by"]),
                )  # fmt: skip
            except (UnreadableError, KeyError, TypeError, ValueError):
                continue
            if event.id in events:
                twice.append(Difference(CHECK, event.id, "times told", "1", "2"))
            events[event.id] = said

    if await sources.read(CLAIMS_EVENTS, follow):
        report.add(twice)
        report.count("events of windows", len(events))
        # A life whose beginning has left the topic cannot be judged.
        if sources.from_beginning(CLAIMS_EVENTS):
            report.add(life_differences(events.values()))


def _value(value: Any) -> Any:
    """Instants of both sides in one form: published ones have milliseconds."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return value
