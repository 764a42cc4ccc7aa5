"""Revenue as it is told equals the ledger, however often and in however small pieces it is told."""

from __future__ import annotations

import pytest

from tests.integration.tiering.conftest import MakeBench
from tests.support import compare, generated
from tests.support.streams import Dice

pytestmark = pytest.mark.engines


@pytest.mark.req("TIE-2")
async def test_the_latest_states_are_the_ledgers_totals(make_bench: MakeBench) -> None:
    scenario = generated.build(seed=5, size=800)
    bench = await make_bench(scenario.start, batch=97)
    dice = Dice(5)
    await bench.timers.start(bench.unit_of_work)
    for phase in scenario.phases:
        await bench.phase(phase)
        if dice.roll(3) == 0:
            await bench.tell_revenue(limit=1 + dice.roll(40))
    await bench.tell_revenue()
    told = await bench.revenue_states()
    assert any(len(states) > 1 for states in told.values())
    for states in told.values():
        versions = [state.version for state in states]
        assert versions == sorted(set(versions)), "the version rises with every state of a key"
    compare.assert_none(compare.revenue([states[-1] for states in told.values()], scenario.expected()))
    assert await bench.tell_revenue() == 0
