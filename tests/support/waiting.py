"""Waiting in tests: on a condition, with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def until(
    condition: Callable[[], Any] | Callable[[], Awaitable[Any]], seconds: float = 20.0, what: str = ""
) -> Any:
    """The condition's first true answer; AssertionError with its last answer at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s: {what or condition}; the last answer was {answer!r}"
            )
        await asyncio.sleep(0.02)
