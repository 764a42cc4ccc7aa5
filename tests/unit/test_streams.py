"""The scenarios are themselves tested: their bytes, what they cover, and that no order between keys shows in them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from tests.support import compare, generated, uk_small
from tests.support.model import Change, Model, Poison, Transaction, day_of
from tests.support.streams import (
    COLUMNS,
    AdvanceClock,
    ClosePeriod,
    DecideHeld,
    Dice,
    ImportCustomers,
    Merge,
    Publish,
    Record,
    Scenario,
    interleaved,
    is_binary,
    poisons,
)

SMALL = 1_500


@pytest.fixture(scope="module")
def small() -> Scenario:
    return generated.build(seed=3, size=SMALL)


@pytest.fixture(scope="module")
def merging() -> Scenario:
    return generated.build(seed=3, size=SMALL, merges=3)


@pytest.fixture(scope="module")
def whole() -> Scenario:
    return generated.build()


@pytest.fixture(scope="module")
def expected(whole: Scenario) -> Model:
    return whole.expected()


@pytest.fixture(scope="module")
def real() -> Scenario:
    path = uk_small.data_file()
    if path is None:
        pytest.skip("the real input uk_small_events.csv.gz is not on this machine (KEYPOST_TEST_DATA)")
    return uk_small.build(path, rows=6_000)


def outcome(model: Model) -> tuple[object, ...]:
    """All that a scenario promises to be the same in every order that partitions may give."""
    return (
        {key: history for key, history in model.changes.items() if history},
        {key: (f.fen, f.pieces, f.count) for key, f in model.totals.items()},
        {key: f.fen for key, f in model.months.items()},
        Counter((b.source, b.id) for b in model.ledger),
        Counter((*item.transaction.identity, item.reason) for item in model.held()),
        {
            (code, scheme): (model.tier(code, scheme), model.key_account(code, scheme))
            for code in model.customers
            for scheme in compare.SCHEME_NAMES
        },
        model.duplicates,
        model.closes,
        model.at_close,
        Counter(poison.probe for poison in model.dead_letters),
    )


@pytest.mark.req("TIE-12")
@pytest.mark.parametrize("seed", range(1, 5))
def test_no_order_between_keys_shows_in_the_made_up_scenario(small: Scenario, seed: int) -> None:
    assert outcome(small.expected()) == outcome(small.expected(interleaving=seed))


@pytest.mark.req("TIE-12", "TIE-14")
@pytest.mark.parametrize("seed", range(1, 4))
def test_neither_the_order_of_a_merges_two_states_nor_that_between_keys_shows(
    merging: Scenario, seed: int
) -> None:
    assert outcome(merging.expected()) == outcome(merging.expected(interleaving=seed))


def test_merges_come_in_either_order_in_chains_and_around_closes(merging: Scenario) -> None:
    merges = [phase for phase in merging.phases if isinstance(phase, Merge)]
    assert {phase.steps[0].code == phase.alias for phase in merges} == {True, False}
    assert {phase.alias for phase in merges} & {phase.survivor for phase in merges}, (
        "a survivor is merged, too"
    )
    assert {"before", "after"} <= {phase.title.split()[3] for phase in merges}
    model = merging.expected()
    reasons = Counter(change.reason for history in model.changes.values() for change in history)
    assert reasons["merged"] > 10
    sent_later = [
        record.step
        for phase in merging.phases[merging.phases.index(merges[0]) :]
        if isinstance(phase, Publish)
        for record in phase.records
        if isinstance(record.step, Transaction) and record.step.customer_code == merges[0].alias
    ]
    assert sent_later, "counters go on sending under the alias's code"
    assert {change.to_tier for change in model.changes[merges[0].alias, "city-default"][-1:]} <= {"none"}


@pytest.mark.req("TIE-12")
def test_no_order_between_keys_shows_in_the_real_input(real: Scenario) -> None:
    assert outcome(real.expected()) == outcome(real.expected(interleaving=1))


def test_interleaving_keeps_the_order_of_each_key() -> None:
    keyed: list[tuple[bytes | None, int]] = [(b"a" if n % 2 else b"b", n) for n in range(20)] + [(None, 20)]
    order = interleaved(keyed, Dice(1))
    assert sorted(order) == list(range(21))
    assert order != list(range(21))
    for odd in (0, 1):
        kept = [n for n in order if n % 2 == odd and n < 20]
        assert kept == sorted(kept)


def test_a_seed_makes_the_same_bytes_everywhere(small: Scenario) -> None:
    digest = hashlib.sha256()
    for record in small.records():
        digest.update(repr((record.key, record.value, record.headers)).encode())
    for phase in small.phases:
        if isinstance(phase, ImportCustomers):
            digest.update(phase.csv())
    assert digest.hexdigest() == "8cddbf67ab9b485c3f0c69269fa0f2b39460e6e2e9d721c1e887b095320114b6"
    assert [r.value for r in generated.build(seed=4, size=SMALL).records()] != [
        r.value for r in small.records()
    ]


def read(record: Record) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Attributes and data of a record, read back as any CloudEvents reader would."""
    assert record.value is not None
    value = json.loads(record.value)
    if is_binary(record):
        return {n.removeprefix("ce_"): v.decode() for n, v in record.headers if n.startswith("ce_")}, value
    return value, value["data"]


