"""Unified social credit codes (GB 32100-2015): 18 characters, the last one a check over the others."""

from __future__ import annotations

import unicodedata
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LENGTH: Final = 18


def clean_uscc(text: str) -> str | None:
    """The code as it is stored (half width, upper case, without separators), None where its check character is
    wrong."""
    code = "".join(unicodedata.normalize("NFKC", text).upper().split()).replace("-", "")
    if len(code) != _LENGTH or any(character not in _ALPHABET for character in code):
        return None
    total = sum(_ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(code[:17]))
    return code if _ALPHABET[-total % 31] == code[17] else None
