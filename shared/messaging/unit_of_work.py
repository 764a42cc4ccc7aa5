"""The one owner of transactions: begin, hand out the work, flush what it collected, commit or roll back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.failpoints import failpoint
from shared.ids import new_id
from shared.messaging import dead_letters, outbox
from shared.messaging.failures import CommitUnknownError, commit_outcome_is_unknown
from shared.messaging.work import Work

Result = TypeVar("Result")

_MARK = text("INSERT INTO commit_marks (token) VALUES (:token) ON CONFLICT DO NOTHING RETURNING token")


class UnitOfWork:
    """Transactions of one service's writer: everything a `Work` collects commits together or not at all."""

    def __init__(self, engine: AsyncEngine, clock: Clock, service: str) -> None:
        self.engine = engine
        self.clock = clock
        self.service = service

    @asynccontextmanager
    async def begin(self, *, consumer: str = "", mark: bool = False) -> AsyncIterator[Work]:
        """One transaction: commits when the block ends, rolls back when it raises.

        With `mark` the transaction can be proved afterwards by its token (`committed`). Raises `CommitUnknownError`
        where the connection was lost during COMMIT itself: then, and only then, nobody knows whether it happened.
        """
        async with self.engine.connect() as connection:
            work = Work(connection, self.clock.now(), self.service, consumer, new_id() if mark else "")
            if mark:
                await connection.execute(_MARK, {"token": work.token})
            yield work
            await _flush(work)
            await failpoint("before_commit")
            try:
                await connection.commit()
            except Exception as error:
                if commit_outcome_is_unknown(error):
                    raise CommitUnknownError(work.token) from error
                raise
        await failpoint("after_commit")
        for callback in work.callbacks:
            callback()

    @asynccontextmanager
    async def rehearse(self, *, consumer: str = "") -> AsyncIterator[Work]:
        """The same work including its flush, but always rolled back: proves whether it would succeed."""
        async with self.engine.connect() as connection:
            work = Work(connection, self.clock.now(), self.service, consumer)
            yield work
            await _flush(work)
            await connection.rollback()

    async def committed(self, token: str) -> bool:
        """Whether the marked transaction committed.

        Inserting the same token waits for a transaction that is still ending (a server may finish a COMMIT whose
        client is gone) and burns the token, so that the answer is final.
        """
        async with self.engine.begin() as connection:
            inserted = (await connection.execute(_MARK, {"token": token})).first()
        return inserted is None

    async def run(self, command: Callable[[Work], Awaitable[Result]]) -> Result:
        """A command's transaction, its commit proved where the answer was lost.

        Raises `CommitUnknownError` only where the database stays away; the caller may then try again with the same
        idempotency key. A command that did not commit after all raises `ConnectionError`.
        """
        try:
            async with self.begin(mark=True) as work:
                result = await command(work)
        except CommitUnknownError as unknown:
            if not await self.committed(unknown.token):
                raise ConnectionError(
                    "the connection was lost and the transaction did not commit"
                ) from unknown
        return result


async def _flush(work: Work) -> None:
    # Handlers collect and the last moment writes: the outbox lock, which puts all commits in a line, is held only
    # from here to the end of the transaction.
    await dead_letters.flush(work)
    await outbox.append(work)
