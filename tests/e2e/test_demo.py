"""The demo and the counter simulator on a sandbox of their own, whose clock they move, looked at from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from shared.clock import SHANGHAI
from tests.support.engines import own_folder
from tests.support.instance import ROOT, Instance, running

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

START = datetime(2026, 1, 5, 8, 0, tzinfo=SHANGHAI)
DAYS = 66
"""A regular window of two months and its settling end within."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Instance]:
    with own_folder("demo") as folder, running(folder / "data", START) as found:
        yield found


@pytest.fixture(scope="module")
def played(sandbox: Instance) -> dict[str, Any]:
    """The whole demo as fast as it can, at few transactions a day."""
    answer = sandbox.must(
        "demo", "--days", str(DAYS), "--speed", "0", "--rate", "40", "--seed", "7", "--json"
    )
    assert "simulated" in answer.err
    assert "console: http" in answer.err
    assert "keypost token --user centre" in answer.err
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.req("REG-3", "CLM-3", "CLM-4", "CLM-8", "CLM-9", "REG-7", "REG-10")
def test_the_everyday_path_is_acted_out_and_told_from_the_topics(
    sandbox: Instance, played: dict[str, Any]
) -> None:
    told = Counter(played["happened"])
    wanted = {
        "declaration.submitted": 4, "declaration.approved": 2, "declaration.returned": 1, "declaration.rejected": 1,
        "declaration.warned": 1, "declaration.breached": 1, "claims.plan_queued": 1, "claims.window_opened": 3,
        "claims.window_succeeded": 1, "claims.window_settling": 1, "claims.window_expired": 1, "claims.window_released": 1,
        "refused.window_held": 1, "customer.agreement_signed": 1,
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted
    assert told["customer.merged"] >= 1
    assert told["customer.code_mapped"] == told["suspense.released"] > 0
    assert [name for name in told if name.startswith("refused.") and name != "refused.window_held"] == []
    assert played["reached"] == "2026-03-12"
    assert sandbox.must("clock", "--json").json()["now"].startswith("2026-03-12T08:00")
    # What the screen said is what the services answer.
    declarations = sandbox.must("declarations", "list", "--json").json()
    assert Counter(one["state"] for one in declarations)["approved"] == 2
    (open_one,) = [one for one in declarations if one["waiting_for"] == "centre"]
    assert open_one["limit"]["breached_at"]
    plans = sandbox.must("plan", "list", "--json").json()
    assert Counter(one["state"] for one in plans) == {"succeeded": 1, "expired": 1, "active": 1}
    (window,) = sandbox.must("windows", "--json").json()
    assert (window["state"], window["unit_code"]) == ("active", "3201")


@pytest.mark.req("TIE-1", "TIE-7")
def test_simulated_sales_move_tiers_and_their_mishaps_are_held_or_dead_lettered(
    sandbox: Instance, played: dict[str, Any]
) -> None:
    assert played["directions"]["promotion"] > 20
    assert played["sent"] == sum(played[name] for name in ("booked", "repeated", "held", "dead_letters"))
    assert min(played["repeated"], played["held"], played["dead_letters"]) > 0
    held = sandbox.must("suspense", "list", "--json").json()
    assert len(held) == played["held"]
    assert {"unknown_code", "bad_check_digit"} <= {item["reason"] for item in held}
    assert all(item["source"].startswith("/simulated/7/") for item in held)
    customers = sandbox.must("export", "tier-changes").out.splitlines()
    assert len(customers) == played["tier_changes"]


def test_the_same_simulated_days_again_change_nothing(sandbox: Instance, played: dict[str, Any]) -> None:
    once = sandbox.must("simulate-counters", "--days", "2", "--seed", "5", "--rate", "80", "--json")
    assert "simulated" in once.err
    sandbox.idle()
    before = (suspense(sandbox), sandbox.must("export", "tier-changes").out)
    again = sandbox.must("simulate-counters", "--days", "2", "--seed", "5", "--rate", "80", "--json")
    sandbox.idle()
    assert once.json() == again.json()
    assert once.json()["sent"] > 50
    assert (suspense(sandbox), sandbox.must("export", "tier-changes").out) == before


def suspense(sandbox: Instance) -> list[tuple[str, str, str]]:
    held = sandbox.must("suspense", "list", "--json").json()
    return [(item["source"], item["id"], item["reason"]) for item in held]


@pytest.mark.parametrize(
    "command",
    [("demo", "--days", "700", "--seed", "3"), ("simulate-counters", "--from", "2026-03-01", "--speed", "1")],
    ids=["demo", "simulate-counters"],
)
def test_an_interrupt_ends_it_cleanly_and_leaves_the_instance_up(
    sandbox: Instance, played: dict[str, Any], command: tuple[str, ...]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *command],
        cwd=ROOT,
        env={**os.environ, "KEYPOST_DATA": str(sandbox.data), "KEYPOST_LANGUAGE": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for said in process.stderr:
            if "Ctrl-C ends it" in said:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 0, err
    assert "stopped" in err
    assert "sent" in out
    assert sandbox.status()["ready"]
