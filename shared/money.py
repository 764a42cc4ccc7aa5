"""Money: integer fen inside, a decimal string in yuan outside, never a float.

The outside form of an incoming amount is `\\d{1,10}(\\.\\d{1,2})?` in ASCII digits and without a sign; what
the system prints always has two decimals and keeps the sign of a difference.
"""

from __future__ import annotations

import re
from typing import Final

AMOUNT_PATTERN: Final = r"[0-9]{1,10}(\.[0-9]{1,2})?"
"""The form of an incoming amount, to be matched against the whole string."""

AMOUNT_FEN_MAX: Final = 999_999_999_999
"""The largest amount that the form can carry: 9 999 999 999.99 yuan."""

_AMOUNT = re.compile(AMOUNT_PATTERN)
_SIGNED = re.compile(r"-?[0-9]{1,18}\.[0-9]{2}")


def parse_yuan(text: str) -> int:
    """Fen of an amount as others write it, such as `"1234.5"` (123450).

    Raises ValueError for any other form: a sign, an exponent, a third decimal, blanks, full-width digits.
    """
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError("not an amount in yuan with at most ten digits and two decimals")
    yuan, _, decimals = text.partition(".")
    if len(decimals) == 2:
        return int(yuan + decimals)
    return int(yuan) * 100 + (int(decimals) * 10 if decimals else 0)


def format_yuan(fen: int) -> str:
    """The decimal string of an amount in fen, always with two decimals: `-5` is `"-0.05"`."""
    yuan, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan}.{rest:02d}"


def parse_printed_yuan(text: str) -> int:
    """Fen of a figure as this system prints it: two decimals, perhaps negative, totals of any size that a
    bigint holds.

    Totals may be negative (a reversal of last year's sale) and may exceed what one transaction can carry.
    """
    if _SIGNED.fullmatch(text) is None:
        raise ValueError("not a figure in yuan with two decimals")
    return int(text.replace(".", ""))
