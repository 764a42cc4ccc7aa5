"""The time of the system: every part asks a `Clock`, nothing else reads the time of day.

A training or test instance runs on a clock of its own, which stands still between advances. All its
processes, across services, have to see the same instant at once, so the instant lies in a small file that
each of them maps into memory.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from shared.kernel.days import SHANGHAI as SHANGHAI

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INSTANT: Final = struct.Struct("<q")


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251


class SandboxClock:
    """A clock that stands still until it is advanced, shared by all processes of one instance through a file.

    The file holds one little-endian signed 64-bit number, microseconds since 1970 in UTC. Eight aligned bytes
    are written in one store on the machines we run on, so a reader sees the old instant or the new one, never
    a mixture.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises FileNotFoundError when the clock was never created, ValueError when the file is not a
        clock.
        """
        self._path = Path(path)
        with self._path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size != _INSTANT.size:
                raise ValueError(f"{self._path} is not the file of a sandbox clock")
            self._map = mmap.mmap(file.fileno(), _INSTANT.size)

    @classmethod
    def create(cls, path: str | os.PathLike[str], instant: datetime) -> SandboxClock:
        """The clock in `path`, made and set to `instant` if it is not there yet.

        An existing clock keeps its time: an instance that is started again goes on where it stood.
        """
        if not Path(path).exists():
            fresh = Path(f"{os.fspath(path)}.new")
            fresh.write_bytes(_INSTANT.pack(_microseconds(instant)))
            fresh.replace(path)
        return cls(path)

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._read())

    def advance_to(self, instant: datetime) -> None:
        """Moves the time to `instant` for every process. Raises ValueError when that lies in the past."""
        target = _microseconds(instant)
        if target < self._read():
            raise ValueError(
                f"the clock stands at {self.now().isoformat()} and does not go back to {instant.isoformat()}"
            )
        self._map[:] = _INSTANT.pack(target)

    def _read(self) -> int:
        # A slice copies the eight bytes at once; unpacking straight from the map would read them one by one.
        microseconds: int = _INSTANT.unpack(self._map[:])[0]
        return microseconds

    def close(self) -> None:
        """Lets go of the file."""
        self._map.close()


def clock_from(settings_path: str | None) -> Clock:
    """The sandbox clock in that file, or the machine's clock when no file is named."""
    return SystemClock() if settings_path is None else SandboxClock(settings_path)


def business_date(instant: datetime) -> date:
    """The date of an aware instant in Asia/Shanghai. Raises OverflowError at the very ends of the
    calendar.
    """
    if instant.tzinfo is None:
        raise ValueError("a business date needs an instant with its offset")
    return instant.astimezone(SHANGHAI).date()


def monotonic() -> float:
    """Seconds of a clock that only measures how long something takes."""
    return time.monotonic()


def _microseconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ValueError("the sandbox clock needs an instant with its offset")
    return (instant - _EPOCH) // _MICROSECOND
