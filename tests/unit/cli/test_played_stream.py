"""What a demo plays: every row of a file once and in its order, at the business day that it has reached."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.played_stream import Item, _steps, minor_event, open_events, postal_lines
from cli.transaction_rows import Rejected
from cli.unusable import UnusableFile
from services.tiering.entrypoints.transactions import read_items
from shared.contracts.counter_v1 import LINES

MINOR = "event_id,customer,line,amount,business_date\n"


def written(folder: Path, text: str, name: str = "events.csv") -> Path:
    path = folder / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def played(path: Path) -> list[Item]:
    with open_events(path) as file:
        return [item for step in file.steps() for item in step.items]


def test_minor_units_become_yuan_and_negative_amounts_reversals_without_a_sale(tmp_path: Path) -> None:
    path = written(tmp_path, MINOR + "e1,L1,adults,123450,2012-01-31\ne2,L1,adults,-5,2012-02-01\n")
    first, second = played(path)
    assert not isinstance(first, Rejected)
    assert not isinstance(second, Rejected)
    assert first["data"] == {
        "customer_code": "L1",
        "counter_id": "demo",
        "line": "letters",
        "kind": "sale",
        "amount": "1234.50",
        "occurred_at": "2012-01-31T00:00:00+08:00",
        "business_date": "2012-01-31",
    }
    assert (second["data"]["kind"], second["data"]["amount"]) == ("reversal", "0.05")
    assert first["source"] == second["source"]
    assert len(read_items([orjson.dumps(first), orjson.dumps(second)]).outgoing) == 2


def test_a_packed_file_is_the_same_as_a_plain_one(tmp_path: Path) -> None:
    text = MINOR + "e1,L1,adults,100,2012-01-31\n"
    packed = played(written(tmp_path, text, "events.csv.gz"))
    assert packed == played(written(tmp_path, text))
    assert [path.name for path in tmp_path.iterdir()] != []


def test_the_columns_of_an_import_are_played_too(tmp_path: Path) -> None:
    text = "流水号,客户代码,业务种类,交易类型,金额,业务日期\n1,L1,函件,收入,5.00,2026-01-15\n"
    with open_events(written(tmp_path, text)) as file:
        assert (file.minor_units, list(file.customers), file.first) == (False, ["L1"], date(2026, 1, 15))
        (step,) = file.steps()
    (item,) = step.items
    assert not isinstance(item, Rejected)
    assert (item["source"], item["data"]["line"]) == ("/imports/3205", "letters")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "line,amount,business_date\nx,1,2012-01-31\n",
        MINOR,
        MINOR + "e1,L1,adults,100,someday\n",
        "\x1f\x8bnot packed at all",
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UnusableFile) as refused, open_events(path):
        pass
    assert refused.value.code == 2


@pytest.mark.parametrize(
    "row", ["e1,L1,adults,1.5,2012-01-31", "e1,,adults,1,2012-01-31", ",L1,adults,1,2012-01-31"]
)
def test_a_bad_row_of_a_played_file_is_a_reject_in_its_place(tmp_path: Path, row: str) -> None:
    items = played(written(tmp_path, f"{MINOR}e0,L1,adults,1,2012-01-31\n{row}\ne2,L1,adults,1,2012-01-31\n"))
    assert [isinstance(item, Rejected) for item in items] == [False, True, False]


def test_any_lines_become_postal_lines_in_order_of_appearance_and_postal_ones_stay() -> None:
    assert postal_lines(["adults", "letters", "housing"]) == {
        "adults": "logistics",
        "letters": "letters",
        "housing": "express",
    }
    many = postal_lines(f"line {number}" for number in range(20))
    assert set(many.values()) == set(LINES)


days = st.dates(date(2012, 1, 1), date(2014, 12, 31))


@given(st.lists(days, max_size=80), st.integers(1, 25))
def test_every_row_is_played_once_in_order_and_the_day_never_goes_back(
    dates: list[date], window: int
) -> None:
    items: list[Item] = [{"number": number} for number in range(len(dates))]
    steps = list(_steps(zip(dates, items, strict=True), window))
    assert [item for step in steps for item in step.items] == items
    assert all(step.on <= step.until for step in steps)
    assert all(before.until == after.on for before, after in pairwise(steps))
    assert all(step.until <= max(dates) for step in steps)


def test_a_mistyped_year_and_a_late_row_do_not_move_the_day() -> None:
    first = date(2012, 3, 1)
    dates = [first + timedelta(days=number // 10) for number in range(300)]
    dates[120] = date(2013, 3, 13)
    dates[200] = date(2011, 12, 30)
    items: list[Item] = [{} for _ in dates]
    steps = list(_steps(zip(dates, items, strict=True), 20))
    assert steps[-1].until < date(2012, 4, 1)
    assert steps[0].on == first


@given(st.dictionaries(st.sampled_from(MINOR.strip().split(",")), st.text(max_size=12)))
def test_any_row_of_the_second_form_gives_an_event_or_a_reject(row: dict[str, str]) -> None:
    made = minor_event(row, "/demo/x", postal_lines([row.get("line", "")]))
    assert isinstance(made, Rejected) or read_items([orjson.dumps(made)]).items
