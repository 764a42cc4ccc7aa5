"""The lines of business (专业; S0 art.6, 7), in the order in which they are always listed."""

from __future__ import annotations

from typing import Final, Literal, get_args

Line = Literal["letters", "logistics", "express", "parcels", "press", "finance", "information", "philately"]
LINES: Final[tuple[Line, ...]] = get_args(Line)

COUNTER_FED: Final[frozenset[Line]] = frozenset(("letters", "parcels", "express"))
"""“函、包、特”: revenue arrives from counters by itself; the other lines are imported every month (S0 art.6, 7)."""
