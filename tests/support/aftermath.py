"""What has to hold after any trouble, looked at from outside: topics, HTTP and the product's own checks.

Every function raises AssertionError with what it found, and nothing when all is well.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.support.instance import Instance
from tests.support.outside import Command, Outside

VERSIONED = {
    "registry.customers.v1": ("customer_code",),
    "registry.declarations.v1": ("declaration_id",),
    "claims.plans.v1": ("plan_id",),
    "tiering.tier-changes.v1": ("customer_code", "scheme"),
}
"""Topics whose versions count 1, 2, 3 … and what one such sequence belongs to."""
EVENTS = ("registry.customer-events.v1", "registry.events.v1", "claims.events.v1", "tiering.suspense.v1")

Event = dict[str, Any]


def told(instance: Instance, topic: str) -> list[Event]:
    """Everything on a topic, with the id of each event as `ce_id`; in order within a key. Tombstones are left out."""
    found = []
    for message in instance.read(topic, instance.verifier()):
        if message.value() is not None:
            headers = dict(message.headers() or ())
            found.append({"ce_id": headers["ce_id"].decode(), **json.loads(message.value())})
    return found


def versions_have_no_gap(instance: Instance) -> dict[str, list[Event]]:
    """Each state and each change exactly once and in order; returns what was read."""
    read = {topic: told(instance, topic) for topic in VERSIONED}
    wrong = []
    for topic, names in VERSIONED.items():
        sequences: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for one in read[topic]:
            sequences[tuple(one[name] for name in names)].append(one["version"])
        wrong += [
            f"{topic} {key}: {versions}"
            for key, versions in sequences.items()
            if versions != list(range(1, len(versions) + 1))
        ]
    assert not wrong, wrong[:10]
    return read


def events_are_told_once(instance: Instance) -> None:
    for topic in EVENTS:
        ids = Counter(one["ce_id"] for one in told(instance, topic))
        twice = [id for id, times in ids.items() if times > 1]
        assert not twice, (topic, twice[:10])


def acknowledged_commands_answer_the_same(outside: Outside, notes: Iterable[Command]) -> int:
    """Every acknowledged command once more with its key: the same answer, and so no second effect. Returns how many."""
    count = 0
    for command in notes:
        again = outside.repeat(command)
        assert (again.status, again.body) == (command.reply.status, command.reply.body), (command, again)
        count += 1
    return count


def each_code_is_given_once(customers: Iterable[Event], acknowledged: Mapping[str, str]) -> None:
    """One code for one credit code and the other way round, those of the acknowledged approvals, serials without a gap."""
    codes = {one["customer_code"]: one["uscc"] for one in customers}
    holders = Counter(codes.values())
    assert not [uscc for uscc, times in holders.items() if times > 1], holders.most_common(3)
    by_uscc = {uscc: code for code, uscc in codes.items()}
    lost = {uscc: code for uscc, code in acknowledged.items() if by_uscc.get(uscc) != code}
    assert not lost, lost
    serials = sorted(int(code[6:12]) for code in codes)
    assert serials == list(range(serials[0], serials[0] + len(serials))), "a gap in the serials"


def windows_never_overlap(plans: Iterable[Event]) -> int:
    """At any instant at most one window of a customer, by the last state of every plan. Returns how many there were."""
    last: dict[str, Event] = {}
    for one in plans:
        last[one["plan_id"]] = one
    periods: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for plan in last.values():
        if plan["opens_at"] is not None:
            closed = plan["closed_at"] or plan["settled_at"]
            end = min(datetime.fromisoformat(closed), datetime.fromisoformat(plan["settled_at"]))
            subject = plan["customer_code"] or plan["uscc"]
            periods[subject].append((datetime.fromisoformat(plan["opens_at"]), end, plan["plan_id"]))
    for subject, found in periods.items():
        found.sort()
        for (_, end, one), (begin, _, other) in pairwise(found):
            assert end <= begin, f"{subject}: {one} and {other} overlap"
    return sum(map(len, periods.values()))


def windows_move_at_their_true_times(events: Iterable[Event], plans: Iterable[Event]) -> None:
    """Settling and expiry carry the true end of their window, each once, however late they were noticed."""
    last = {one["plan_id"]: one for one in plans}
    seen: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event["event"] not in ("window_settling", "window_expired"):
            continue
        plan = last[event["plan_id"]]
        assert datetime.fromisoformat(event["happened_at"]) == datetime.fromisoformat(plan["ends_at"]), (
            event,
            plan,
        )
        seen[event["plan_id"], event["event"]] += 1
    assert all(times == 1 for times in seen.values()), seen.most_common(3)


def revenue_is_what_was_acknowledged(instance: Instance, expected: Mapping[tuple[str, int], int]) -> None:
    """The last told revenue of every customer and year is the sum of the acknowledged transactions."""
    latest: dict[tuple[str, int], int] = {}
    for one in told(instance, "tiering.revenue.v1"):
        fen = sum(round(float(month["amount"]) * 100) for month in one["months"])
        latest[one["customer_code"], one["year"]] = fen
    assert latest == dict(expected)


def checks_agree(instance: Instance) -> None:
    """The product's own: views against their topics, and everything against everything."""
    compared = instance.keypost("views", "compare")
    assert compared.code == 0, compared
    verified = instance.keypost("verify")
    assert verified.code == 0, verified
