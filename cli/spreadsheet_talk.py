"""What spreadsheets put into cells that the person who filled them in never meant: marks around a text, errors, and codes of
which the last digits are gone."""

from __future__ import annotations

import re
from typing import Final

from cli.words import phrase

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SIGNED_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_TEXT_FORMULA: Final = re.compile(r'=\s*"((?:[^"]|"")*)"')
_ERROR: Final = re.compile(
    r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!|#+)", re.I
)
_EXPONENT: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?E[+-][0-9]{1,3}", re.IGNORECASE)
_POINT: Final = re.compile(r"[0-9]+\.0+")
_BLANKS: Final = " \t\r\n\u00a0\u3000\u200b\u200e\u200f\u2060\ufeff"


def guard(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay as they are."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _SIGNED_NUMBER.fullmatch(cell) else cell


def plain_text(cell: str) -> str:
    """The text without what says only that it is one: blanks and byte order marks around it, an apostrophe before a figure
    or a formula, `="…"`."""
    text = cell.lstrip(_BLANKS)
    # The end is cut off afterwards: what the apostrophe guards may be a blank itself, such as a tab.
    if text[:1] == "'" and (text[1:2].isdigit() or text[1:].startswith(_FORMULA)):
        text = text[1:]
    text = text.strip(_BLANKS)
    if form := _TEXT_FORMULA.fullmatch(text):
        return form[1].replace('""', '"').strip(_BLANKS)
    return text


def is_error(text: str) -> bool:
    """Whether a cell shows a formula's error, or the marks of a column that is too narrow."""
    return text.startswith("#") and _ERROR.fullmatch(text) is not None


def damage(text: str) -> str | None:
    """What a spreadsheet has made of a code, in words with the cure; None where it looks like one still."""
    if _EXPONENT.fullmatch(text):
        return phrase("cli.file.code_as_number", text=text)
    if _POINT.fullmatch(text):
        return phrase("cli.file.code_with_point", text=text)
    if text.startswith("="):
        return phrase("cli.file.formula", text=text[:40])
    return None
