"""A row of a file becomes an event that the service takes, or a reject that says why."""

from __future__ import annotations

from datetime import date

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.transaction_rows import COLUMNS, EXAMPLE, Rejected, event_of, template
from services.tiering.entrypoints.transactions import read_items
from shared.contracts.counter_v1 import ReadTransaction, read_transaction
from shared.contracts.envelope import STRUCTURED
from shared.contracts.fields import Invalid
from shared.messaging.records import Record

ROW = {
    "id": "a-1",
    "customer_code": "L1",
    "line": "express",
    "kind": "sale",
    "amount": "12.5",
    "business_date": "2026-01-15",
}


def read(row: dict[str, str], unit: str = "3205") -> ReadTransaction | Invalid | Rejected:
    made = event_of(row, unit)
    if isinstance(made, Rejected):
        return made
    headers = (("content-type", STRUCTURED.encode()),)
    return read_transaction(Record("counter.transactions.v1", 0, 0, None, orjson.dumps(made), headers, 0))


def good(row: dict[str, str], unit: str = "3205") -> ReadTransaction:
    found = read(row, unit)
    assert isinstance(found, ReadTransaction), found
    return found


def test_what_a_row_leaves_out_is_the_unit_and_the_beginning_of_the_business_day() -> None:
    found = good(ROW, "3201")
    assert (found.source, found.id) == ("/imports/3201", "a-1")
    assert found.transaction.counter_id == "3201"
    assert found.transaction.occurred_at.isoformat() == "2026-01-14T16:00:00+00:00"
    assert found.transaction.business_date == date(2026, 1, 15)
    assert found.transaction.settlement == "cash"
    assert found.transaction.pieces is None


def test_what_a_row_says_is_kept() -> None:
    found = good(
        ROW
        | {
            "kind": "reversal",
            "reverses": "a-0",
            "source": "/counters/7",
            "counter_id": "32050001",
            "pieces": "41",
        }
        | {
            "occurred_at": "2026-01-16T09:31:07+08:00",
            "settlement": "credit",
            "manager_id": "李明",
            "product": "EMS",
        }
    )
    said = found.transaction
    assert found.source == "/counters/7"
    assert (said.kind, said.reverses, said.counter_id, said.pieces) == ("reversal", "a-0", "32050001", 41)
    assert said.occurred_at.isoformat() == "2026-01-16T01:31:07+00:00"
    assert (said.settlement, said.manager_id, said.product) == ("credit", "李明", "EMS")


@pytest.mark.parametrize(
    "text", ["2026-01-15 09:31", "2026-01-15 09:31:00", "2026/1/15 09:31:00", "2026-01-15T01:31:00Z"]
)
def test_a_time_without_an_offset_is_that_of_shanghai(text: str) -> None:
    assert (
        good(ROW | {"occurred_at": text}).transaction.occurred_at.isoformat() == "2026-01-15T01:31:00+00:00"
    )


@pytest.mark.parametrize(
    ("cell", "text", "reason"),
    [
        *((name, "", "missing_field") for name in ROW),
        ("amount", "-5.00", "bad_field"),
        ("amount", "1,23.50", "bad_field"),
        ("amount", "1.005", "bad_field"),
        ("amount", "0.00", "bad_field"),
        ("line", "porcelain", "bad_field"),
        ("kind", "refund", "bad_field"),
        ("business_date", "15.01.2026", "bad_field"),
        ("business_date", "0206-01-15", "bad_field"),
        ("business_date", "9999-12-31", "bad_field"),
        ("occurred_at", "1899-01-15 09:31", "bad_field"),
        ("id", "3.20500000001234E+17", "bad_field"),
        ("customer_code", "3.205E+12", "bad_field"),
        ("customer_code", "3205990000226.0", "bad_field"),
        ("reverses", "=A1", "bad_field"),
        ("pieces", "4.5", "bad_field"),
        ("pieces", "-1", "bad_field"),
        ("occurred_at", "this morning", "bad_field"),
        ("occurred_at", "2026-01-15 25:00", "bad_field"),
        ("customer_code", "x" * 33, "bad_field"),
        ("settlement", "barter", "bad_field"),
        ("reverses", "a-0", "bad_field"),
    ],
)
def test_a_bad_cell_is_said_with_its_reason_and_field(cell: str, text: str, reason: str) -> None:
    found = read(ROW | {cell: text})
    assert isinstance(found, Rejected | Invalid)
    assert found.reason == reason
    assert cell in found.detail


def test_chinese_words_stand_for_lines_kinds_and_settlements() -> None:
    said = good(ROW | {"line": "集邮", "kind": "冲销", "settlement": "记欠"}).transaction
    assert (said.line, said.kind, said.settlement) == ("philately", "reversal", "credit")


def test_both_rows_of_the_template_are_the_same_good_transaction() -> None:
    english, first, chinese, second = template()
    names = {aliases[0]: name for name, aliases in COLUMNS.items()}
    assert english == list(COLUMNS)
    rows = [
        dict(zip(english, first, strict=True)),
        dict(zip((names[one] for one in chinese), second, strict=True)),
    ]
    assert rows[0] == EXAMPLE
    assert good(rows[0]) == good(rows[1])


def test_no_heading_names_two_columns() -> None:
    headings = [alias for name, aliases in COLUMNS.items() for alias in (name, *aliases)]
    assert len(headings) == len(set(headings))


cells = st.one_of(
    st.text(max_size=12), st.sampled_from(["2026-01-15", "1.00", "sale", "express", "7", "NaN", "１"])
)


@given(st.dictionaries(st.sampled_from(list(COLUMNS)), cells))
@example(ROW | {"amount": "٣"})
def test_any_row_gives_an_event_that_is_answered_or_a_reject_with_a_reason(row: dict[str, str]) -> None:
    made = event_of(row, "3205")
    if isinstance(made, Rejected):
        assert made.reason in ("missing_field", "bad_field")
        assert made.detail
        return
    (item,) = read_items([orjson.dumps(made)]).items
    assert item.status == "accepted" or (item.reason and item.detail)


@given(
    st.fixed_dictionaries(
        {
            "id": st.text("ab-1", min_size=1, max_size=40),
            "customer_code": st.text("L0123", min_size=1, max_size=32),
            "line": st.sampled_from(["letters", "函件", "express"]),
            "kind": st.sampled_from(["sale", "reversal", "冲销"]),
            "amount": st.from_regex(r"[1-9][0-9]{0,9}(\.[0-9]{1,2})?", fullmatch=True),
            "business_date": st.dates(date(2000, 1, 1), date(2030, 1, 1)).map(str),
        }
    )
)
def test_every_row_that_keeps_the_rules_is_accepted_with_the_day_it_names(row: dict[str, str]) -> None:
    said = good(row).transaction
    assert said.business_date.isoformat() == row["business_date"]
