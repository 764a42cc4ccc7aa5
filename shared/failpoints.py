"""Named places where a test may kill, delay or fail the process; without orders each costs one dictionary look-up.

`KEYPOST_FAILPOINTS="after_commit=kill%3,relay_after_select=delay:200,before_commit=error"`; actions: `kill`, `kill%N`
(every Nth hit), `kill@N` (the Nth hit only), `delay:MS`, `error`, the last two with `%N` and `@N` as well.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAMES: Final = frozenset(
    {
        "after_fetch",
        "before_commit",
        "after_commit",
        "outbox_after_id",
        "relay_after_select",
        "relay_after_send",
        "relay_before_commit",
        "relay_after_commit",
        "timer_after_claim",
        "close_chunk",
        "http_after_commit",
    }
)


class InjectedFailure(ConnectionError):
    """What the action `error` raises: a passing fault, as if a connection had broken."""


@dataclass(slots=True)
class _Order:
    action: str
    delay: float = 0.0
    every: int = 0
    only: int = 0
    hits: int = 0

    def due(self) -> bool:
        self.hits += 1
        if self.every:
            return self.hits % self.every == 0
        return self.hits == self.only if self.only else True


_orders: dict[str, _Order] = {}


def parse(orders: str) -> dict[str, _Order]:
    """Read the orders; an unknown name or action raises ValueError, because a test with a typo would prove nothing."""
    parsed: dict[str, _Order] = {}
    for part in filter(None, (piece.strip() for piece in orders.split(","))):
        name, _, what = part.partition("=")
        if name not in NAMES:
            raise ValueError(f"{name!r} is not a failpoint; there are {', '.join(sorted(NAMES))}")
        order = _Order(what)
        for sign, field in (("%", "every"), ("@", "only")):
            head, found, number = order.action.partition(sign)
            if found:
                order.action = head
                setattr(order, field, int(number))
        head, _, milliseconds = order.action.partition(":")
        order.action = head
        if head == "delay":
            order.delay = int(milliseconds) / 1000
        elif head not in ("kill", "error"):
            raise ValueError(f"{what!r} is not an action of a failpoint")
        parsed[name] = order
    return parsed


def arm(orders: str) -> None:
    """Replace all orders; an empty string disarms every failpoint."""
    parsed = parse(orders)
    _orders.clear()
    _orders.update(parsed)


def arm_from(environment: str, file: Path | None) -> None:
    """At start: the instance's own file if there is one, else the environment."""
    if file is not None and file.exists():
        arm(file.read_text("utf-8").strip())
    else:
        arm(environment)


async def failpoint(name: str) -> None:
    """Do what was ordered for this place, if anything."""
    order = _orders.get(name) if _orders else None
    if order is None or not order.due():
        return
    if order.action == "delay":
        await asyncio.sleep(order.delay)
    else:
        _strike(order, name)


def failpoint_blocking(name: str) -> None:
    """The same for code that runs in a thread of its own."""
    order = _orders.get(name) if _orders else None
    if order is None or not order.due():
        return
    if order.action == "delay":
        time.sleep(order.delay)
    else:
        _strike(order, name)


def _strike(order: _Order, name: str) -> None:
    if order.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFailure(f"failpoint {name}")
