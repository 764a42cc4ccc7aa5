"""What goes wrong at counters, and how often: late, twice, taken back, under a wrong code, garbled.

Chances are those of one sale. They are higher than in real life, so that each is seen within a few days.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from random import Random  # noqa: TID251 -- only the type: the generator comes in with its seed
from typing import Any, Final, Literal

from shared.money import format_yuan, parse_yuan

Mishap = Literal[
    "late", "twice", "altered", "reversed", "mistyped", "forgotten", "local", "ahead", "garbled", "burst"
]
CHANCES: Final[Mapping[Mishap, float]] = {
    "late": 0.03,       # The line was down: it arrives up to 25 days later.
    "twice": 0.02,      # Sent again as it was.
    "altered": 0.001,   # Sent again under the same id with another amount: a conflict.
    "reversed": 0.02,   # Taken back, whole or in part.
    "mistyped": 0.008,  # One digit of the customer's code is wrong.
    "forgotten": 0.003, # A code from an old list that nobody knows.
    "ahead": 0.001,     # The counter's calendar is weeks ahead.
    "garbled": 0.001,   # The amount or the line is written in no form that is allowed.
}  # fmt: skip
LOCAL_CHANCE: Final = 0.25
"""Of a sale at the counter that has a code of its own for the customer."""
BURST_CHANCE: Final = 0.006
"""Of a customer's day: a mailing is handed in at once, as many small sales within minutes."""
BURST_SALES: Final = (30, 80)
LATE_DAYS_MAX: Final = 25
_PARTIAL: Final = 0.3
_UNNAMED: Final = 0.1
"""Of the reversals: they do not say which sale they take back."""


def struck(dice: Random) -> set[Mishap]:
    """Which of them befall a sale. All dice fall whatever comes out, so that a stream stays the same when a chance is
    changed elsewhere."""
    return {mishap for mishap, chance in CHANCES.items() if dice.random() < chance}


def mistyped(dice: Random, code: str) -> str:
    """The code with one digit changed."""
    places = [place for place, character in enumerate(code) if character in "0123456789"]
    if not places:
        return f"{code}0"
    place = dice.choice(places)
    return f"{code[:place]}{(int(code[place]) + dice.randint(1, 9)) % 10}{code[place + 1 :]}"


def garbled(dice: Random, event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with a field that breaks its rule."""
    broken = deepcopy(dict(event))
    if dice.random() < 0.5:
        broken["data"]["amount"] = broken["data"]["amount"].replace(".", ",")
    else:
        broken["data"]["line"] = broken["data"]["line"][:-1]
    return broken


def altered(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event under its own identity with another amount."""
    other = deepcopy(dict(event))
    other["data"]["amount"] = format_yuan(parse_yuan(other["data"]["amount"]) + 100)
    return other


def reversal(dice: Random, event: Mapping[str, Any], occurred_at: str, business_date: str) -> dict[str, Any]:
    """What takes a sale back: whole, or a part of it, and mostly naming it."""
    taken = deepcopy(dict(event))
    taken["id"] = f"{event['id']}-R"
    data = taken["data"]
    fen = parse_yuan(data["amount"])
    partial = dice.random() < _PARTIAL and fen > 1
    data |= {"kind": "reversal", "occurred_at": occurred_at, "business_date": business_date}
    if partial:
        data["amount"] = format_yuan(fen // 2)
        data["pieces"] = data["pieces"] // 2
    if dice.random() >= _UNNAMED:
        data["reverses"] = event["id"]
    taken["time"] = occurred_at
    return taken
