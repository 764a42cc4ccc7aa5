"""Unified social credit codes (统一社会信用代码, GB 32100-2015).

18 characters of an alphabet without I, O, S, V and Z: registering authority, kind of entity, six digits of division, nine
characters of organisation code, and a check character by ISO 7064 mod 31,30. The authority may be a letter (A, N, Y), which
libraries that expect digits refuse. Every service judges a code by this one rule.
"""

from __future__ import annotations

import unicodedata
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
AUTHORITIES: Final = "123456789ANY"
_WEIGHTS: Final = tuple(3**place % 31 for place in range(17))


def check_character(first17: str) -> str:
    """The check character of the first seventeen characters."""
    total = sum(
        ALPHABET.index(character) * weight for character, weight in zip(first17, _WEIGHTS, strict=True)
    )
    return ALPHABET[-total % 31]


def clean_uscc(text: str) -> str | None:
    """The code in its stored form (half width, upper case, no separators), or None if it is not a
    valid one."""
    code = "".join(unicodedata.normalize("NFKC", text).upper().split()).replace("-", "")
    if len(code) != 18 or any(character not in ALPHABET for character in code):
        return None
    if code[0] not in AUTHORITIES or not code[2:8].isdigit():
        return None
    return code if check_character(code[:17]) == code[17] else None
