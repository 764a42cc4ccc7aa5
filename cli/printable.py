"""Text from outside on a terminal: nothing in it may move the cursor, change colours or hide."""

from __future__ import annotations

from datetime import datetime

from cli.language import language
from shared.clock import SHANGHAI
from shared.texts import say


def visible(text: str) -> str:
    """Every character that is not printable as its escape, `\\x1b` or `\\u202e`; a backslash stays one."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shortened(text: str, longest: int) -> str:
    """The beginning of a long text, with the number of characters left out."""
    if len(text) <= longest:
        return text
    return say("cli.left_out", language(), text=text[:longest], count=len(text) - longest)


def moment(text: str | None) -> str:
    """An instant of an answer as people of the organisation read it: `2026-03-09 10:11:12`, in Shanghai."""
    if not text:
        return "-"
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
