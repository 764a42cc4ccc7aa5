"""The four services together under `kill -9`: what was acknowledged is there exactly once, whatever died (PLT-2, PLT-3).

Seeded clients live customers' lives over HTTP and Kafka while a storm kills services, broker and database, and arms
failpoints so that processes die right after a commit, between the parts of a relay's transaction, or in a timer. What
everybody was told is then held against what is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.clock import SHANGHAI
from tests.support import aftermath
from tests.support.engines import own_folder
from tests.support.instance import running
from tests.support.killer import Storm
from tests.support.lives import Lives
from tests.support.outside import Outside

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(2400),
    pytest.mark.req("PLT-2", "PLT-3", "REG-4", "REG-10", "CLM-4", "CLM-9", "CLM-22", "REP-1"),
]

START = datetime(2026, 2, 2, 9, 0, tzinfo=SHANGHAI)

SHORT = [
    "registry:http_after_commit=kill@3",
    "claims:http_after_commit=kill@2",
    "claims:timer_after_claim=kill@1",
    "registry:relay_before_commit=kill@2",
    "tiering:after_commit=kill@2",
    "reporting",
    "postgres",
    "kafka",
]
LONG = [
    *(
        f"{service}:{point}=kill@{hit}"
        for service in ("registry", "claims")
        for point, hit in (
            ("http_after_commit", 4),
            ("http_after_commit", 1),
            ("before_commit", 3),
            ("after_commit", 5),
            ("outbox_after_id", 2),
            ("relay_after_select", 1),
            ("relay_after_send", 2),
            ("relay_before_commit", 1),
            ("timer_after_claim", 2),
        )
    ),
    *(
        f"tiering:{point}=kill@{hit}"
        for point, hit in (
            ("after_fetch", 2),
            ("before_commit", 3),
            ("after_commit", 4),
            ("relay_after_send", 1),
            ("relay_before_commit", 2),
        )
    ),
    *(f"reporting:{point}=kill@3" for point in ("after_fetch", "before_commit", "after_commit")),
    *["registry", "tiering", "claims", "reporting"] * 3,
    *["kafka"] * 4,
    *["postgres"] * 6,
]


def live_through(strikes: list[str], seed: int, calm_seconds: float) -> Storm:
    print(f"a storm from seed {seed}")
    with own_folder("lives") as folder, running(folder / "data", START) as instance:
        instance.idle()
        outside = Outside(instance, notes=[])
        assert outside.notes is not None
        lives = Lives(outside, seed)
        storm = Storm(folder / "data", strikes, seed, calm_seconds)
        lives.begin()
        storm.begin()
        try:
            storm.wait(1800, lambda: bool(lives.problems))
        finally:
            lives.end()
        print("\n".join(storm.log))
        storm.check()
        instance.idle()
        print(
            f"{lives.lived} lives, {len(outside.notes)} acknowledged commands, the clock at {lives.clock.now()}"
        )
        # In one leap, so that every window ends long before anybody notices.
        lives.clock.advance_to(lives.clock.now() + timedelta(days=120))
        instance.idle()
        aftermath.acknowledged_commands_answer_the_same(outside, outside.notes)
        instance.idle()
        read = aftermath.versions_have_no_gap(instance)
        aftermath.events_are_told_once(instance)
        aftermath.each_code_is_given_once(read["registry.customers.v1"], lives.codes)
        declared = outside.person("operator").items("registry", "/v1/declarations", limit=200)
        assert sorted(one["uscc"] for one in declared) == sorted(lives.declared)
        windows = aftermath.windows_never_overlap(read["claims.plans.v1"])
        assert windows > 0
        events = aftermath.told(instance, "claims.events.v1")
        aftermath.windows_move_at_their_true_times(events, read["claims.plans.v1"])
        aftermath.revenue_is_what_was_acknowledged(instance, lives.revenue())
        aftermath.checks_agree(instance)
        outside.close()
        return storm


def test_a_short_storm_changes_nothing_that_was_acknowledged() -> None:
    storm = live_through(SHORT, seed=20261123, calm_seconds=0.5)
    assert storm.done.total() >= len(SHORT)


@pytest.mark.long
@pytest.mark.parametrize("seed", [11, 12])
def test_a_long_storm_changes_nothing_that_was_acknowledged(seed: int) -> None:
    storm = live_through(LONG, seed, calm_seconds=2.0)
    assert storm.done.total() >= 60
    assert (
        min(storm.done[name] for name in ("registry", "tiering", "claims", "reporting", "kafka", "postgres"))
        >= 3
    )
