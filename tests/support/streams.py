"""Scenarios for proving the product against the model: what to do to a real instance, and the steps the model takes.

A scenario is a list of phases. Each is carried out to its end (`keypost wait-idle`) before the next begins, so the
interleaving of topics does not matter. Within a phase the ledger may see partitions in any order; records of one key
keep theirs. Scenarios are made so that nothing expected depends on the order between keys, which
`tests/unit/test_streams.py` checks.

The bytes are written here, by a small writer of the tests' own, from the contract alone.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar

from tests.support.model import (
    LINES,
    SHANGHAI,
    Advance,
    Agreement,
    Close,
    Customer,
    Decide,
    Held,
    Model,
    Poison,
    Step,
    Transaction,
    check_digit,
    day_of,
)

TYPE = "keypost.counter.transaction.v1"
PROBE = "probe"
"""The header that marks a poison record, so that its dead letter can be told from others (headers are kept)."""
UNITS: Mapping[int | None, tuple[str, ...]] = {
    None: ("", "3205"),
    1: ("3201", "320102"),
    2: ("3203",),
    3: ("3207",),
}
"""Units of the shipped organisation by city group; blank is the default organisation's centre, which has none."""

T = TypeVar("T")
Headers = tuple[tuple[str, bytes], ...]


class Dice:
    """A small generator of whole numbers (splitmix64), the same on every version of Python."""

    def __init__(self, seed: int) -> None:
        self._state = seed & 0xFFFFFFFFFFFFFFFF

    def roll(self, sides: int) -> int:
        """A number from 0 to `sides` - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return (mixed ^ (mixed >> 31)) % sides

    def per_mille(self, chance: int) -> bool:
        return self.roll(1000) < chance

    def pick(self, among: Sequence[T]) -> T:
        return among[self.roll(len(among))]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        result = list(items)
        for index in range(len(result) - 1, 0, -1):
            other = self.roll(index + 1)
            result[index], result[other] = result[other], result[index]
        return result


# Records -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One Kafka record for `counter.transactions.v1`, with the step by which the model sees it."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    step: Transaction | Poison


def yuan(fen: int, dice: Dice) -> str:
    """An amount as counters may write it: 10, 10.0 and 10.00 are the same."""
    whole, cents = divmod(fen, 100)
    if cents % 10:
        return f"{whole}.{cents:02d}"
    forms = [f"{whole}.{cents:02d}", f"{whole}.{cents // 10}"]
    if cents == 0:
        forms.append(str(whole))
    return dice.pick(forms)


def body(transaction: Transaction, dice: Dice) -> dict[str, object]:
    """The `data` of a transaction; defaults are now written and now left out, the order of fields changes."""
    offset = dice.pick((SHANGHAI, SHANGHAI, UTC, timezone(timedelta(hours=-5))))
    fields: dict[str, object] = {
        "customer_code": transaction.customer_code,
        "counter_id": transaction.counter_id,
        "line": transaction.line,
        "kind": transaction.kind,
        "amount": yuan(transaction.fen, dice),
        "occurred_at": transaction.occurred_at.astimezone(offset).isoformat().replace("+00:00", "Z"),
    }
    default_day = transaction.day == day_of(transaction.occurred_at)
    if not default_day or dice.roll(2):
        fields["business_date"] = transaction.day.isoformat()
    elif dice.roll(2):
        fields["business_date"] = None
    if transaction.settlement != "cash" or dice.roll(2):
        fields["settlement"] = transaction.settlement
    for name in ("pieces", "reverses", "manager_id", "clerk_id", "product", "destination"):
        value = getattr(transaction, name)
        if value is not None or dice.per_mille(200):
            fields[name] = value
    if dice.per_mille(200):
        fields[dice.pick(("till", "shift", "备注"))] = dice.pick(("3", 7, None, ["夜班"], {"a": 1.5}))
    return dict(dice.shuffled(fields.items())) if dice.per_mille(300) else fields


def envelope(identity: tuple[str, str], dice: Dice) -> dict[str, str]:
    source, id = identity
    attributes = {"specversion": "1.0", "id": id, "source": source, "type": TYPE}
    if dice.roll(2):
        attributes["time"] = f"2022-12-{1 + dice.roll(28):02d}T{dice.roll(24):02d}:00:00Z"
    if dice.per_mille(200):
        attributes["subject"] = f"s{dice.roll(1000)}"
    if dice.per_mille(100):
        attributes["traceparent"] = f"00-{1 + dice.roll(1 << 60):032x}-{1 + dice.roll(1 << 60):016x}-01"
    return attributes


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def binary(attributes: Mapping[str, str], value: bytes, *extra: tuple[str, bytes]) -> tuple[bytes, Headers]:
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return value, (*headers, ("content-type", b"application/json"), *extra)


def structured(attributes: Mapping[str, str], data: object, dice: Dice) -> tuple[bytes, Headers]:
    value = dumps({**attributes, "datacontenttype": "application/json", "data": data})
    content_type = dice.pick(
        (b"application/cloudevents+json", b"application/cloudevents+json; charset=utf-8", None)
    )
    return value, (() if content_type is None else (("content-type", content_type),))


def write(transaction: Transaction, key: bytes | None, dice: Dice, in_binary: bool | None = None) -> Record:
    """A transaction as a record, in either CloudEvents mode (half of each unless told)."""
    attributes, data = envelope(transaction.identity, dice), body(transaction, dice)
    if in_binary if in_binary is not None else dice.roll(2):
        content_type = dice.pick((b"application/json", b"application/json; charset=utf-8"))
        value, headers = binary(attributes, dumps(data))
        headers = tuple((name, content_type if name == "content-type" else text) for name, text in headers)
    else:
        value, headers = structured(attributes, data, dice)
    return Record(key, value, headers, transaction)


def is_binary(record: Record) -> bool:
    return any(name.startswith("ce_") for name, _ in record.headers)


# Poison --------------------------------------------------------------------------------------------


def poisons(code: str, dice: Dice, label: str) -> Iterator[Record]:
    """One record of each kind that cannot be understood. Where the contract leaves the reason open, any is allowed."""
    number = 0

    def poison(value: bytes | None, headers: Headers, *reasons: str, key: bytes | None = b"") -> Record:
        nonlocal number
        number += 1
        probe = f"{label}-{number:03d}"
        marked = (*headers, (PROBE, probe.encode()))
        return Record(code.encode() if key == b"" else key, value, marked, Poison(probe, frozenset(reasons)))

    def attributes(**changes: str | None) -> dict[str, str]:
        given = {"specversion": "1.0", "id": f"poison-{label}-{number}", "source": "/counters/poison"}
        merged = {**given, "type": TYPE, **changes}
        return {name: text for name, text in merged.items() if text is not None}

    def fields(**changes: object) -> dict[str, object]:
        good: dict[str, object] = {
            "customer_code": code,
            "counter_id": "32050001",
            "line": "express",
            "kind": "sale",
            "amount": "1000000.00",
            "occurred_at": "2022-06-01T10:00:00+08:00",
        }
        return {**good, **changes}

    def without(name: str) -> dict[str, object]:
        return {key: value for key, value in fields().items() if key != name}

    bare: Headers = ()
    cloudevents: Headers = (("content-type", b"application/cloudevents+json"),)
    text = dumps(fields()).decode()

    for value in (b"{", b"", b"not json", dumps(fields())[:-1], b"{'amount': '1'}", dumps(fields()) + b"}"):
        yield poison(*binary(attributes(), value), "not_json")
    yield poison(b'{"specversion": "1.0", "id": ', cloudevents, "not_json")
    yield poison(None, binary(attributes(), b"")[1], "not_json", "not_cloudevent", "missing_field")
    yield poison(None, bare, "not_json", "not_cloudevent", key=None)

    yield poison(dumps(fields()), bare, "not_cloudevent")
    yield poison(dumps(fields()), (("content-type", b"application/json"),), "not_cloudevent")
    yield poison(b"[]", bare, "not_cloudevent", "not_json")
    yield poison(
        dumps({**attributes(id=None), "data": fields()}), cloudevents, "not_cloudevent", "missing_field"
    )
    yield poison(*binary(attributes(source=None), dumps(fields())), "not_cloudevent", "missing_field")
    yield poison(
        *binary(attributes(type=None), dumps(fields())), "not_cloudevent", "missing_field", "wrong_type"
    )
    yield poison(*binary(attributes(id=""), dumps(fields())), "not_cloudevent", "bad_field")
    yield poison(*binary(attributes(id="x" * 256), dumps(fields())), "not_cloudevent", "bad_field")
    yield poison(*binary(attributes(source="/" + "s" * 255), dumps(fields())), "not_cloudevent", "bad_field")

    for wrong in ("keypost.counter.transaction.v2", "keypost.counter.control-total.v1", "com.example.sale"):
        yield poison(*binary(attributes(type=wrong), dumps(fields())), "wrong_type")
        yield poison(*structured(attributes(type=wrong), fields(), dice), "wrong_type")

    for name in ("customer_code", "counter_id", "line", "kind", "amount", "occurred_at"):
        yield poison(*binary(attributes(), dumps(without(name))), "missing_field")
        yield poison(*structured(attributes(), fields(**{name: None}), dice), "missing_field", "bad_field")
    yield poison(dumps(attributes()), cloudevents, "missing_field", "not_cloudevent", "bad_field", "not_json")

    for amount in (
        "0",
        "0.00",
        "-5",
        "+5",
        "1.234",
        "1,5",
        "1e5",
        " 10",
        "10 ",
        "",
        ".5",
        "5.",
        "１０",
        "12345678901",
    ):
        yield poison(*binary(attributes(), dumps(fields(amount=amount))), "bad_field")
    for amount in (12.5, 100, True, ["1"], {"yuan": 1}):
        yield poison(*structured(attributes(), fields(amount=amount), dice), "bad_field", "wrong_type")
    bad: list[dict[str, object]] = [
        {"line": "Letters"},
        {"line": "telegrams"},
        {"kind": "refund"},
        {"settlement": "cheque"},
        {"occurred_at": "2022-06-01T10:00:00"},
        {"occurred_at": "2022-02-30T10:00:00+08:00"},
        {"occurred_at": "yesterday"},
        {"business_date": "2022-02-30"},
        {"business_date": "01/06/2022"},
        {"business_date": "0206-01-05"},
        {"business_date": "1900-12-31"},
        {"occurred_at": "2200-01-01T00:00:00+08:00"},
        {"customer_code": ""},
        {"customer_code": "1" * 33},
        {"customer_code": "3205\u0000000011"},
        {"counter_id": ""},
        {"counter_id": "1" * 33},
        {"pieces": -1},
    ]
    for change in bad:
        yield poison(*binary(attributes(), dumps(fields(**change))), "bad_field")
    for pieces in (1.5, "many", [3]):
        yield poison(*binary(attributes(), dumps(fields(pieces=pieces))), "bad_field", "wrong_type")
    yield poison(
        *binary(attributes(), dumps([fields()])), "bad_field", "missing_field", "wrong_type", "not_json"
    )
    nan = text.replace('"1000000.00"', "NaN").encode()
    yield poison(*binary(attributes(), nan), "not_json", "bad_field", "wrong_type")
    deep = b"[" * 10_000 + b"]" * 10_000
    yield poison(
        *binary(attributes(), deep), "not_json", "bad_field", "missing_field", "wrong_type", "oversized"
    )

    latin = text.replace("32050001", "\u00e9t\u00e9").encode("latin-1")
    yield poison(*binary(attributes(), latin), "bad_encoding")
    yield poison(*binary(attributes(), text.replace("32050001", "支局").encode("gbk")), "bad_encoding")
    yield poison(*binary(attributes(), text.encode("utf-16")), "bad_encoding", "not_json")
    surrogate = text.replace("32050001", "\\ud800").encode()
    yield poison(*binary(attributes(), surrogate), "bad_encoding", "bad_field", "not_json")
    header = tuple(
        (name, b"\xff\xfe" if name == "ce_id" else raw) for name, raw in binary(attributes(), b"")[1]
    )
    yield poison(dumps(fields()), header, "bad_encoding", "not_cloudevent", "bad_field")

    huge = dumps(fields(customer_code="9" * 900_000))
    yield poison(*binary(attributes(), huge), "oversized", "bad_field")


# Phases --------------------------------------------------------------------------------------------

COLUMNS = (
    "name",
    "customer_code",
    "unit_code",
    "kind",
    "agreement_no",
    "agreement_signed_on",
    "agreement_ends_on",
)


@dataclass(frozen=True)
class ImportCustomers:
    """`keypost import customers` of `csv()`; every row is to be loaded (exit 0)."""

    title: str
    rows: tuple[dict[str, str], ...]
    steps: tuple[Customer, ...]
    """One step a row: the customer's state after it."""

    def csv(self) -> bytes:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue().encode()


