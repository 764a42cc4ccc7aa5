"""The main proof under `kill -9`: the same tier changes, no duplicate and no gap for a `read_committed` reader (PLT-2)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import generated, proof, uk_small
from tests.support.engines import own_folder
from tests.support.instance import running
from tests.support.killer import Killer
from tests.support.streams import AdvanceClock, Scenario

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(2400),
    pytest.mark.req("PLT-2", "PLT-3", "TIE-9", "TIE-12", "REG-4"),
]

BETWEEN_COMMITS = "tiering:after_commit=kill@2"
"""After a database commit, before the relay of the same process can have published it."""
IN_A_CLOSE = "tiering:close_chunk=kill@1"
RELAY_SENT = "tiering:relay_before_commit=kill@1"

SHORT = [BETWEEN_COMMITS, IN_A_CLOSE, "tiering", "kafka", "postgres", "registry"]
LONG = [
    *[
        BETWEEN_COMMITS,
        IN_A_CLOSE,
        RELAY_SENT,
        "tiering:relay_after_send=kill@1",
        "registry:after_commit=kill@1",
    ],
    *["tiering"] * 4,
    *["registry"] * 2,
    *["claims", "reporting"],
    *["kafka"] * 4,
    *["postgres"] * 4,
]


def prove_under_fire(scenario: Scenario, strikes: list[str], seed: int) -> Killer:
    print(f"kills from seed {seed}")
    with own_folder("kills") as folder, running(folder / "data", scenario.start) as instance:
        killer = Killer(folder / "data", scenario.phases, strikes, seed)
        now = scenario.start
        for number, phase in enumerate(scenario.phases):
            with killer.during(number):
                instance.phase(phase, folder / f"phase-{number}.csv", now)
                if isinstance(phase, AdvanceClock):
                    now = phase.to
                instance.idle()
            instance.idle()
        print("\n".join(killer.log))
        proof.holds(instance, scenario, scenario.expected())
        return killer


def test_a_few_kills_change_nothing() -> None:
    killer = prove_under_fire(generated.build(size=700, years=(2020, 2021, 2022)), SHORT, seed=20261122)
    assert killer.done.total() >= 6


@pytest.mark.long
def test_many_kills_change_nothing() -> None:
    file = Path(os.environ.get("KEYPOST_TEST_DATA") or "absent") / "uk_small_events.csv.gz"
    scenario = uk_small.build(file) if file.exists() else generated.build()
    killer = prove_under_fire(scenario, LONG, seed=7)
    services = killer.done.total() - killer.done["kafka"] - killer.done["postgres"]
    assert killer.done.total() >= 20
    assert min(services, killer.done["kafka"], killer.done["postgres"]) >= 3
