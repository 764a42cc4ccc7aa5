"""The two languages of everything that people read: Chinese as in zh-CN, and English."""

from __future__ import annotations

import re
from typing import Final, Literal

Language = Literal["zh-CN", "en"]
DEFAULT_LANGUAGE: Final[Language] = "zh-CN"

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?"
)
_HEADER_LENGTH_MAX: Final = 1000


def language_of(accept_language: str | None) -> Language:
    """The language that an `Accept-Language` header asks for (RFC 9110 12.5.4), Chinese where it asks for
    neither.

    The highest weight wins, the earlier of two equal ones; any Chinese is zh-CN and any English is en. What
    cannot be read in the header is passed over.
    """
    best: Language = DEFAULT_LANGUAGE
    best_weight = 0.0
    for part in (accept_language or "")[:_HEADER_LENGTH_MAX].split(","):
        form = _RANGE.fullmatch(part)
        if form is None:
            continue
        primary = form[1].partition("-")[0].lower()
        weight = float(form[2]) if form[2] else 1.0
        if weight > best_weight and primary in ("zh", "en", "*"):
            best_weight = weight
            best = "en" if primary == "en" else DEFAULT_LANGUAGE
    return best


def short(language: Language) -> Literal["zh", "en"]:
    """The language as names in rows and cookies carry it."""
    return "en" if language == "en" else "zh"
