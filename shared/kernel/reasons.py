"""Why a transaction is held, and why a message becomes a dead letter: stable lists that the outside relies on (10-contracts,
"Bad input and dead letters")."""

from __future__ import annotations

from typing import Final, Literal, get_args

HeldReason = Literal[
    "unknown_code",
    "bad_check_digit",
    "retired_code",
    "conflict",
    "over_reversal",
    "reversal_mismatch",
    "sale_unknown",
    "future_date",
    "year_too_old",
]
HELD_REASONS: Final[tuple[HeldReason, ...]] = get_args(HeldReason)
"""A well-formed transaction that cannot be booked yet."""

DeadLetterReason = Literal[
    "not_json",
    "not_cloudevent",
    "wrong_type",
    "missing_field",
    "bad_field",
    "oversized",
    "bad_encoding",
    "internal_error",
]
DEAD_LETTER_REASONS: Final[tuple[DeadLetterReason, ...]] = get_args(DeadLetterReason)
"""A message that breaks a field rule, or makes our own code fail."""
