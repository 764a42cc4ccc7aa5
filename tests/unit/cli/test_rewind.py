"""`keypost rewind`: what it asks, and what it refuses to ask."""

from __future__ import annotations

import pytest

from cli.instance import CommandError, Exit
from cli.rewind import target


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("beginning", "beginning"),
        ("0", 0),
        ("123456", 123456),
        ("2026-03-01T00:00+08:00", "2026-03-01T00:00:00+08:00"),
        ("2026-02-28T16:00:00Z", "2026-02-28T16:00:00+00:00"),
    ],
)
def test_a_place_is_an_offset_an_instant_or_the_beginning(text: str, asked: int | str) -> None:
    assert target(text) == asked


@pytest.mark.parametrize("text", ["", "end", "-1", "2026-03-01T00:00", "2026-13-01T00:00+08:00", "1e5"])
def test_anything_else_is_a_bad_call(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        target(text)
    assert refused.value.code == Exit.BAD_CALL
