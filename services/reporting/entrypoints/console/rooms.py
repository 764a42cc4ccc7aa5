"""The rooms of the console in the order of the navigation, each with what one must be permitted to enter it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.auth.policy import Operation


@dataclass(frozen=True, slots=True)
class Room:
    """`name` is also the name of its texts (`room.<name>`) and its icon."""

    name: str
    path: str
    operation: Operation
    group: str


ROOMS: Final[tuple[Room, ...]] = (
    Room("dashboard", "/", "customers.read", "overview"),
    Room("customers", "/customers", "customers.read", "accounts"),
    Room("declarations", "/declarations", "declarations.read", "accounts"),
    Room("merges", "/merges", "merges.read", "accounts"),
    Room("plans", "/plans", "plans.read", "development"),
    Room("windows", "/windows", "windows.read", "development"),
    Room("cases", "/cases", "cases.read", "development"),
    Room("suspense", "/suspense", "suspense.read", "quality"),
    Room("dead_letters", "/dead-letters", "dead_letters.read", "quality"),
    Room("freshness", "/freshness", "customers.read", "quality"),
)