@dataclass(frozen=True)
class Publish:
    """Produce the records to `counter.transactions.v1`, in this order for each key."""

    title: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class ClosePeriod:
    """`keypost close-period YEAR`, which ends with `exit_code`; a refusal names `names`."""

    title: str
    year: int
    exit_code: int = 0
    names: int | None = None


@dataclass(frozen=True)
class DecideHeld:
    """A steward's decisions, one after the other, each found in suspense by source, id and reason."""

    title: str
    decisions: tuple[Decide, ...]


@dataclass(frozen=True)
class AdvanceClock:
    """`keypost clock advance` so far that the sandbox clock stands at `to`."""

    title: str
    to: datetime


@dataclass(frozen=True)
class Merge:
    """Two customers become one: proposed, signed twice, carried out."""

    title: str
    survivor: str
    alias: str
    steps: tuple[Customer, ...]
    """The states of both after it. They lie on two partitions, so either may come first."""


Phase = ImportCustomers | Publish | ClosePeriod | DecideHeld | AdvanceClock | Merge


@dataclass
class Scenario:
    """Phases for an instance whose sandbox clock first stands at `start`."""

    start: datetime
    phases: list[Phase] = field(default_factory=list)

    def steps(self, phase: Phase, dice: Dice | None = None) -> list[Step]:
        """The model's steps of a phase; with dice, in another order that partitions might give."""
        match phase:
            case Publish(records=records):
                keyed = [(record.key, record.step) for record in records]
                return [*(interleaved(keyed, dice) if dice else (step for _, step in keyed))]
            case ImportCustomers(steps=steps) | Merge(steps=steps):
                return [*(interleaved([(s.code.encode(), s) for s in steps], dice) if dice else steps)]
            case ClosePeriod(year=year):
                return [Close(year)]
            case DecideHeld(decisions=decisions):
                return list(decisions)
            case AdvanceClock(to=to):
                return [Advance(to)]

    def expected(self, interleaving: int | None = None) -> Model:
        """The model after the whole scenario; a number gives the partitions' order by that seed."""
        dice = None if interleaving is None else Dice(interleaving)
        model = Model(self.start)
        for phase in self.phases:
            model.play(self.steps(phase, dice))
        return model

    def records(self) -> list[Record]:
        return [record for phase in self.phases if isinstance(phase, Publish) for record in phase.records]


