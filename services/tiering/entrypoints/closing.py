"""Carries closes out, piece by piece, between batches of transactions (TIE-9)."""

from __future__ import annotations

import asyncio

from services.tiering.adapters.read_models import closes_pending
from services.tiering.handlers.close_year import CloseYear
from shared.messaging.failures import Backoff, Kind, classify
from shared.messaging.unit_of_work import UnitOfWork

REST_SECONDS = 0.2


async def carry_out_closes(unit_of_work: UnitOfWork, closes: CloseYear) -> None:
    """Endless: does the next piece of the earliest close, or rests. Every piece is a transaction of its own, so that a
    process killed in between, or a second instance, goes on where the last piece ended."""
    backoff = Backoff()
    while True:
        try:
            async with unit_of_work.engine.connect() as connection:
                pending = await closes_pending(connection)
            if pending:
                async with unit_of_work.begin() as work:
                    await closes.advance(work)
            backoff.reset()
        except Exception as error:
            if classify(error) is not Kind.TRANSIENT:
                raise
            await asyncio.sleep(backoff.next())
            continue
        # With work left, only let others have their turn at the ledger's lock.
        await asyncio.sleep(0 if pending else REST_SECONDS)
