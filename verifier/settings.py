"""Where the checker reads: addresses with their credentials, which come in a file or on stdin and never as arguments."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SHIPPED_SCHEMES: Final = Path(__file__).resolve().parent.parent / "services" / "tiering" / "data" / "schemes"


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Never printed: the addresses hold passwords."""

    databases: dict[str, str]
    """Service name → address of its database, as asyncpg takes it, for a role that may read everything."""
    kafka: dict[str, Any] = field(default_factory=dict)
    """librdkafka properties of a client that may read every topic; empty to leave the topics out."""
    schemes: Path = SHIPPED_SCHEMES
    sandbox_clock: Path | None = None
    timeout_s: float = 60.0


class SettingsError(ValueError):
    """The configuration cannot be used."""


def load(where: str) -> Settings:
    """Read a configuration: a file's name, or `-` for stdin."""
    try:
        text = sys.stdin.read() if where == "-" else Path(where).read_text(encoding="utf-8")
        said = json.loads(text)
        clock = said.get("sandbox_clock")
        return Settings(
            databases={str(name): str(address) for name, address in said["databases"].items()},
            kafka=dict(said.get("kafka") or {}),
            schemes=Path(said.get("schemes") or SHIPPED_SCHEMES),
            sandbox_clock=None if clock is None else Path(clock),
            timeout_s=float(said.get("timeout_s", 60.0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SettingsError(f"the configuration cannot be read ({type(problem).__name__})") from problem
