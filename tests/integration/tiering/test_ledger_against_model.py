"""The ledger equals the independent model, whatever the batch size (TIE-24)."""

from __future__ import annotations

import pytest

from tests.integration.tiering.conftest import MakeBench
from tests.support import compare, generated
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Model
from tests.support.streams import Dice

pytestmark = pytest.mark.engines


async def agrees(bench: LedgerBench, model: Model) -> None:
    """Changes, totals, suspense, ledger and dead letters are those of the model."""
    changes = await bench.changes()
    events = [event for history in changes.values() for event in history]
    compare.assert_none(compare.changes([compare.as_event(data) for data in events], model))
    months = await bench.month_totals()
    by_month = {
        (code, line, f"{month // 100}-{month % 100:02d}"): fen
        for (code, line, month), (fen, _, _) in months.items()
    }
    compare.assert_none(compare.months(by_month, model))
    counts: dict[tuple[str, str, int], tuple[int, int]] = {}
    for (code, line, month), (_, pieces, count) in months.items():
        before = counts.get((code, line, month // 100), (0, 0))
        counts[code, line, month // 100] = (before[0] + pieces, before[1] + count)
    compare.assert_none(compare.counts(counts, model))
    compare.assert_none(compare.held(await bench.held(), model))
    compare.assert_none(compare.ledger(await bench.booked(), model))
    compare.assert_none(compare.standings(await bench.standings(), model))
    compare.assert_none(compare.closed_years(await bench.at_close(), model))
    compare.assert_none(compare.dead_letter_counts(await bench.dead_letters(), model))
    await bench.tell_revenue()
    told = [states[-1] for states in (await bench.revenue_states()).values()]
    compare.assert_none(compare.revenue(told, model))


@pytest.mark.req("TIE-24", "TIE-1", "TIE-2", "TIE-7")
@pytest.mark.parametrize("batch", [1, 7, 500, 10_000])
async def test_any_batch_size_gives_the_models_changes(make_bench: MakeBench, batch: int) -> None:
    scenario = generated.build(seed=11, size=600 if batch == 1 else 2_000)
    bench = await make_bench(scenario.start, batch=batch, remembered=50 if batch == 7 else 200_000)
    await bench.play(scenario)
    await agrees(bench, scenario.expected())


@pytest.mark.req("TIE-14", "TIE-12", "TIE-24", "TIE-2")
@pytest.mark.parametrize(
    ("batch", "seed"), [(1, 21), (7, 22), (500, 23), pytest.param(10_000, 24, marks=pytest.mark.long)]
)
async def test_merges_woven_in_anywhere_give_the_models_changes(
    make_bench: MakeBench, batch: int, seed: int
) -> None:
    """Either state first, chains, before and after closes, and what is sent afterwards under the alias's code."""
    scenario = generated.build(seed=seed, size=500 if batch == 1 else 1_000, merges=3)
    bench = await make_bench(scenario.start, batch=batch, remembered=20 if batch == 7 else 200_000)
    dice = Dice(seed)
    await bench.timers.start(bench.unit_of_work)
    for phase in scenario.phases:
        await bench.phase(phase)
        if dice.roll(4) == 0:
            await bench.tell_revenue(limit=1 + dice.roll(60))
    await agrees(bench, scenario.expected())
