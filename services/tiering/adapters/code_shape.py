"""How an unknown code is named (REG-4): a code of 13 digits looks like one that the system issues, whose last digit is a
check digit of ISO 7064 mod 11,10. It only sets the reason for which a transaction is held, and rejects nothing.
"""

from __future__ import annotations

from typing import Final

from stdnum.iso7064 import mod_11_10

from services.tiering.domain.holding import HoldReason

ISSUED_LENGTH: Final = 13


def reason_for_unknown(code: str) -> HoldReason:
    looks_issued = len(code) == ISSUED_LENGTH and code.isascii() and code.isdigit()
    if looks_issued and not mod_11_10.is_valid(code):
        return HoldReason.BAD_CHECK_DIGIT
    return HoldReason.UNKNOWN_CODE
