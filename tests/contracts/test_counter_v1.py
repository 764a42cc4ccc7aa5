"""Counter messages: the rule of every field, the content that makes two messages the same, and the models
beside them.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.contracts.counter_v1 import (
    KINDS,
    LINES,
    SETTLEMENTS,
    TRANSACTION_TYPE,
    ControlTotal,
    ReadTransaction,
    Transaction,
    TransactionData,
    identity,
    read_transaction,
)
from shared.contracts.envelope import Envelope
from shared.contracts.fields import BIGINT_MAX, Invalid
from shared.kernel.days import FIRST_DAY, LAST_DAY
from shared.messaging.records import Record
from tests.contracts.records import SALE, binary, changed, record, structured, without


def _transaction(data: dict[str, Any]) -> Transaction:
    answer = read_transaction(binary(data))
    assert isinstance(answer, ReadTransaction), answer
    return answer.transaction


def _reason(data: dict[str, Any]) -> str | None:
    answer = read_transaction(binary(data))
    return answer.reason if isinstance(answer, Invalid) else None


@pytest.mark.parametrize("name", ["customer_code", "counter_id", "line", "kind", "amount", "occurred_at"])
def test_a_required_field_that_is_absent_or_null_is_missing(name: str) -> None:
    assert _reason(without(name)) == "missing_field"
    assert _reason(changed(**{name: None})) == "missing_field"


@pytest.mark.parametrize(
    "name",
    [
        "pieces",
        "business_date",
        "settlement",
        "manager_id",
        "clerk_id",
        "payer_uscc",
        "payer_name_hash",
        "product",
        "destination",
        "reverses",
    ],
)
def test_null_in_an_optional_field_says_the_same_as_its_absence(name: str) -> None:
    assert _transaction(changed(**{name: None})) == _transaction(without(name))


def test_defaults_are_cash_and_the_date_in_shanghai() -> None:
    bare = {key: SALE[key] for key in ("customer_code", "counter_id", "line", "kind", "amount")}
    transaction = _transaction({**bare, "occurred_at": "2025-12-31T16:00:00Z"})
    assert transaction.settlement == "cash"
    assert transaction.business_date == date(2026, 1, 1)
    assert transaction.pieces is None


BAD: list[tuple[str, Any]] = [
    *(
        ("amount", value)
        for value in (1.5, 100, True, "-1", "0", "0.00", "1.234", "1e3", "12345678901", "１", "")
    ),
    *(
        ("amount", value)
        for value in (" 1", "1 ", "1\n", "+1", "0x1", "1,5", "NaN", ["1"], {"yuan": "1"}, 2**53 + 1)
    ),
    *(("pieces", value) for value in (-1, 1.0, 1.5, True, False, "1", BIGINT_MAX + 1, 2**64, 1e300, [1], {})),
    *(("line", value) for value in ("Express", "", "mail", "express ", 1, ["express"], {}, True)),
    *(("kind", value) for value in ("refund", "Sale", "", 1, [], True)),
    *(("settlement", value) for value in ("", "CASH", "card", 0, False, [])),
    *(
        ("customer_code", value)
        for value in ("", "x" * 33, "a\x00b", "a\tb", "\u200b", "a\u2028b", 3205, True, [])
    ),
    *(("counter_id", value) for value in ("", "x" * 33, "a\x00b", "a\x7fb", 32050001, {}, "x" * 10240)),
    *(("reverses", value) for value in ("S-1", "")),
    *(("manager_id", value) for value in (7, "x" * 256, "a\x00b", [], True)),
    *(("product", value) for value in (7, "x" * 256, "\x1b[31m", {})),
    *(
        ("occurred_at", value)
        for value in ("2026-01-15T09:31:07", "2026-01-15", "2026-01-15T24:00:00Z", "now")
    ),
    *(
        ("occurred_at", value)
        for value in ("2026-01-15T09:31:60+08:00", "2026-02-29T00:00:00Z", 1768440667, "")
    ),
    *(
        ("occurred_at", value)
        for value in ("2026-01-15 09:31:07+08:00", "20260115T093107Z", "2026-W03-4T09:31:07Z")
    ),
    *(
        ("occurred_at", value)
        for value in ("2026-01-15T09:31Z", "2026-01-15T09:31:07+0800", "2026-01-15T09:31:07+8")
    ),
    *(
        ("occurred_at", value)
        for value in ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-01-15T9:31:07Z")
    ),
    *(
        ("occurred_at", value)
        for value in ("9999-12-31T23:59:59-01:00", "9999-12-31T20:00:00Z", "２026-01-15T09:31:07Z")
    ),
    *(
        ("occurred_at", value)
        for value in ("2026-01-15T09:31:07+24:00", "2026-01-15T09:31:07." + "1" * 31 + "Z")
    ),
    *(("occurred_at", value) for value in ("2026-01-15T09:31:07Z\n", "2026-01-15T09:31:07,5Z", [], True)),
    *(
        ("business_date", value)
        for value in ("2026-1-5", "20260115", "2026-02-30", "15.01.2026", "2026-01-15T00:00Z")
    ),
    *(
        ("business_date", value)
        for value in ("", "2026-W03-4", 20260115, "０026-01-15", "2026-01-1\n", "0000-01-01", [])
    ),
    *(
        ("business_date", value)
        for value in ("0206-01-05", "1900-12-31", "2200-01-01", "0001-01-01", "9999-12-31")
    ),
    *(
        ("occurred_at", value)
        for value in (
            "1900-01-01T00:00:00+08:05",
            "1900-12-31T15:59:59Z",
            "2199-12-31T16:00:00Z",
            "2199-12-31T15:59:60Z",
        )
    ),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: repr(value)[:40])
def test_a_field_that_breaks_its_rule_is_bad(name: str, value: Any) -> None:
    assert _reason(changed(**{name: value})) == "bad_field"


GOOD: list[tuple[str, Any, str, Any]] = [
    ("amount", "0.01", "amount_fen", 1),
    ("amount", "9999999999.99", "amount_fen", 999_999_999_999),
    ("amount", "0001", "amount_fen", 100),
    ("pieces", 0, "pieces", 0),
    ("pieces", BIGINT_MAX, "pieces", BIGINT_MAX),
    ("customer_code", "３２０５", "customer_code", "３２０５"),
    ("customer_code", "x" * 32, "customer_code", "x" * 32),
    ("customer_code", " a ", "customer_code", " a "),
    ("customer_code", "e\u0301" * 32, "customer_code", "\u00e9" * 32),
    ("customer_code", "😀", "customer_code", "😀"),
    ("product", "", "product", None),
    ("product", "国际特快 EMS", "product", "国际特快 EMS"),
    ("occurred_at", "2026-01-15T09:31:07+14:00", "occurred_at", datetime(2026, 1, 14, 19, 31, 7, tzinfo=UTC)),
    ("occurred_at", "2026-01-15t01:31:07z", "occurred_at", datetime(2026, 1, 15, 1, 31, 7, tzinfo=UTC)),
    ("occurred_at", "2026-01-15T01:31:07-00:00", "occurred_at", datetime(2026, 1, 15, 1, 31, 7, tzinfo=UTC)),
    ("occurred_at", "2016-12-31T23:59:60Z", "occurred_at", datetime(2017, 1, 1, tzinfo=UTC)),
    (
        "occurred_at",
        "2017-01-01T07:59:60.9+08:00",
        "occurred_at",
        datetime(2017, 1, 1, 0, 0, 0, 900000, tzinfo=UTC),
    ),
    (
        "occurred_at",
        "2026-01-15T01:31:07.123456789Z",
        "occurred_at",
        datetime(2026, 1, 15, 1, 31, 7, 123456, UTC),
    ),
    ("occurred_at", "1900-12-31T16:00:00Z", "occurred_at", datetime(1900, 12, 31, 16, tzinfo=UTC)),
    (
        "occurred_at",
        "2199-12-31T23:59:59+08:00",
        "occurred_at",
        datetime(2199, 12, 31, 15, 59, 59, tzinfo=UTC),
    ),
    ("business_date", "2016-02-29", "business_date", date(2016, 2, 29)),
    ("business_date", "1901-01-01", "business_date", date(1901, 1, 1)),
    ("business_date", "2199-12-31", "business_date", date(2199, 12, 31)),
]


@pytest.mark.parametrize(("name", "value", "attribute", "read"), GOOD, ids=lambda value: repr(value)[:40])
def test_a_field_at_the_edge_of_its_rule_is_read(name: str, value: Any, attribute: str, read: Any) -> None:
    assert getattr(_transaction(changed(**{name: value})), attribute) == read


def test_half_a_surrogate_pair_in_a_code_is_bad_encoding() -> None:
    assert _reason(changed(customer_code="32\ud800")) == "bad_encoding"


def test_only_a_reversal_names_a_sale() -> None:
    assert _transaction(changed(kind="reversal", reverses="S-1")).reverses == "S-1"
    assert _transaction(changed(kind="reversal")).reverses is None
    assert _reason(changed(kind="sale", reverses="S-1")) == "bad_field"
    assert _reason(changed(kind="reversal", reverses="x" * 256)) == "bad_field"


@pytest.mark.parametrize(
    "line", ["letters", "logistics", "express", "parcels", "press", "finance", "information", "philately"]
)
def test_a_counter_may_send_any_of_the_eight_lines(line: str) -> None:
    assert _transaction(changed(line=line)).line == line


@pytest.mark.req("TIE-3")
@pytest.mark.parametrize(
    ("occurred_at", "expected"),
    [
        ("2025-12-31T15:59:59Z", date(2025, 12, 31)),
        ("2025-12-31T16:00:00Z", date(2026, 1, 1)),
        ("2026-01-01T00:00:00+08:00", date(2026, 1, 1)),
        ("1988-07-01T23:30:00+08:00", date(1988, 7, 2)),
    ],
)
def test_the_default_business_date_is_the_date_in_shanghai(occurred_at: str, expected: date) -> None:
    """In the summer of 1988 the clocks of Shanghai stood an hour ahead of +08:00."""
    assert _transaction({**without("business_date"), "occurred_at": occurred_at}).business_date == expected


def test_the_detail_never_repeats_a_value() -> None:
    secret = "张三的身份证"
    for name in (
        "customer_code",
        "counter_id",
        "amount",
        "line",
        "kind",
        "occurred_at",
        "business_date",
        "pieces",
    ):
        answer = read_transaction(binary(changed(**{name: secret * 50})))
        assert isinstance(answer, Invalid)
        assert secret not in answer.detail
        assert name in answer.detail


# --- Identity and content -----------------------------------------------------------------------------------


@pytest.mark.req("TIE-1")
@pytest.mark.parametrize(
    "other",
    [
        changed(amount="1234.5"),
        changed(amount="0001234.50"),
        without("business_date"),
        without("settlement"),
        without("product"),
        changed(product=""),
        changed(occurred_at="2026-01-15T01:31:07Z"),
        changed(occurred_at="2026-01-15T09:31:07.000+08:00"),
        changed(unknown="field"),
        dict(reversed(SALE.items())),
    ],
)
def test_what_says_the_same_has_the_same_content(other: dict[str, Any]) -> None:
    assert _transaction(other).content_hash() == _transaction(SALE).content_hash()


@pytest.mark.req("TIE-1")
@pytest.mark.parametrize(
    "other",
    [
        changed(amount="1234.51"),
        changed(customer_code="3205000000012"),
        changed(counter_id="32050002"),
        changed(line="letters"),
        changed(kind="reversal"),
        changed(business_date="2026-01-14"),
        changed(settlement="credit"),
        changed(occurred_at="2026-01-15T09:31:08+08:00"),
        changed(pieces=0),
        without("pieces"),
        changed(product="x"),
        changed(manager_id="x"),
        changed(clerk_id="x"),
        changed(payer_uscc="x"),
        changed(payer_name_hash="x"),
        changed(destination="x"),
    ],
)
def test_what_says_something_else_has_other_content(other: dict[str, Any]) -> None:
    assert _transaction(other).content_hash() != _transaction(SALE).content_hash()


def test_the_hash_of_the_example_never_changes() -> None:
    """Stored hashes are compared with new ones for ever: a change here would turn old duplicates into
    conflicts.
    """
    assert _transaction(SALE).content_hash().hex() == "05aa349efd84894d87c7535c5a5285e2"
    assert (
        str(identity("/counters/320500", "320500-20260115-000123")) == "7154ab4b-dd6d-91f4-a58f-e804ae095d2b"
    )


@pytest.mark.req("TIE-1")
@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_two_pairs_never_share_an_identity(source: str, id: str, other_source: str, other_id: str) -> None:
    def well_formed(text: str) -> bool:
        return not any(unicodedata.category(character) == "Cs" for character in text)

    assume(all(map(well_formed, (source, id, other_source, other_id))))
    same = (source, id) == (other_source, other_id)
    assert (identity(source, id) == identity(other_source, other_id)) == same
    assert identity(source + id, "") != identity(source, id) or not id


texts = (
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: len(text) <= 32 and text.isprintable())
)
instants = st.datetimes(
    min_value=datetime(1901, 1, 3),
    max_value=datetime(2199, 12, 29),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
transactions = st.builds(
    lambda kind, reverses, occurred_at, **rest: Transaction(
        kind=kind,
        reverses=reverses if kind == "reversal" else None,
        occurred_at=occurred_at.astimezone(UTC),
        **rest,
    ),
    customer_code=texts,
    counter_id=texts,
    line=st.sampled_from(sorted(LINES)),
    kind=st.sampled_from(sorted(KINDS)),
    amount_fen=st.integers(1, 999_999_999_999),
    occurred_at=instants,
    business_date=st.dates(FIRST_DAY, LAST_DAY),
    settlement=st.sampled_from(sorted(SETTLEMENTS)),
    pieces=st.none() | st.integers(0, BIGINT_MAX),
    reverses=st.none() | texts,
    manager_id=st.none() | texts,
    clerk_id=st.none() | texts,
    payer_uscc=st.none() | texts,
    payer_name_hash=st.none() | texts,
    product=st.none() | texts,
    destination=st.none() | texts,
)


@given(transactions)
def test_a_transaction_survives_the_wire_with_its_content(transaction: Transaction) -> None:
    made = transaction.outgoing(id="1", source="/counters/1")
    answer = read_transaction(record(made.value, made.headers, made.key))
    assert isinstance(answer, ReadTransaction), answer
    assert answer.transaction == transaction
    assert answer.transaction.content_hash() == transaction.content_hash()


@given(transactions, transactions)
def test_content_is_equal_exactly_when_the_transactions_are(one: Transaction, other: Transaction) -> None:
    assert (one == other) == (one.content_hash() == other.content_hash())


# --- The model states the same rules ------------------------------------------------------------------------


def _model_reason(data: dict[str, Any]) -> str | None:
    envelope = Envelope(id="1", source="/c", type=TRANSACTION_TYPE, data=data)
    answer = TransactionData.of(envelope)
    return answer.reason if isinstance(answer, Invalid) else None


edge_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from([value for _, value in BAD] + [row[1] for row in GOOD]),
)


@given(st.sampled_from(sorted({*SALE, "payer_uscc", "payer_name_hash"})), edge_values)
def test_the_fast_reader_and_the_model_agree(name: str, value: Any) -> None:
    data = changed(**{name: value})
    assert (_reason(data) is None) == (_model_reason(data) is None)
    assert _reason(data) == _model_reason(data)


@given(transactions)
def test_a_transaction_written_down_is_the_same_when_it_is_read_again(transaction: Transaction) -> None:
    assert Transaction.of_data(json.loads(json.dumps(transaction.to_data()))) == transaction


@pytest.mark.parametrize("name", ["business_date", "occurred_at"])
def test_a_date_outside_the_range_is_refused_with_its_field_and_the_range(name: str) -> None:
    value = "0206-01-05" if name == "business_date" else "0206-01-05T09:31:07+08:00"
    assert read_transaction(binary(changed(**{name: value}))) == Invalid(
        "bad_field", f"{name} lies outside 1901-01-01 to 2199-12-31"
    )


def test_what_was_written_down_before_the_range_was_stated_stays_readable() -> None:
    data = {**_transaction(SALE).to_data(), "business_date": "0206-01-05"}
    assert Transaction.of_data(data).business_date == date(206, 1, 5)


# --- What libraries of other people write -------------------------------------------------------------------


@pytest.mark.parametrize("made", [structured(json.dumps(SALE)), binary(json.dumps(SALE))])
def test_data_that_is_a_string_holding_json_is_refused_with_exactly_these_words(made: Record) -> None:
    assert read_transaction(made) == Invalid(
        "bad_field", "data is a string holding JSON, not the JSON object itself"
    )
    other = read_transaction(structured("a text"))
    assert other == Invalid("bad_field", "data is not an object")


# --- Control totals -----------------------------------------------------------------------------------------

TOTAL: dict[str, Any] = {
    "counter_id": "32050001",
    "business_date": "2026-01-15",
    "line": "express",
    "sales": {"count": 12, "amount": "3400.00"},
    "reversals": {"count": 0, "amount": "0.00"},
    "customers": [{"customer_code": "3205000000011", "amount": "1234.5"}],
}


def _total(data: dict[str, Any]) -> ControlTotal | Invalid:
    return ControlTotal.of(Envelope(id="1", source="/c", type=ControlTotal.TYPE, data=data))


def test_a_control_total_is_read_with_figures_in_fen() -> None:
    total = _total(TOTAL)
    assert isinstance(total, ControlTotal)
    assert (total.sales.count, total.sales.amount_fen, total.reversals.amount_fen) == (12, 340000, 0)
    assert total.customers is not None
    assert total.customers[0].amount_fen == 123450
    without_customers = _total({key: value for key, value in TOTAL.items() if key != "customers"})
    assert isinstance(without_customers, ControlTotal)
    assert without_customers.customers is None


@pytest.mark.parametrize(
    ("changes", "reason", "path"),
    [
        ({"sales": {"count": -1, "amount": "1"}}, "bad_field", "sales.count"),
        ({"sales": {"count": 1.0, "amount": "1"}}, "bad_field", "sales.count"),
        ({"sales": {"count": True, "amount": "1"}}, "bad_field", "sales.count"),
        ({"sales": {"count": 1, "amount": 100}}, "bad_field", "sales.amount"),
        ({"sales": {"count": 1, "amount": "-1.00"}}, "bad_field", "sales.amount"),
        ({"sales": {"amount": "1"}}, "missing_field", "sales.count"),
        ({"sales": None}, "missing_field", "sales"),
        ({"sales": []}, "bad_field", "sales"),
        ({"customers": [{"customer_code": "x"}]}, "missing_field", "customers.0.amount"),
        ({"customers": {}}, "bad_field", "customers"),
        ({"business_date": None}, "missing_field", "business_date"),
        ({"business_date": "2026-1-15"}, "bad_field", "business_date"),
        ({"line": "mail"}, "bad_field", "line"),
        ({"counter_id": ""}, "bad_field", "counter_id"),
    ],
)
def test_a_broken_control_total_names_the_field(changes: dict[str, Any], reason: str, path: str) -> None:
    answer = _total({**TOTAL, **changes})
    assert isinstance(answer, Invalid)
    assert answer.reason == reason
    assert answer.detail.startswith(path)


def test_a_message_of_another_type_is_not_a_control_total() -> None:
    answer = ControlTotal.of(Envelope(id="1", source="/c", type=TRANSACTION_TYPE, data=TOTAL))
    assert isinstance(answer, Invalid)
    assert answer.reason == "wrong_type"
