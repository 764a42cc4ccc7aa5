"""The tier-change topic: every stored change once, in order, word for word (10-contracts, TIE-21, invariant I2).

Proved by reading the topic from its beginning with read_committed beside the table `tier_changes`: per customer and
scheme the versions follow one another without a gap or a repetition, per customer the order is that of the table, and
each payload equals the stored event field by field. A change the outbox still holds is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from verifier.events import Event, UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.snapshot import Row
from verifier.sources import Sources
from verifier.topics import Record
from verifier.words import TIER_CHANGES

CHECK: Final = "tier-changes topic"
TYPE: Final = "keypost.tiering.tier-changed.v1"


@dataclass(slots=True)
class Published:
    """Follows the topic. Only the last version of each customer and scheme is remembered."""

    from_beginning: bool = True
    last: dict[tuple[str, str], int] = field(default_factory=dict)
    found: list[Difference] = field(default_factory=list)

    def follow(self, record: Record) -> tuple[str, str, int, Event] | None:
        """(customer, scheme, version) and the event, when the record is a change that may follow."""
        try:
            event = read_event(record)
            code, scheme = str(event.data["customer_code"]), str(event.data["scheme"])
            version = int(event.data["version"])
        except (UnreadableError, KeyError, TypeError, ValueError) as problem:
            self._differs(record.place, "record", "a tier change", type(problem).__name__)
            return None
        wanted = f"{code}|{scheme}|{version}"
        for what, expected, said in (
            ("id", wanted, event.id),
            ("type", TYPE, event.type),
            ("source", "/tiering", event.source),
            ("key", code, (record.key or b"").decode("utf-8", "replace")),
        ):
            if expected != said:
                self._differs(record.place, what, expected, said)
        before = self.last.get((code, scheme))
        if before is None and not self.from_beginning:
            before = version - 1
        if version != (before or 0) + 1:
            what = (
                "once, in order"
                if before is not None and version <= before
                else "version after the one before"
            )
            self._differs(f"{wanted} at {record.place}", what, str((before or 0) + 1), str(version))
        self.last[code, scheme] = max(version, before or 0)
        return code, scheme, version, event

    def _differs(self, where: str, what: str, expected: str, found: str) -> None:
        self.found.append(Difference(CHECK, where, what, expected, found))


def payload_differences(
    name: str, stored: Mapping[str, Any], published: Mapping[str, Any]
) -> list[Difference]:
    """Field by field, fields that only one side has included."""
    return [
        Difference(CHECK, name, field_name, _shown(stored, field_name), _shown(published, field_name))
        for field_name in sorted(stored.keys() | published.keys())
        if _shown(stored, field_name) != _shown(published, field_name)
    ]


def _shown(event: Mapping[str, Any], name: str) -> str:
    return json.dumps(event[name], sort_keys=True, ensure_ascii=False) if name in event else "absent"


_STORED: Final = (
    "SELECT t.customer_code, t.scheme, t.version, t.number, t.event FROM tier_changes t JOIN unnest($1::text[], $2::text[], "
    "$3::int[]) AS w (code, scheme_code, wanted) ON t.scheme = w.scheme_code AND t.version = w.wanted "
    "JOIN accounts a ON a.code = w.code AND a.number = t.account"
)


async def check_changes(sources: Sources, report: Report) -> None:
    """The topic beside the table."""
    db = sources.database("tiering")
    if db is None or sources.topics is None or not sources.ends.get(TIER_CHANGES):
        report.notice(f"{TIER_CHANGES} was not compared: it or its database is not there")
        return
    stored_last = {
        (row[0], row[1]): row[2]
        for row in await db.rows(
            "SELECT customer_code, scheme, max(version) FROM tier_changes GROUP BY customer_code, scheme"
        )
    }
    published = Published(sources.from_beginning(TIER_CHANGES))
    behind = len(stored_last)
    orders: dict[str, int] = {}
    async for records in sources.topics.read(TIER_CHANGES, list(sources.ends[TIER_CHANGES])):
        if not records:
            if behind <= 0 or sources.waiting_over():
                break
            continue
        told: list[tuple[Record, str, str, int, Event]] = []
        for record in records:
            change = published.follow(record)
            if change is not None:
                code, scheme, version, event = change
                # What was published after the snapshot was taken is not in it.
                if version <= stored_last.get((code, scheme), 0) or sources.settled(record):
                    told.append((record, code, scheme, version, event))
                if version == stored_last.get((code, scheme)):
                    behind -= 1
        rows = await db.rows(_STORED, [t[1] for t in told], [t[2] for t in told], [t[3] for t in told])
        report.count("tier changes on the topic", len(told))
        report.add(_against({(row[0], row[1], row[2]): row for row in rows}, told, orders))
    report.add(published.found)
    report.add(
        Difference(CHECK, f"{code}|{scheme}", "last version published", str(version), str(reached))
        for (code, scheme), version in sorted(stored_last.items())
        if (reached := published.last.get((code, scheme), 0)) < version
    )


def _against(
    stored: Mapping[tuple[str, str, int], Row],
    told: Iterable[tuple[Record, str, str, int, Event]],
    orders: dict[str, int],
) -> list[Difference]:
    found: list[Difference] = []
    for record, code, scheme, version, event in told:
        name = f"{code}|{scheme}|{version}"
        row = stored.get((code, scheme, version))
        if row is None:
            found.append(Difference(CHECK, name, "published change", "none stored", record.place))
            continue
        found += payload_differences(name, json.loads(bytes(row["event"])), event.data)
        if row["number"] <= orders.get(code, 0):
            found.append(
                Difference(
                    CHECK, name, "order per customer", f"after number {orders[code]}", str(row["number"])
                )
            )
        orders[code] = max(orders.get(code, 0), row["number"])
    return found