def interleaved(keyed: Sequence[tuple[bytes | None, T]], dice: Dice) -> list[T]:
    """Another order of the items in which those of one key keep theirs; without a key there is no order to keep."""
    queues: dict[object, list[T]] = defaultdict(list)
    for number, (key, item) in enumerate(keyed):
        queues[number if key is None else key].append(item)
    order = dice.shuffled(
        [number if key is None else key for number, (key, _) in enumerate(keyed)],
    )
    positions = {key: iter(items) for key, items in queues.items()}
    return [next(positions[key]) for key in order]


# The book of customers -----------------------------------------------------------------------------


@dataclass
class Book:
    """Turns rows of a customers file into the states that the registry then tells (REG-4, "Files")."""

    today: date
    states: dict[str, Customer] = field(default_factory=dict)

    def load(self, title: str, rows: Iterable[dict[str, str]]) -> ImportCustomers:
        kept = tuple(rows)
        return ImportCustomers(title, kept, tuple(self._row(row) for row in kept))

    def _row(self, row: dict[str, str]) -> Customer:
        code = row["customer_code"]
        groups = {unit: group for group, units in UNITS.items() for unit in units}
        state = self.states.get(code) or Customer(code, row["unit_code"] or "3205", groups[row["unit_code"]])
        number = row.get("agreement_no")
        if number:
            ends_on = date.fromisoformat(row["agreement_ends_on"]) if row.get("agreement_ends_on") else None
            ended_on = ends_on if ends_on is not None and ends_on < self.today else None
            signed_on = date.fromisoformat(row["agreement_signed_on"])
            agreement = Agreement(number, signed_on, ends_on, ended_on)
            others = tuple(a for a in state.agreements if a.number != number)
            state = replace(state, agreements=(*others, agreement))
        self.states[code] = state
        return state

    def merge(self, title: str, survivor: str, alias: str, alias_first: bool) -> Merge:
        """REG-7: the alias's agreements, counter codes and earlier aliases are the survivor's from now on."""
        stays, gone = self.states[survivor], self.states[alias]
        numbers = {agreement.number for agreement in stays.agreements}
        self.states[survivor] = replace(
            stays,
            agreements=(*stays.agreements, *(a for a in gone.agreements if a.number not in numbers)),
            counter_codes=(*stays.counter_codes, *gone.counter_codes),
            aliases=tuple(sorted((*stays.aliases, alias, *gone.aliases))),
        )
        self.states[alias] = replace(
            gone, status="merged", merged_into=survivor, agreements=(), counter_codes=(), aliases=()
        )
        steps = (self.states[survivor], self.states[alias])
        return Merge(title, survivor, alias, steps[::-1] if alias_first else steps)


