"""Money: what counts as an amount, and that printing and reading lose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import AMOUNT_FEN_MAX, format_yuan, parse_printed_yuan, parse_yuan


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("0.01", 1),
        ("10.0", 1000),
        ("10.00", 1000),
        ("1234.5", 123450),
        ("007", 700),
        ("9999999999.99", AMOUNT_FEN_MAX),
    ],
)
def test_an_amount_in_yuan_is_read_as_fen(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.234",
        "12345678901",
        "1e3",
        "1,000",
        " 1",
        "1\n",
        "１",
        "1.٥",
        "NaN",
        "0x10",
        "1_000",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="yuan"):
        parse_yuan(text)


@given(st.integers(0, AMOUNT_FEN_MAX))
def test_a_printed_amount_reads_back_as_the_same_fen(fen: int) -> None:
    assert parse_yuan(format_yuan(fen)) == fen


@given(st.integers(-(2**63) // 10, 2**63 // 10))
def test_a_printed_figure_reads_back_as_the_same_fen_with_its_sign(fen: int) -> None:
    printed = format_yuan(fen)
    assert parse_printed_yuan(printed) == fen
    assert printed.count(".") == 1
    assert len(printed.partition(".")[2]) == 2


def test_less_than_a_yuan_owed_keeps_its_sign() -> None:
    assert format_yuan(-5) == "-0.05"