def test_records_say_what_the_model_is_told(whole: Scenario) -> None:
    for record in whole.records():
        if isinstance(record.step, Poison):
            continue
        attributes, data = read(record)
        step = record.step
        assert (attributes["specversion"], attributes["source"], attributes["id"]) == ("1.0", *step.identity)
        occurred_at = datetime.fromisoformat(str(data["occurred_at"]))
        assert occurred_at.utcoffset() is not None
        on = data.get("business_date")
        whole_yuan, _, cents = str(data["amount"]).partition(".")
        told = Transaction(
            source=step.source,
            id=step.id,
            customer_code=str(data["customer_code"]),
            counter_id=str(data["counter_id"]),
            line=str(data["line"]),
            kind=str(data["kind"]),
            fen=int(whole_yuan) * 100 + int(cents.ljust(2, "0")),
            occurred_at=occurred_at,
            business_date=date.fromisoformat(str(on)) if on else day_of(occurred_at),
            pieces=data.get("pieces"),  # type: ignore[arg-type]
            settlement=str(data.get("settlement") or "cash"),
            product=data.get("product"),  # type: ignore[arg-type]
            reverses=data.get("reverses"),  # type: ignore[arg-type]
        )
        assert told == step.content


def test_the_made_up_scenario_covers_every_reason_and_every_way(whole: Scenario, expected: Model) -> None:
    for scheme in compare.SCHEME_NAMES:
        given = {change.reason for (_, name), h in expected.changes.items() if name == scheme for change in h}
        assert given == {
            "threshold_reached",
            "late_revenue",
            "year_end",
            "agreement_signed",
            "agreement_ended",
        }
    assert {item.reason for item in expected.suspense} == {
        "unknown_code",
        "bad_check_digit",
        "conflict",
        "over_reversal",
        "reversal_mismatch",
        "sale_unknown",
        "future_date",
        "year_too_old",
    }
    decided = {(d.reason, d.action) for p in whole.phases if isinstance(p, DecideHeld) for d in p.decisions}
    assert {
        ("conflict", "keep"),
        ("conflict", "replace"),
        ("future_date", "book"),
        ("year_too_old", "book"),
    } <= decided
    assert {type(phase) for phase in whole.phases} == {
        ImportCustomers,
        Publish,
        ClosePeriod,
        DecideHeld,
        AdvanceClock,
    }
    assert any(phase.exit_code == 1 for phase in whole.phases if isinstance(phase, ClosePeriod))
    assert len({phase.city_group for phase in expected.customers.values()}) == 4
    sent = [record for record in whole.records() if isinstance(record.step, Transaction)]
    assert 0.4 < sum(map(is_binary, sent)) / len(sent) < 0.6
    assert {None} < {record.key for record in sent}
    assert expected.duplicates > 300


def test_the_made_up_scenario_stands_on_thresholds_to_the_fen(expected: Model) -> None:
    reached = {c.total for h in expected.changes.values() for c in h if c.reason == "threshold_reached"}
    assert {10_000_00, 50_000_00, 200_000_00, 1_000_000_00, 8_000_00, 9_000_00, 2_000_000_00} <= reached
    ended = {c.total for h in expected.changes.values() for c in h if c.reason == "year_end"}
    assert {10_000_00 - 1, 50_000_00 - 1, 200_000_00 - 1} & ended


def test_every_reason_of_a_dead_letter_is_tried_but_our_own_failure() -> None:
    tried = [record.step for record in poisons("3205000000011", Dice(1), "p")]
    certain = {next(iter(p.reasons)) for p in tried if isinstance(p, Poison) and len(p.reasons) == 1}
    assert certain == {
        "not_json",
        "not_cloudevent",
        "wrong_type",
        "missing_field",
        "bad_field",
        "bad_encoding",
    }
    possible = {reason for p in tried if isinstance(p, Poison) for reason in p.reasons}
    assert possible - certain == {"oversized"}


