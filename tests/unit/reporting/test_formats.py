"""How figures and times are written for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.entrypoints.console import formats


@given(st.integers(-(10**15), 10**15))
def test_money_keeps_every_fen(fen: int) -> None:
    assert round(float(formats.yuan(fen).replace(",", "")) * 100) == fen or abs(fen) > 10**13
    assert int(formats.yuan(fen).replace(",", "").replace(".", "")) == fen


@pytest.mark.parametrize(
    ("fen", "shown"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (-5, "-0.05"),
        (123_456_789, "1,234,567.89"),
        (-123_456_700, "-1,234,567.00"),
        (None, "–"),
    ],
)
def test_money_has_separators_and_two_decimals_and_no_data_is_never_zero(fen: int | None, shown: str) -> None:
    assert formats.yuan(fen) == shown


@pytest.mark.parametrize(
    ("fen", "zh", "en"),
    [
        (99_999_949, ("999,999", "元"), ("999,999", "yuan")),
        (100_000_000, ("100.0", "万元"), ("1.00", "m yuan")),
        (1_234_567_890_000, ("123.46", "亿元"), ("12.35", "bn yuan")),
        (None, ("–", ""), ("–", "")),
    ],
)
def test_large_figures_are_told_in_the_readers_own_unit(
    fen: int | None, zh: tuple[str, str], en: tuple[str, str]
) -> None:
    assert (formats.large(fen, "zh-CN"), formats.large(fen, "en")) == (zh, en)


def test_instants_are_those_of_shanghai_and_machines_get_the_offset() -> None:
    said = str(formats.instant(datetime(2026, 3, 9, 16, 30, tzinfo=UTC)))
    assert said == '<time datetime="2026-03-10T00:30:00+08:00">2026-03-10 00:30</time>'
    assert str(formats.instant("2026-03-09T16:30:00+00:00")) == said
    assert str(formats.instant(None)) == str(formats.instant("nonsense")) == "–"


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0.5, "30 分钟", "30 min"),
        (47.99, "47 小时 59 分", "47 h 59 m"),
        (-2.25, "2 小时 15 分", "2 h 15 m"),
        (48, "48 小时", "48 h"),
        (72, "3 天", "3 d"),
        (73, "3 天 1 小时", "3 d 1 h"),
    ],
)
def test_hours_are_told_by_their_size(value: float, zh: str, en: str) -> None:
    assert (formats.hours(value, "zh-CN"), formats.hours(value, "en")) == (zh, en)


def test_what_was_searched_for_is_marked_and_stays_text() -> None:
    assert str(formats.highlighted("<b>苏州</b>", "苏")) == "&lt;b&gt;<mark>苏</mark>州&lt;/b&gt;"
    assert str(formats.highlighted("a&b", "x")) == "a&amp;b"


@pytest.mark.parametrize(
    ("part", "whole", "length"),
    [(1, 3, "33.33"), (0, 3, "0"), (-1, 3, "0"), (1, 0, "0"), (1, 10**9, "0.60"), (5, 3, "100.00")],
)
def test_a_little_is_never_nothing_in_a_bar(part: int, whole: int, length: str) -> None:
    assert formats.share(part, whole) == length
