"""What a tier change says of itself: the fields of its event, its place in the chain, and what it leaves held."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from verifier.bookings import Change, Standing
from verifier.report import Difference
from verifier.schemes import NONE, SchemeVersion
from verifier.words import fen_of, same_millisecond

CHECK: Final = "tiers"
_FIELDS: Final = ("customer_code", "scheme", "scheme_version", "version", "from_tier", "to_tier", "direction", "reason",
                  "effective_on", "period", "total", "key_account", "decided_at", "caused_by")  # fmt: skip


def event_differences(change: Change) -> Iterable[Difference]:
    """The event has every field of the contract, readable, and says the same as the columns beside it."""
    event = change.event
    missing = [name for name in _FIELDS if name not in event]
    if missing:
        yield Difference(
            CHECK, change.id, "fields of the event", "all of the contract", f"no {', '.join(missing)}"
        )
        return
    try:
        fen_of(str(event["total"]))
        date.fromisoformat(str(event["effective_on"]))
        decided_at = datetime.fromisoformat(str(event["decided_at"]))
        int(str(event["period"])[:4])
    except ValueError as problem:
        yield Difference(CHECK, change.id, "fields of the event", "readable", str(problem))
        return
    columns: tuple[tuple[str, object], ...] = (
        ("customer_code", change.customer_code),
        ("scheme", change.scheme),
        ("version", change.version),
    )
    for name, value in columns:
        if event[name] != value:
            yield Difference(CHECK, change.id, name, str(value), str(event[name]))
    if decided_at.tzinfo is None or not same_millisecond(decided_at, change.decided_at):
        yield Difference(
            CHECK, change.id, "decided_at", change.decided_at.isoformat(), str(event["decided_at"])
        )


def chain_differences(
    change: Change, before: Change | None, version: SchemeVersion | None
) -> Iterable[Difference]:
    """Versions count 1, 2, 3 …; a change starts where the one before it ended and is not effective before it."""
    event = change.event
    number = before.version + 1 if before else 1
    if change.version != number:
        yield Difference(CHECK, change.id, "version", str(number), str(change.version))
    held = str(before.event.get("to_tier")) if before else NONE
    if event["from_tier"] != held:
        yield Difference(CHECK, change.id, "from_tier", held, str(event["from_tier"]))
    if before is not None and "effective_on" in before.event and change.effective_on < before.effective_on:
        found = str(change.effective_on)
        yield Difference(CHECK, change.id, "effective_on", f"not before {before.effective_on}", found)
    if version is None:
        yield Difference(CHECK, change.id, "scheme_version", "a known one", str(event["scheme_version"]))
        return
    start, end = version.number(str(event["from_tier"])), version.number(str(event["to_tier"]))
    if start is None or end is None:
        found = f"{event['from_tier']} to {event['to_tier']}"
        yield Difference(CHECK, change.id, "tiers", "levels of the scheme", found)
        return
    direction = "promotion" if end > start else "demotion"
    if event["reason"] in ("merged", "corrected"):
        direction = "correction"
    if event["direction"] != direction or (start == end and direction != "correction"):
        yield Difference(CHECK, change.id, "direction", direction, str(event["direction"]))
    if event["reason"] not in ("granted", "corrected", "scheme_changed") and event["key_account"] is not (
        end > 0
    ):
        yield Difference(CHECK, change.id, "key_account", str(end > 0), str(event["key_account"]))


def standing_differences(
    where: str, standing: Standing, last: Change | None, version: SchemeVersion
) -> list[Difference]:
    """What is held is what the last change said."""
    if last is None:
        said: tuple[object, ...] = (NONE, 0, None, None, None, None, None, None)
    elif list(event_differences(last)):
        return []
    else:
        event = last.event
        said = (event["to_tier"], last.version, last.effective_on, event["from_tier"], event["direction"],
                event["reason"], last.year, last.total_fen)  # fmt: skip
    holds = (
        version.code(standing.tier), standing.version, standing.effective_on,
        None if standing.from_tier is None else version.code(standing.from_tier),
        standing.direction, standing.reason, standing.year, standing.total_fen,
    )  # fmt: skip
    names = ("tier", "version", "effective_on", "from_tier", "direction", "reason", "year", "total_fen")
    return [
        Difference(CHECK, where, f"standing's {name}", str(expected), str(found))
        for name, expected, found in zip(names, said, holds, strict=True)
        if expected != found
    ]
