"""The words and numbers of the contract that the checks need, written down a second time on purpose."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

LINES: Final = ("letters", "logistics", "express", "parcels", "press", "finance", "information", "philately")
"""The ledger stores a line as its number in this order."""
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

TRANSACTIONS: Final = "counter.transactions.v1"
CUSTOMERS: Final = "registry.customers.v1"
CUSTOMER_EVENTS: Final = "registry.customer-events.v1"
TIER_CHANGES: Final = "tiering.tier-changes.v1"
TIERS: Final = "tiering.tiers.v1"
REVENUE: Final = "tiering.revenue.v1"


def identity_of(source: str, id: str) -> UUID:
    """The 16 bytes under which an event's (source, id) is known for ever."""
    return UUID(bytes=blake2b(f"{len(source)}:{source}{id}".encode(), digest_size=16).digest())


def fen_of(yuan: str) -> int:
    """Fen of a printed amount such as `-1234.50`. Raises ValueError."""
    sign, digits = (-1, yuan[1:]) if yuan.startswith("-") else (1, yuan)
    whole, _, part = digits.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(part) > 2:
        raise ValueError(f"{yuan!r} is no amount")
    if part and not (part.isascii() and part.isdigit()):
        raise ValueError(f"{yuan!r} is no amount")
    return sign * (int(whole) * 100 + int(part.ljust(2, "0") or "0"))


def yuan(fen: int) -> str:
    """An amount for people: `1234.50`."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def shanghai_date(instant: datetime) -> date:
    return instant.astimezone(SHANGHAI).date()


def same_millisecond(one: datetime, other: datetime) -> bool:
    """Events print milliseconds, columns keep microseconds."""
    return _milliseconds(one) == _milliseconds(other)


def _milliseconds(instant: datetime) -> tuple[int, int]:
    moment = instant.astimezone(UTC)
    return int(moment.replace(microsecond=0).timestamp()), moment.microsecond // 1000


def check_digit(digits: str) -> str:
    """ISO 7064 mod 11,10 of a string of digits, by the standard's own recursion: P(1) = 10, then for each digit
    S = P + digit, P = 2 x (S mod 10, 0 counting as 10) mod 11; the check digit makes P + digit equal 1 mod 10."""
    product = 10
    for digit in digits:
        product = (((product + int(digit)) % 10 or 10) * 2) % 11
    return str((11 - product) % 10)
