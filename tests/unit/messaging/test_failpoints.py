"""Failpoints: what is ordered happens at the right hit, and a misspelt order is refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from shared import failpoints


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def hits(name: str, times: int) -> list[int]:
    failed = []
    for hit in range(1, times + 1):
        try:
            await failpoints.failpoint(name)
        except failpoints.InjectedFailure:
            failed.append(hit)
    return failed


async def test_orders_count_their_own_hits() -> None:
    failpoints.arm("before_commit=error%3, after_commit=error@2")
    assert await hits("before_commit", 7) == [3, 6]
    assert await hits("after_commit", 5) == [2]
    assert await hits("after_fetch", 3) == []


async def test_a_kill_is_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    failpoints.arm("relay_after_send=kill")
    with pytest.raises(failpoints.InjectedFailure):
        failpoints.failpoint_blocking("relay_after_send")
    assert killed == [(os.getpid(), signal.SIGKILL)]


@pytest.mark.parametrize("orders", ["nowhere=kill", "after_fetch=explode", "after_fetch"])
def test_a_misspelt_order_is_refused(orders: str) -> None:
    with pytest.raises(ValueError, match="failpoint"):
        failpoints.arm(orders)
