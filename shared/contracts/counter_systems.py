"""Counter systems with a way in of their own: who they are and for whom each of them speaks (ADR 11).

A Kafka record does not carry its producer's name. What tells counter systems apart is the topic that a record lies on,
which nobody but its system (and tiering, for counters that use HTTP) may write to.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.kernel.senders import foreign, named

SHIPPED: Final = Path(__file__).with_name("counter_systems.toml")
VARIABLE: Final = "KEYPOST_COUNTER_SYSTEMS"
"""Names a file of an installation's own in the environment of every process."""
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_FIELDS: Final = {"code", "unit", "sources", "counters", "exclusive"}


class BrokenSystems(ValueError):
    """The file of counter systems cannot be used; the message says where."""


@dataclass(frozen=True, slots=True)
class CounterSystem:
    """One counter system. `exclusive` sources come by its topic alone."""

    code: str
    unit: str
    sources: tuple[str, ...]
    counters: tuple[str, ...]
    exclusive: bool = False

    @property
    def user(self) -> str:
        """Its Kafka user."""
        return f"system.{self.code}"

    @property
    def transactions_topic(self) -> str:
        return f"counter.transactions.v1.{self.code}"

    @property
    def receipts_topic(self) -> str:
        return f"counter.receipts.v1.{self.code}"

    def foreign(self, source: str, counter_id: str, counter_path: str) -> str | None:
        """Which field makes a transaction one that this system may not send. `counter_path` is the path of the counter's
        unit, empty where the organisation does not list it."""
        if counter_path and self.unit not in counter_path.split("/"):
            return "counter_id"
        return foreign(self.sources, self.counters, source, counter_id)


def read_systems(file: Path) -> tuple[CounterSystem, ...]:
    """The systems of a file. Raises BrokenSystems."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BrokenSystems(f"{file} cannot be read: {problem}") from problem
    found: dict[str, CounterSystem] = {}
    for number, said in enumerate(content.get("systems", ()), start=1):
        system = _system(said) if isinstance(said, dict) and said.keys() <= _FIELDS else None
        if system is None:
            raise BrokenSystems(f"{file}: system {number} is not described as the file's head asks")
        if system.code in found:
            raise BrokenSystems(f"{file}: system {system.code} stands twice")
        found[system.code] = system
    return tuple(found.values())


def _system(said: dict[str, object]) -> CounterSystem | None:
    code, unit, exclusive = said.get("code"), said.get("unit"), said.get("exclusive", False)
    sources, counters = _names(said.get("sources")), _names(said.get("counters"))
    if not (isinstance(code, str) and _CODE.fullmatch(code) and isinstance(unit, str) and unit):
        return None
    # A system that names nobody would speak for all.
    if not (sources and counters and isinstance(exclusive, bool)):
        return None
    return CounterSystem(code, unit, sources, counters, exclusive)


def _names(said: object) -> tuple[str, ...]:
    if isinstance(said, list) and all(isinstance(each, str) and each for each in said):
        return tuple(said)
    return ()


SYSTEMS: Final[tuple[CounterSystem, ...]] = read_systems(Path(os.environ.get(VARIABLE) or SHIPPED))


def reserved_for(systems: Iterable[CounterSystem], source: str) -> CounterSystem | None:
    """The system by whose topic alone a source's transactions come; None where they may come by the shared one."""
    return next((one for one in systems if one.exclusive and named(one.sources, source)), None)


def told_to(systems: Iterable[CounterSystem], source: str, counter_id: str) -> list[CounterSystem]:
    """The systems that get the receipts of a transaction: those that speak for its source and its counter."""
    return [one for one in systems if foreign(one.sources, one.counters, source, counter_id) is None]
