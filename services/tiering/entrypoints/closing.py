"""Carries closes out, piece by piece, between batches of transactions (TIE-9)."""

from __future__ import annotations

import asyncio
from typing import Final

from services.tiering.adapters.read_models import closes_pending
from services.tiering.handlers.close_year import CloseYear
from shared.messaging import faults
from shared.messaging.failures import Backoff, Kind, classify
from shared.messaging.metrics import FAILURES
from shared.messaging.unit_of_work import UnitOfWork

REST_SECONDS = 0.2
TASK: Final = "closes"
"""What accounts are given up under whose close fails; the fault's item is the account's number."""


async def carry_out_closes(unit_of_work: UnitOfWork, closes: CloseYear) -> None:
    """Endless: does the next piece of the earliest close, or rests. Every piece is a transaction of its own, so that a
    process killed in between, or a second instance, goes on where the last piece ended."""
    backoff = Backoff()
    while True:
        try:
            async with unit_of_work.engine.connect() as connection:
                pending = await closes_pending(connection)
                again = await faults.due_again(connection, TASK)
            for account in again:
                await faults.isolate(unit_of_work, TASK, [int(account)], closes.settle)
            if pending:
                await advance(unit_of_work, closes)
            backoff.reset()
        except Exception as error:
            if classify(error) is not Kind.TRANSIENT:
                raise
            await asyncio.sleep(backoff.next())
            continue
        # With work left, only let others have their turn at the ledger's lock.
        await asyncio.sleep(0 if pending else REST_SECONDS)


async def advance(unit_of_work: UnitOfWork, closes: CloseYear) -> None:
    """Do the next piece. Where an account's close fails by a fault of ours, it alone is given up: the year closes without
    it, and the account is settled when it can be."""
    async with unit_of_work.engine.connect() as connection:
        aside = [int(account) for account in await faults.given_up(connection, TASK)]
    try:
        async with unit_of_work.begin() as work:
            await closes.advance(work, aside)
    except Exception as error:
        if classify(error) is Kind.TRANSIENT:
            raise
        FAILURES.labels(TASK, Kind.BUG.value).inc()
        async with unit_of_work.begin() as work:
            holders = await closes.next_holders(work, aside)
        if not holders:
            raise
        await faults.isolate(unit_of_work, TASK, holders, closes.settle)
