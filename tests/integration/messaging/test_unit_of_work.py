"""Transactions whose answer is lost: proved afterwards, never repeated and never forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.failures import CommitUnknownError, Kind, classify
from shared.messaging.work import Work
from tests.support.messaging import Bench

pytestmark = pytest.mark.engines
INSERT = text("INSERT INTO effects (topic, partition, at) VALUES ('command', 0, :at)")


@pytest.mark.req("PLT-2")
@pytest.mark.parametrize("happens", [True, False], ids=["committed", "cut before"])
async def test_a_command_whose_commit_was_cut_off_is_proved_by_its_token(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, happens: bool
) -> None:
    real = AsyncConnection.commit
    cut: list[int] = []

    async def cut_off(connection: AsyncConnection) -> None:
        if not cut:
            cut.append(1)
            if happens:
                await real(connection)
            raise ConnectionResetError("cut")
        await real(connection)

    at = 1 if happens else 2

    async def command(work: Work) -> str:
        await work.connection.execute(INSERT, {"at": at})
        return "done"

    monkeypatch.setattr(AsyncConnection, "commit", cut_off)
    if happens:
        assert await bench.unit_of_work.run(command) == "done"
    else:
        with pytest.raises(ConnectionError):
            await bench.unit_of_work.run(command)
    rows = await bench.rows("SELECT count(*) AS n FROM effects WHERE topic = 'command' AND at = :at", at=at)
    assert rows[0].n == (1 if happens else 0)


async def test_the_proof_waits_for_a_transaction_that_is_still_ending(bench: Bench) -> None:
    async with bench.unit_of_work.begin(mark=True) as work:
        await work.connection.execute(INSERT, {"at": 3})
        asking = asyncio.create_task(bench.unit_of_work.committed(work.token))
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        assert not done
    assert await asking is True


async def test_a_session_that_the_server_ends_is_a_passing_fault(bench: Bench) -> None:
    caught: list[BaseException] = []
    try:
        async with bench.unit_of_work.begin() as work:
            raw: Any = await work.raw()
            async with bench.engine.connect() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": raw.get_server_pid()})
            await work.connection.execute(INSERT, {"at": 4})
    except Exception as error:
        caught.append(error)
    assert [classify(error) for error in caught] == [Kind.TRANSIENT]
    assert not isinstance(caught[0], CommitUnknownError)


async def test_what_is_done_on_the_raw_connection_rolls_back_with_the_work(bench: Bench) -> None:
    with pytest.raises(RuntimeError):
        async with bench.unit_of_work.begin() as work:
            raw: Any = await work.raw()
            await raw.execute("INSERT INTO effects (topic, partition, at) VALUES ('raw', 0, 1)")
            raise RuntimeError
    assert await bench.rows("SELECT 1 FROM effects WHERE topic = 'raw'") == []
