"""Days, instants, amounts, counts and lines as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.writing import read_count, read_day, read_instant, read_line, read_yuan
from shared.money import format_yuan


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05",
        "2026/1/5",
        "2026.01.05",
        "20260105",
        "2026年1月5日",
        "2026年01月05",
        "2026-01-05 00:00:00",
        "2026/1/5 0:00",
        "2026/1/5 9:31:07",
        "2026年1月5日 9时31分",
        "2026年1月5日9时31分07秒",
        "2026-01-05T09:31:07.5",
        "２０２６-01-05",
        "2026／1／5",
        "\ufeff2026-01-05 ",
    ],
)
def test_a_day_is_read_however_people_and_spreadsheets_write_it(text: str) -> None:
    assert read_day(text) == date(2026, 1, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15-01-2026",
        "2026-02-30",
        "2026-1/15",
        "26-03-09",
        "46090",
        "soon",
        "2026-01-05 25:00",
        "2026-01-05T23:00:00Z",
        "2026-01-05 12:61",
    ],
)
def test_what_is_no_day_or_could_be_two_is_none(text: str) -> None:
    assert read_day(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026/1/5 9:31:07", "2026-01-05T09:31:07+08:00"),
        ("2026年1月5日 9时31分", "2026-01-05T09:31:00+08:00"),
        ("2026-01-05 9:31", "2026-01-05T09:31:00+08:00"),
        ("2026-01-05", "2026-01-05T00:00:00+08:00"),
        ("2026-01-05T01:31:07Z", "2026-01-05T01:31:07+00:00"),
        ("2026-01-05T01:31:07.250+0100", "2026-01-05T01:31:07.250000+01:00"),
        ("2026-01-05T01:31:07+99:00", None),
        ("0206-01-05", None),
        ("9999-12-31", None),
        ("9:31", None),
    ],
)
def test_a_time_without_an_offset_is_that_of_shanghai(text: str, found: str | None) -> None:
    instant = read_instant(text)
    assert (None if instant is None else instant.isoformat()) == found


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1234.5", 123450),
        ("1,234.50", 123450),
        ("￥1234.50", 123450),
        ("¥ 1,234,567.8", 123456780),
        ("１２３４．５０", 123450),
        ("1，234.50元", 123450),
        ("RMB 12", 1200),
        ("1234.3000000000002", 123430),
        ("0.30000000000000004", 30),
        ("1234.5599999999999", 123456),
        ("88.199999999999989", 8820),
        ("9999999999.99", 999_999_999_999),
        ("12.500", 1250),
    ],
)
def test_an_amount_is_read_whatever_its_form(text: str, fen: int) -> None:
    assert read_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-5.00",
        "(5.00)",
        "1,23.50",
        "1234,567.00",
        "1.005",
        "1.23456789012",
        "1e3",
        "12.5.0",
        "10000000000",
        "一百",
        "1 234.50",
    ],
)
def test_what_is_no_amount_or_could_be_two_is_none(text: str) -> None:
    assert read_yuan(text) is None


@given(st.integers(0, 999_999_999_999))
def test_every_amount_is_read_from_what_a_binary_number_makes_of_it(fen: int) -> None:
    assert read_yuan(format_yuan(fen)) == fen
    assert read_yuan(f"{fen / 100:,.2f}") == fen
    assert read_yuan(f"{fen / 100:.17g}") == fen or "e" in f"{fen / 100:.17g}"


@pytest.mark.parametrize(
    ("text", "found"), [("41", 41), ("1,041", 1041), ("４１", 41), ("41.0", 41), ("4.5", None), ("-1", None)]
)
def test_a_count_is_a_whole_number(text: str, found: int | None) -> None:
    assert read_count(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("特快", "express"),
        ("速递（特快）", "express"),
        ("包件", "parcels"),
        ("包裹", "parcels"),
        (" Express ", "express"),
        ("陶瓷", None),
    ],
)
def test_the_words_of_the_glossary_name_a_line(text: str, line: str | None) -> None:
    assert read_line(text) == line
