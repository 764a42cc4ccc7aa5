"""What the command line says, from the catalogue, in the language of its user.

Sentences stand under `cli.…`; codes of the contracts are shown by their word of a kind, as in every other place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.language import language
from cli.printable import visible
from shared.texts import say
from shared.texts import word as word_of


def phrase(key: str, /, **values: Any) -> str:
    """A text of the catalogue with its values."""
    return say(key, language(), **values)


def word(kind: str, code: str | None) -> str:
    """What a code is called; a code without a word as it came."""
    return "-" if code is None else word_of(kind, code, language())


def words(kind: str, codes: Sequence[str]) -> str:
    """Several of them in one text."""
    return joined([word(kind, code) for code in codes])


def joined(parts: Sequence[str]) -> str:
    """Parts of a list as the language lists them."""
    return ("、" if language() == "zh-CN" else ", ").join(parts)


def clauses(parts: Sequence[str]) -> str:
    """Parts of a sentence in one text."""
    return ("，" if language() == "zh-CN" else ", ").join(parts)


def named(one: Mapping[str, Any], prefix: str = "name") -> str:
    """A name that comes in both languages, such as a unit's."""
    return str(one[f"{prefix}_{'en' if language() == 'en' else 'zh'}"] or "")


def lines_of(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """A line for each (key of the label, value) that has a value. No value can move the cursor."""
    shown = [(phrase(key), value) for key, value in pairs if value not in (None, "", [], ())]
    width = max((_columns(label) for label, _value in shown), default=0)
    return [f"  {label}{padding(label, width)}  {visible(str(value))}" for label, value in shown]


def padding(text: str, width: int) -> str:
    """The blanks that fill a text up to so many columns of a terminal."""
    return " " * (width - _columns(text))


def _columns(text: str) -> int:
    """How wide a label stands on a terminal: a Chinese character takes two columns."""
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


def in_one_line(value: Any) -> str:
    """Any part of an answer in one line, as the service gave it; members without a value are left out."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {in_one_line(one)}" for name, one in value.items() if one not in (None, [], {})
        )
    if isinstance(value, list):
        return "; ".join(in_one_line(one) for one in value)
    return visible(str(value))
