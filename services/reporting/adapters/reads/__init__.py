"""What routes, pages and files read, one module per subject: functions of `Reads`, the caller and what is asked.

Everything is read as the reader role, under row-level security: a query without a filter of its own still returns nothing
from outside the caller's units. Whether the caller may ask at all is the route's to decide (`shared.auth.http.require`).
Money is fen (`int`), instants are aware, and a list answers with a page (`shared.listing`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.auth.policy import Operation
from shared.auth.principals import Principal
from shared.clock import Clock, SystemClock
from shared.scope import reading

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Reads:
    """What the functions read with: the reader role's connections, and the clock."""

    reader: AsyncEngine
    clock: Clock = field(default_factory=SystemClock)

    def now(self) -> datetime:
        return self.clock.now()

    def reading(
        self, caller: Principal, operation: Operation
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        """See `shared.scope.reading`."""
        return reading(self.reader, caller, operation)

    async def read(
        self,
        caller: Principal,
        function: Callable[Concatenate[Reads, Principal, Asked], Awaitable[Found]],
        *asked: Asked.args,
        **named: Asked.kwargs,
    ) -> Found:
        """What one of the functions finds."""
        return await function(self, caller, *asked, **named)
