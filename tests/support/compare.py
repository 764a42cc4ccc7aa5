"""Compares what a real instance did with what the model expects, and says readably where they first differ.

Every function takes plain values read from the outside (topics, command output, SQL) and the finished model, and
returns a list of differences, empty when all is well; `assert_none` turns that into a failing test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TypeVar

from shared.contracts.tiering_v1 import RevenueState
from tests.support.model import SCHEMES, Change, Model
from tests.support.streams import PROBE, Record

T = TypeVar("T", int, str)
SCHEME_NAMES = tuple(scheme.name for scheme in SCHEMES)
DEAD_LETTER_HEADERS = (
    "x-reason",
    "x-detail",
    "x-origin-topic",
    "x-origin-partition",
    "x-origin-offset",
    "x-failed-at",
)


def assert_none(differences: Sequence[str], shown: int = 10) -> None:
    if differences:
        more = f"\n… and {len(differences) - shown} more" if len(differences) > shown else ""
        raise AssertionError(f"{len(differences)} differences:\n" + "\n".join(differences[:shown]) + more)


# Tier changes --------------------------------------------------------------------------------------


def changes(
    events: Iterable[Mapping[str, object]], model: Model, schemes: Sequence[str] = SCHEME_NAMES
) -> list[str]:
    """Tier changes as CloudEvents objects (`id`, `source`, `type`, `data`), in the order of each customer's key.

    Checked: one event an id, versions 1, 2, 3 … in the order read, and every field but `decided_at`, which only has
    to be there. `key` or `subject`, where an event has them, are the customer code. Other schemes are passed over.
    """
    found: list[str] = []
    ids: Counter[str] = Counter()
    actual: dict[tuple[str, str], list[Mapping[str, object]]] = defaultdict(list)
    for event in events:
        data = event["data"]
        assert isinstance(data, Mapping)
        code, scheme = str(data["customer_code"]), str(data["scheme"])
        if scheme not in schemes:
            continue
        ids[str(event["id"])] += 1
        actual[code, scheme].append(data)
        found += _envelope(event, data)
    found += [f"{id} was published {times} times" for id, times in ids.items() if times > 1]
    expected = {key: history for key, history in model.changes.items() if history and key[1] in schemes}
    for key in sorted({*actual, *expected}):
        versions = [data.get("version") for data in actual.get(key, [])]
        if versions != list(range(1, len(versions) + 1)):
            found.append(f"{key[0]} under {key[1]}: versions come as {versions}")
        difference = _first_difference(key, actual.get(key, []), expected.get(key, []))
        if difference:
            found.append(difference)
    return found


def _envelope(event: Mapping[str, object], data: Mapping[str, object]) -> list[str]:
    code = data["customer_code"]
    wanted = {
        "id": f"{code}|{data['scheme']}|{data['version']}",
        "source": "/tiering",
        "type": "keypost.tiering.tier-changed.v1",
    }
    wanted |= {name: str(code) for name in ("key", "subject") if name in event}
    found = [
        f"{wanted['id']}: {name} is {event.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if event.get(name) != value
    ]
    if not data.get("decided_at"):
        found.append(f"{wanted['id']}: decided_at is missing")
    return found


def as_event(data: Mapping[str, object]) -> dict[str, object]:
    """A stored change as the event that carries it."""
    return {
        "id": f"{data['customer_code']}|{data['scheme']}|{data['version']}",
        "source": "/tiering",
        "type": "keypost.tiering.tier-changed.v1",
        "data": data,
    }


def as_data(change: Change) -> dict[str, object]:
    """A change of the model as the contract writes it, without `decided_at`."""
    data = asdict(change)
    data["effective_on"] = change.effective_on.isoformat()
    data["total"] = yuan(change.total)
    cause = change.caused_by
    data["caused_by"] = None if cause is None else {"source": cause[0], "id": cause[1]}
    return data


def yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _first_difference(
    key: tuple[str, str], actual: Sequence[Mapping[str, object]], expected: Sequence[Change]
) -> str | None:
    wanted = [as_data(change) for change in expected]
    for number, (got, want) in enumerate(zip_longest(actual, wanted), start=1):
        fields = [] if got is None or want is None else [n for n in want if not _same(n, got, want)]
        if got is not None and want is not None and not fields:
            continue
        lines = [f"{key[0]} under {key[1]}, change {number} of {len(wanted)} expected, {len(actual)} read:"]
        if number > 1:
            lines.append(f"    before:   {_line(wanted[number - 2])}")
        lines.append(f"    expected: {_line(want)}")
        lines.append(f"    read:     {_line(got)}")
        if got is not None and want is not None:
            lines += [f"    {name}: expected {want[name]!r}, read {got.get(name)!r}" for name in fields]
        return "\n".join(lines)
    return None


def _same(name: str, got: Mapping[str, object], want: Mapping[str, object]) -> bool:
    if name == "caused_by" and want["reason"] in ("agreement_signed", "merged"):
        # A signing or a merge is one event, the registry's own; the model knows customers and not the registry's event ids.
        cause = got.get(name)
        return isinstance(cause, Mapping) and cause.get("source") == "/registry"
    return got.get(name) == want[name]


def _line(data: Mapping[str, object] | None) -> str:
    if data is None:
        return "nothing"
    names = ("from_tier", "to_tier", "reason", "effective_on", "period", "total", "key_account", "caused_by")
    return f"v{data.get('version')} " + " ".join(f"{name}={data.get(name)}" for name in names)


# Figures, standings, suspense ----------------------------------------------------------------------


def totals(actual: Mapping[tuple[str, str, int], int], model: Model) -> list[str]:
    """Totals in fen by (customer, line, year); a total of nothing may be missing."""
    wanted = {key: figures.fen for key, figures in model.totals.items()}
    return _unequal(actual, wanted, "total")


def months(actual: Mapping[tuple[str, str, str], int], model: Model) -> list[str]:
    """Totals in fen by (customer, line, month as 2022-03)."""
    return _unequal(actual, {key: figures.fen for key, figures in model.months.items()}, "month")


def revenue(latest: Iterable[RevenueState], model: Model) -> list[str]:
    """The latest state of each customer's year, month by month and line by line; nothing is left to a merged customer, who
    names the one it was merged into."""
    found, told = [], {}
    for state in latest:
        into = model.customers[state.customer_code].merged_into
        if state.merged_into != into:
            found.append(f"{state.key}: merged into {into} expected, read {state.merged_into}")
        for cell in state.months:
            month = f"{state.year}-{cell.month:02d}"
            told[state.customer_code, cell.line, month] = (cell.amount_fen, cell.pieces, cell.transactions)
    wanted = {key: (figures.fen, figures.pieces, figures.count) for key, figures in model.months.items()}
    return found + [
        f"revenue of {key}: expected {wanted.get(key)}, read {told.get(key)}"
        for key in sorted({*told, *wanted})
        if told.get(key) != wanted.get(key)
    ]


def counts(actual: Mapping[tuple[str, str, int], tuple[int, int]], model: Model) -> list[str]:
    """(pieces, ledger rows) by (customer, line, year)."""
    wanted = {key: (figures.pieces, figures.count) for key, figures in model.totals.items()}
    return [
        f"figures of {key}: expected {wanted.get(key)}, read {actual.get(key)}"
        for key in sorted({*actual, *wanted})
        if actual.get(key, (0, 0)) != wanted.get(key, (0, 0))
    ]


def _unequal(
    actual: Mapping[tuple[str, str, T], int], wanted: Mapping[tuple[str, str, T], int], what: str
) -> list[str]:
    return [
        f"{what} of {key}: expected {yuan(wanted.get(key, 0))}, read {yuan(actual.get(key, 0))}"
        for key in sorted({*actual, *wanted}, key=str)
        if actual.get(key, 0) != wanted.get(key, 0)
    ]


def ledger(actual: Iterable[tuple[str, str]], model: Model) -> list[str]:
    """The identities booked, those made by `replace` included: each exactly once."""
    return _as_sets(actual, [(booking.source, booking.id) for booking in model.ledger], "booked")


def held(actual: Iterable[tuple[str, str, str]], model: Model) -> list[str]:
    """(source, id, reason) of what is in suspense now."""
    wanted = [(*item.transaction.identity, item.reason) for item in model.held()]
    return _as_sets(actual, wanted, "held")


def _as_sets(actual: Iterable[tuple[str, ...]], wanted: Iterable[tuple[str, ...]], what: str) -> list[str]:
    got, want = Counter(actual), Counter(wanted)
    missing = [f"not {what}: {item} (x{times})" for item, times in sorted((want - got).items())]
    return missing + [
        f"{what} without reason: {item} (x{times})" for item, times in sorted((got - want).items())
    ]


def standings(actual: Mapping[tuple[str, str], tuple[str, bool]], model: Model) -> list[str]:
    """(tier, key_account) by (customer, scheme); whoever never had a tier may be missing."""
    wanted = {
        (code, scheme): (model.tier(code, scheme), model.key_account(code, scheme))
        for code in model.customers
        for scheme in SCHEME_NAMES
    }
    nothing = ("none", False)
    return [
        f"standing of {key}: expected {wanted.get(key, nothing)}, read {actual.get(key, nothing)}"
        for key in sorted({*actual, *wanted})
        if actual.get(key, nothing) != wanted.get(key, nothing)
    ]


def duplicates(actual: int, model: Model) -> list[str]:
    return [] if actual == model.duplicates else [f"duplicates: expected {model.duplicates}, read {actual}"]


def closed_years(actual: Mapping[tuple[str, str, int], int], model: Model) -> list[str]:
    """Totals in fen at the close, by (customer, line, year)."""
    return _unequal(actual, model.at_close, "total at the close")


# Dead letters --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeadLetter:
    """A record read from a dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def dead_letters(actual: Iterable[DeadLetter], sent: Iterable[Record], model: Model) -> list[str]:
    """Every poison record once, byte for byte with its key and headers, for a reason that the contract allows."""
    found: list[str] = []
    reasons = {poison.probe: poison.reasons for poison in model.dead_letters}
    originals = {probe: record for record in sent if (probe := _probe(record.headers)) is not None}
    times: Counter[str] = Counter()
    for letter in actual:
        probe = _probe(letter.headers)
        if probe is None or probe not in originals:
            found.append(
                f"a dead letter that should not be: {letter.headers} {(letter.value or b'')[:200]!r}"
            )
            continue
        times[probe] += 1
        original, added = originals[probe], letter.headers[len(originals[probe].headers) :]
        if (letter.key, letter.value) != (original.key, original.value):
            found.append(f"{probe}: key or value changed")
        if letter.headers[: len(original.headers)] != original.headers:
            found.append(f"{probe}: headers changed from {original.headers} to {letter.headers}")
        names = [name for name, _ in added]
        found += [f"{probe}: header {name} is missing" for name in DEAD_LETTER_HEADERS if name not in names]
        reason = dict(added).get("x-reason", b"").decode()
        if reason not in reasons[probe]:
            found.append(f"{probe}: reason {reason!r}, expected one of {sorted(reasons[probe])}")
    found += [f"{probe}: dead-lettered {times[probe]} times" for probe in reasons if times[probe] != 1]
    return found


def dead_letter_counts(actual: Mapping[str, int], model: Model) -> list[str]:
    """Counts by reason: of each at least those that can have no other, at most those that may have it."""
    found = []
    if sum(actual.values()) != len(model.dead_letters):
        found.append(f"dead letters: expected {len(model.dead_letters)}, read {sum(actual.values())}")
    for reason in sorted({*actual, *(reason for poison in model.dead_letters for reason in poison.reasons)}):
        least = sum(poison.reasons == {reason} for poison in model.dead_letters)
        most = sum(reason in poison.reasons for poison in model.dead_letters)
        if not least <= actual.get(reason, 0) <= most:
            found.append(f"dead letters {reason}: expected {least} to {most}, read {actual.get(reason, 0)}")
    return found


def _probe(headers: Iterable[tuple[str, bytes]]) -> str | None:
    return next((value.decode() for name, value in headers if name == PROBE), None)