def test_the_customers_file_has_the_contract_s_columns(small: Scenario) -> None:
    phase = next(phase for phase in small.phases if isinstance(phase, ImportCustomers))
    rows = list(csv.DictReader(io.StringIO(phase.csv().decode())))
    assert tuple(rows[0]) == COLUMNS
    assert rows == [dict(row) for row in phase.rows]
    assert len({row["name"] for row in rows}) == len(rows)


def test_agreements_never_end_before_they_are_signed(whole: Scenario) -> None:
    for phase in whole.phases:
        for row in phase.rows if isinstance(phase, ImportCustomers) else ():
            if row["agreement_ends_on"]:
                assert row["agreement_signed_on"] < row["agreement_ends_on"]


# Comparison ----------------------------------------------------------------------------------------


def events(model: Model) -> list[dict[str, object]]:
    """What a perfect product would publish; a signing is caused by an event of the registry's."""
    published = []
    for history in model.changes.values():
        for change in history:
            data = {**compare.as_data(change), "decided_at": "2023-01-15T09:00:00+08:00"}
            if change.reason == "agreement_signed":
                data["caused_by"] = {"source": "/registry", "id": "any"}
            published.append({**compare.as_event(data), "key": change.customer_code})
    return published


def test_a_perfect_answer_has_no_difference(small: Scenario) -> None:
    model = small.expected()
    compare.assert_none(compare.changes(events(model), model))
    compare.assert_none(compare.totals({key: f.fen for key, f in model.totals.items()}, model))
    compare.assert_none(compare.held([(*i.transaction.identity, i.reason) for i in model.held()], model))
    compare.assert_none(compare.ledger([(b.source, b.id) for b in model.ledger], model))
    letters = [
        compare.DeadLetter(
            record.key,
            record.value,
            (
                *record.headers,
                *((name, b"-") for name in compare.DEAD_LETTER_HEADERS if name != "x-reason"),
                ("x-reason", min(record.step.reasons).encode()),
            ),
        )
        for record in small.records()
        if isinstance(record.step, Poison)
    ]
    compare.assert_none(compare.dead_letters(letters, small.records(), model))
    counts = Counter(min(poison.reasons) for poison in model.dead_letters)
    compare.assert_none(compare.dead_letter_counts(counts, model))
    assert compare.dead_letters(letters[1:], small.records(), model)
    assert compare.dead_letters([*letters, letters[0]], small.records(), model)
    assert compare.dead_letters([replace(letters[0], value=b"other"), *letters[1:]], small.records(), model)


@pytest.mark.parametrize(
    "field", sorted(compare.as_data(Change("c", "s", 1, "a", "b", "d", "r", date.min, "p", 1, True, None)))
)
def test_a_change_of_any_field_is_found(small: Scenario, field: str) -> None:
    model = small.expected()
    published = events(model)
    data = published[5]["data"]
    assert isinstance(data, dict)
    data[field] = "other" if field != "scheme" else compare.SCHEME_NAMES[0] + "x"
    assert compare.changes(published, model)


def test_a_signing_names_the_registry_s_event(small: Scenario) -> None:
    model = small.expected()
    for cause in (None, {"source": "/counters/320500", "id": "1"}):
        published = events(model)
        signed = next(e["data"] for e in published if e["data"]["reason"] == "agreement_signed")  # type: ignore[index]
        assert isinstance(signed, dict)
        signed["caused_by"] = cause
        assert len(compare.changes(published, model)) == 1


def test_lost_doubled_and_swapped_changes_are_found(small: Scenario) -> None:
    model = small.expected()
    key, history = max(model.changes.items(), key=lambda pair: len(pair[1]))
    published = events(model)
    index = next(i for i, e in enumerate(published) if e["id"] == f"{key[0]}|{key[1]}|1")
    assert len(history) > 2
    swapped = list(published)
    swapped[index : index + 2] = swapped[index : index + 2][::-1]
    for broken in (published[:index] + published[index + 1 :], [*published, published[index]], swapped):
        found = compare.changes(broken, model)
        assert any(key[0] in difference for difference in found)
    with pytest.raises(AssertionError, match="differences"):
        compare.assert_none(compare.changes(swapped, model))


def test_the_file_of_real_input_is_found_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYPOST_TEST_DATA", str(tmp_path))
    assert uk_small.data_file() is None
    (tmp_path / "uk_small_events.csv.gz").write_bytes(b"")
    assert uk_small.data_file() == tmp_path / "uk_small_events.csv.gz"
