"""A background task that fails is started again, and the service is not ready until it has gone on for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared import lifecycle
from tests.support.waiting import until


async def test_a_failing_task_is_not_ready_until_it_has_gone_on_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "LONGEST_WAIT_SECONDS", 0.05)
    failing: dict[str, Any] = {}
    runs = 0
    broken = True

    async def task() -> None:
        nonlocal runs
        runs += 1
        if broken:
            raise KeyError("a fault of ours")
        await asyncio.Event().wait()

    keeper = asyncio.create_task(lifecycle._keep("revenue", task, failing))
    await until(lambda: runs > 2)
    assert "KeyError" in failing["revenue"]
    broken = False
    await until(lambda: not failing)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