# Weaving -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """Plain transactions in order of arrival; `close` is the year that is closed behind them, if any.

    A transaction of nothing (`fen` 0) is sent as it is and is a dead letter.
    """

    transactions: tuple[Transaction, ...]
    close: int | None = None


def code_of(number: int, dice: Dice) -> str:
    """A legacy customer code: mostly 13 digits, of which half end in a right check digit; some have 15."""
    digits = f"320500{100_000 + number:06d}"
    if dice.per_mille(100):
        return f"{digits}{dice.roll(1000):03d}"
    right = check_digit(digits)
    return digits + (right if dice.roll(2) else str((int(right) + 1 + dice.roll(9)) % 10))


class Weaver:
    """Adds to plain chunks all that counters, importers and stewards do wrong, late, twice and on purpose.

    What it decides may look at the model's state so far (which conflicts are open, say); what is expected at the
    end is worked out anew from the phases alone.
    """

    def __init__(self, codes: Sequence[str], start: datetime, dice: Dice, merges: int = 0) -> None:
        self.dice = dice
        self.merges = merges
        """About so many merges are woven in at each of their places, by dice of their own."""
        self.merging = Dice(merges + 1000)
        self.codes = list(codes)
        self.scenario = Scenario(start)
        self.model = Model(start)
        self.book = Book(day_of(start))
        self.names = {code: f"客户 {code} 有限公司" for code in codes}
        self.units = {code: dice.pick(UNITS[dice.pick((None, 1, 2, 3))]) for code in codes}
        self.keys = {code: self._key(code) for code in codes}
        self.later_rows: dict[int, list[dict[str, str]]] = defaultdict(list)
        self.later_records: dict[int, list[tuple[Transaction, bytes | None]]] = defaultdict(list)
        self.sent: list[Transaction] = []
        self.untouchable: set[tuple[str, str]] = set()
        """Sales named by a reversal, and conflicts: they are kept out of further mischief."""
        self.counter = 0

    def _key(self, code: str) -> bytes:
        """One key a customer, as order needs; a tenth of the customers are sent under quite another one."""
        return f"counter-{code[-4:]}".encode() if self.dice.per_mille(100) else code.encode()

    # Phases

    def add(self, phase: Phase) -> None:
        self.scenario.phases.append(phase)
        self.model.play(self.scenario.steps(phase))

    def row(self, code: str, number: int = 0, signed_on: str = "", ends_on: str = "") -> dict[str, str]:
        return {
            "name": self.names[code],
            "customer_code": code,
            "unit_code": self.units[code],
            "kind": "active",
            "agreement_no": f"HT-{code}-{number}" if number else "",
            "agreement_signed_on": signed_on,
            "agreement_ends_on": ends_on,
        }

    def close(self, year: int, title: str = "") -> None:
        names = self.model.in_the_way(year)
        self.merge_some(f"before the close of {year}")
        self.add(ClosePeriod(title or f"close {year}", year, 0 if names is None else 1, names))
        self.merge_some(f"after the close of {year}")

    def advance(self, to: str) -> None:
        instant = datetime.fromisoformat(to).replace(tzinfo=SHANGHAI)
        self.add(AdvanceClock(f"the clock moves to {to}", instant))
        self.book.today = day_of(instant)

    def merge_some(self, when: str) -> None:
        """Merge pairs of registered customers; the alias may be a survivor of earlier merges, and so may the survivor."""
        for _ in range(self.merging.roll(self.merges + 1)):
            going_on = sorted(code for code, state in self.book.states.items() if state.status == "active")
            if len(going_on) * 2 < len(self.codes):
                return  # Enough of them must stay different.
            survivor, alias = self.merging.shuffled(going_on)[:2]
            self.add(
                self.book.merge(
                    f"{alias} into {survivor} {when}", survivor, alias, bool(self.merging.roll(2))
                )
            )

    def key_of(self, code: str, key: bytes | None) -> bytes | None:
        """Customers that are one are sent under one key, or the order between their transactions would show."""
        state = self.book.states.get(code)
        if state is None or not (state.aliases or state.merged_into):
            return key
        while state.merged_into is not None:
            state = self.book.states[state.merged_into]
        return self.keys[state.code]

    # Customers

    def plan_customers(self, first_year: int, chunks: int) -> list[dict[str, str]]:
        """Rows for the first import; the others wait for their chunk in `later_rows`."""
        first: list[dict[str, str]] = []
        last_year = self.scenario.start.year - 2
        for index, code in enumerate(self.codes):
            fate = index % 20
            early = self._some_day(first_year - 3 + self.dice.roll(3))
            registered = self.dice.roll(chunks) if fate in (3, 8, 13, 18) else -1
            later = min(chunks - 1, self.dice.roll(chunks))
            last = min(chunks - 1, later + 1 + self.dice.roll(3))
            year = min(first_year + later, last_year)
            rows = first if registered < 0 else self.later_rows[registered]
            if index % 40 == 7:
                continue  # Never registered: held to the end.
            if fate in (0, 10):
                rows.append(self.row(code))
            elif fate in (1, 11, 16):
                rows.append(self.row(code))
                # Some are signed long ago and come late: then the revenue's own dates decide.
                signed = early if fate == 16 else self._some_day(year)
                self.later_rows[later].append(self.row(code, 1, signed))
            elif fate == 2:
                rows.append(self.row(code, 1, early, f"{year}-06-30"))  # Over before it is ever seen.
            elif fate in (4, 14):
                rows.append(self.row(code, 1, early, "2099-12-31"))
                self.later_rows[later].append(self.row(code, 1, early, f"{year}-12-31"))
            elif fate in (5, 15):
                rows.append(self.row(code, 1, early))
                self.later_rows[later].append(self.row(code, 1, early, f"{year}-03-31"))
                if last > later:
                    self.later_rows[last].append(self.row(code, 2, f"{year + 1}-02-01"))
            elif fate in (6, 12):
                rows.append(self.row(code, 1, early))
                self.later_rows[later].append(self.row(code, 2, f"{year}-06-01"))
                if last > later:
                    self.later_rows[last].append(self.row(code, 1, early, f"{year}-06-30"))
            else:
                rows.append(self.row(code, 1, self._some_day(first_year - 2 + self.dice.roll(5))))
        return first

    def _some_day(self, year: int) -> str:
        return f"{year}-{1 + self.dice.roll(12):02d}-{1 + self.dice.roll(28):02d}"

    # Records

    def identity(self) -> str:
        self.counter += 1
        return f"w-{self.counter:06d}"

    def mischief(
        self, transaction: Transaction, chunk: int, chunks: int
    ) -> list[tuple[Transaction, bytes | None]]:
        """What is sent in place of one plain transaction, with keys, in order; more may follow in later chunks."""
        dice, key = self.dice, self.keys.get(transaction.customer_code)
        soon: list[tuple[Transaction, bytes | None]] = [(transaction, key)]
        if transaction.fen == 0:
            # An invalid message claims no identity: the corrected resend of every other one is booked.
            if dice.roll(2):
                self.later_records[min(chunks, chunk + 1)].append((replace(transaction, fen=100), key))
            return soon
        lot = dice.roll(1000)
        if lot < 15:
            soon += [(transaction, key)] * (1 + dice.roll(2))
        elif lot < 23:
            other_key = dice.pick((None, b"other", key))
            self.later_records[min(chunks, chunk + 1 + dice.roll(6))].append((transaction, other_key))
        elif lot < 31:
            self.untouchable.add(transaction.identity)
            other = replace(transaction, fen=transaction.fen + 1 + dice.roll(5_000_000))
            if dice.per_mille(250):
                other = replace(transaction, line=dice.pick([x for x in LINES if x != transaction.line]))
            soon += [(other, key)] * (1 if dice.roll(3) else 2)
            if dice.roll(2):
                self.later_records[min(chunks, chunk + 1 + dice.roll(3))].append((other, key))
        elif lot < 55 and transaction.kind == "sale" and transaction.fen > 3:
            soon = self.reversals(transaction, chunk, chunks)
        elif lot < 57:
            soon.append((self.nameless(transaction), key))
        elif lot < 60:
            mistyped = transaction.day.replace(year=transaction.day.year + 1 + dice.roll(2) * 14, day=1)
            soon = [(replace(transaction, business_date=mistyped), key)]
        elif lot < 61:
            ahead = datetime(2031, 1 + dice.roll(12), 5, 9, 0, tzinfo=SHANGHAI)
            soon = [(replace(transaction, occurred_at=ahead, business_date=None), key)]
        elif lot < 63:
            # The third day after `occurred_at` is one too many.
            soon = [(replace(transaction, occurred_at=self.noon(transaction.day - timedelta(days=3))), key)]
        elif lot < 66:
            # The same id at another counter system is another event.
            soon.append((replace(transaction, source="/counters/twin"), key))
        return soon

    def noon(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, 12, 0, tzinfo=SHANGHAI)

    def reversal(self, sale: Transaction, fen: int, **changes: object) -> Transaction:
        day = sale.day + timedelta(days=self.dice.roll(40))
        undone = replace(
            sale,
            id=self.identity(),
            kind="reversal",
            fen=fen,
            reverses=sale.id,
            business_date=day,
            occurred_at=sale.occurred_at + timedelta(days=40),
            pieces=None,
        )
        return replace(undone, **changes)  # type: ignore[arg-type]

    def nameless(self, transaction: Transaction) -> Transaction:
        """A reversal of a sale that never comes; it is booked as unnamed after 35 days."""
        return self.reversal(
            transaction, 1 + self.dice.roll(transaction.fen), reverses=f"lost-{self.counter}"
        )

    def reversals(self, sale: Transaction, chunk: int, chunks: int) -> list[tuple[Transaction, bytes | None]]:
        dice, key = self.dice, self.keys.get(sale.customer_code)
        self.untouchable.add(sale.identity)
        part = 1 + dice.roll(sale.fen - 1)
        match dice.roll(9):
            case 0:  # In two parts that make the whole, and one fen too much.
                parts = (part, sale.fen - part, 1)
                return [(sale, key), *((self.reversal(sale, fen), key) for fen in parts)]
            case 1:  # Too large at once.
                return [(sale, key), (self.reversal(sale, sale.fen + 1), key)]
            case 2:  # Before its sale.
                return [(self.reversal(sale, part), key), (sale, key)]
            case 3:  # Two that compete for a sale which comes a phase or more later.
                self.later_records[min(chunks, chunk + 1 + dice.roll(3))].append((sale, key))
                return [(self.reversal(sale, sale.fen), key), (self.reversal(sale, part), key)]
            case 4:  # Another line.
                line = dice.pick([x for x in LINES if x != sale.line])
                return [(sale, key), (self.reversal(sale, part, line=line), key)]
            case 5:  # Another customer, sent under that customer's key.
                other = dice.pick([code for code in self.codes if code != sale.customer_code])
                return [(sale, key), (self.reversal(sale, part, customer_code=other), self.keys[other])]
            case 6:  # A phase later.
                self.later_records[min(chunks, chunk + 1)].append((self.reversal(sale, part), key))
                return [(sale, key)]
            case 7:  # The sale is known under another source only.
                return [(sale, key), (self.reversal(sale, part, source="/counters/twin"), key)]
            case _:
                whole = self.reversal(sale, sale.fen)
                return [(sale, key), (whole, key), (whole, key)]

    def publish(
        self, title: str, sent: Sequence[tuple[Transaction, bytes | None]], poisoned: int = 0
    ) -> None:
        """Write the transactions as records, with so many kinds of poison strewn among them."""
        dice = self.dice
        if self.merges:
            sent = [(one, self.key_of(one.customer_code, key)) for one, key in sent]
        lone: dict[str, int] = defaultdict(int)
        for transaction, _ in sent:
            lone[transaction.customer_code] += 1
        records: list[Record] = []
        mode: dict[tuple[str, str], bool] = {}
        for transaction, key in sent:
            # A second arrival of one identity comes in the other mode.
            in_binary = not mode.get(transaction.identity, not dice.roll(2))
            mode[transaction.identity] = in_binary
            if lone[transaction.customer_code] == 1 and dice.per_mille(300):
                key = key if self.merges else None
            record = write(transaction, key, dice, in_binary)
            if transaction.fen == 0:
                probe = f"zero-{transaction.id}"
                marked = (*record.headers, (PROBE, probe.encode()))
                record = Record(key, record.value, marked, Poison(probe, frozenset({"bad_field"})))
            records.append(record)
        if poisoned:
            code = dice.pick(self.codes)
            for record in dice.shuffled(poisons(code, dice, f"p{len(self.scenario.phases):02d}"))[:poisoned]:
                records.insert(dice.roll(len(records) + 1), record)
        self.add(Publish(title, tuple(records)))

    def decide(self, title: str) -> None:
        """Decide about half of what waits for a steward: conflicts kept or replaced, dates booked or closed."""
        decisions: list[Decide] = []
        reversed_sales = {booking.names for booking in self.model.ledger if booking.names}
        booked = {(b.source, b.id) for b in self.model.ledger if b.kind == "sale"} - reversed_sales
        for number, item in enumerate(self.model.held()):
            action = self._action(item, number, booked)
            if action:
                transaction = item.transaction
                decisions.append(Decide(transaction.source, transaction.id, item.reason, action))
        if decisions:
            self.add(DecideHeld(title, tuple(decisions)))

    def _action(self, item: Held, number: int, booked: set[tuple[str, str] | None]) -> str | None:
        if ord(item.transaction.id[-1]) % 7 == 4:
            return None  # Left open to the end.
        known = item.transaction.customer_code in self.model.customers
        match item.reason:
            case "conflict":
                sale = item.transaction.kind == "sale" and item.transaction.identity in booked
                return "replace" if number % 2 and sale and known else "keep"
            case "future_date" | "year_too_old":
                named = item.transaction.reverses is not None
                return "book" if number % 3 == 0 and known and not named else "close"
            case "reversal_mismatch" | "over_reversal" if number % 4 == 0:
                return "close"
        return None

    # The whole

    def weave(self, chunks: Sequence[Chunk]) -> Scenario:
        count = len(chunks)
        first_year = min(t.day.year for t in chunks[0].transactions)
        self.add(self.book.load("the book of customers", self.plan_customers(first_year, count)))
        for index, chunk in enumerate(chunks):
            self._chunk(index, chunk, count)
        self._afterwards(chunks)
        return self.scenario

    def _chunk(self, index: int, chunk: Chunk, count: int) -> None:
        dice = self.dice
        sent: list[tuple[Transaction, bytes | None]] = []
        for transaction in chunk.transactions:
            sent += self.mischief(transaction, index, count)
        for late in self.later_records.pop(index, []):
            sent.insert(dice.roll(len(sent) + 1), late)
        self.publish(f"chunk {index}", self._safe(sent), poisoned=200 if index % 4 == 0 else 12)
        rows = self.later_rows.pop(index, [])
        rows = [row for row in rows if self.still_there(row["customer_code"])]
        self.merge_some(f"after chunk {index}")
        if rows and index % 2:
            self.add(self.book.load(f"customers after chunk {index}", rows))
        if chunk.close is not None:
            if index % 5 == 1:
                self.close(chunk.close + 1, "a close out of order is refused")
            self.close(chunk.close)
            if index % 3 == 1:
                self.close(chunk.close, "a second close changes nothing")
        if rows and not index % 2:
            self.add(self.book.load(f"customers after chunk {index}", rows))
        if index % 3 == 2:
            self.decide(f"the steward after chunk {index}")

    def _safe(self, sent: list[tuple[Transaction, bytes | None]]) -> list[tuple[Transaction, bytes | None]]:
        """Send a second arrival under the first one's key where both are in this phase, so that their order is set."""
        keys: dict[tuple[str, str], bytes | None] = {}
        result = []
        for transaction, key in sent:
            result.append((transaction, keys.setdefault(transaction.identity, key)))
        return result

    def _afterwards(self, chunks: Sequence[Chunk]) -> None:
        """Late revenue, the 35 days, the timer's closes and years that are too old, by a few plain events each."""
        year = self.scenario.start.year
        last = max(t.day.year for chunk in chunks for t in chunk.transactions if t.day.year < year)
        leftovers = [pair for number in sorted(self.later_records) for pair in self.later_records[number]]
        self.publish("what was still under way", self._safe(leftovers))
        self.close(year, "a close of the running year is refused")
        self.advance(f"{year}-02-25T09:00:00")  # More than 35 days on.
        self.publish(
            "the years up to now",
            self.some(40, range(last + 1, year), 30_000_00) + self.some(80, [year], 1_500_000_00, "01-20"),
            poisoned=200,
        )
        self.advance(f"{year + 1}-01-05T23:00:00")
        self.publish("on the eve of the close", self.some(20, [year], 60_000_00))
        self.advance(f"{year + 1}-01-06T12:00:00")  # The timer closes every open year in order.
        late = self.some(60, [year], 120_000_00) + self.some(30, [year - 1, year - 2, 1998], 900_000_00)
        self.merge_some("after the timer's close")
        self.publish("late revenue", late)
        rows = [
            self.row(code, 7, f"{year + 1}-01-03")
            for code in sorted(self.book.states)
            if self.dice.per_mille(100) and self.still_there(code)
        ]
        self.add(self.book.load("agreements signed after the close", rows))
        self.publish("the new year", self.some(60, [year + 1], 260_000_00, "01-05"))
        self.advance(f"{year + 1}-03-01T09:00:00")
        self.decide("the steward after the close")
        self.advance(f"{year + 2}-03-01T09:00:00")  # Two years and more after the first closes.
        old = self.some(25, [year - 4, year - 5, 1997], 500_000_00) + self.some(
            40, [year, year + 1], 90_000_00
        )
        self.publish("years too old and years late", old, poisoned=200)
        self.merge_some("after the old years")
        self.decide("the steward at the end")
        again = [
            (self.dice.pick(self.sent_plain(chunks)), self.dice.pick((None, b"again"))) for _ in range(300)
        ]
        self.publish("duplicates years later", self._safe(again))

    def still_there(self, code: str) -> bool:
        state = self.book.states.get(code)
        return state is None or state.status == "active"

    def sent_plain(self, chunks: Sequence[Chunk]) -> Sequence[Transaction]:
        """Plain transactions of the first half that were sent as they are, whatever became of them."""
        if not self.sent:
            arrived = {s.content for p in self.scenario.records() if isinstance(s := p.step, Transaction)}
            half = chunks[: 1 + len(chunks) // 2]
            self.sent = [t for chunk in half for t in chunk.transactions if t.content in arrived]
        return self.sent

    def some(
        self, count: int, years: Iterable[int], most: int, before: str = "12-31"
    ) -> list[tuple[Transaction, bytes | None]]:
        """A number of plain sales of each of the years, dated at most `before` in it."""
        month, day = (int(part) for part in before.split("-"))
        result: list[tuple[Transaction, bytes | None]] = []
        for year in years:
            span = (date(year, month, day) - date(year, 1, 1)).days + 1
            for _ in range(count):
                code = self.dice.pick(self.codes)
                on = date(year, 1, 1) + timedelta(days=self.dice.roll(span))
                sale = Transaction(
                    source="/counters/late",
                    id=self.identity(),
                    customer_code=code,
                    line=self.dice.pick(("letters", "express")),
                    fen=1 + self.dice.roll(most),
                    occurred_at=datetime(on.year, on.month, on.day, 10, 0, tzinfo=SHANGHAI),
                    business_date=on,
                )
                result.append((sale, self.keys[code]))
        return result


def plain(identity: tuple[str, str], code: str, line: str, signed: int, on: date, dice: Dice) -> Transaction:
    """A transaction as a counter would send it; the business date lies before, on or just after `occurred_at`."""
    lag = dice.pick((0, 0, 0, 0, 0, 0, 1, 30, 400, -1, -2))
    seen = on + timedelta(days=lag)
    return Transaction(
        source=identity[0],
        id=identity[1],
        customer_code=code,
        line=line,
        fen=abs(signed),
        kind="sale" if signed > 0 else "reversal",
        occurred_at=datetime(
            seen.year, seen.month, seen.day, dice.roll(24), dice.roll(60), dice.roll(60), tzinfo=SHANGHAI
        ),
        business_date=on,
        counter_id=f"3205{dice.roll(20):04d}",
        pieces=dice.roll(50) if signed > 0 and dice.roll(2) else None,
        settlement="credit" if dice.per_mille(50) else "cash",
        product=dice.pick((None, None, "标准快递", "挂号信")),
    )
