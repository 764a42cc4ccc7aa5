"""The checker of windows finds what must never be."""

from __future__ import annotations

import json

import pytest

from verifier.check_windows import Happened, Holders, Plans, life_differences
from verifier.topics import Record


def happened(*events: str, by: str = "service:claims") -> list[Happened]:
    return [
        Happened(f"e{at}", "P1", at, event, "2026-03-09T10:00:00.000+08:00", by)
        for at, event in enumerate(events)
    ]


@pytest.mark.req("CLM-4", "CLM-9")
@pytest.mark.parametrize(
    "life",
    [
        ["window_opened"],
        ["window_opened", "window_extended", "window_settling", "window_expired"],
        ["window_opened", "window_succeeded"],
        ["window_opened", "window_settling", "window_succeeded"],
        ["window_opened", "progress_reported", "window_withdrawn"],
    ],
)
def test_a_possible_life_of_a_window_has_no_difference(life: list[str]) -> None:
    assert life_differences(happened(*life)) == []


@pytest.mark.req("CLM-4", "CLM-9")
@pytest.mark.parametrize(
    "life",
    [
        ["window_opened", "window_opened"],
        ["window_expired"],
        ["window_opened", "window_expired"],
        ["window_opened", "window_settling", "window_settling"],
        ["window_opened", "window_settling", "window_expired", "window_expired"],
        ["window_opened", "window_settling", "window_expired", "window_succeeded"],
        ["window_opened", "window_settling", "window_extended"],
    ],
)
def test_an_impossible_life_of_a_window_is_found(life: list[str]) -> None:
    (found,) = life_differences(happened(*life))
    assert found.what == "life"


def test_an_automatic_move_signed_by_a_person_is_found() -> None:
    (found,) = life_differences(happened("window_opened", by="centre"))
    assert found.what == "who did window_opened"


def window(key: str, plan_id: str, version: int, state: str = "active") -> Record:
    data = {"plan_id": plan_id, "version": version, "state": state}
    headers = (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", f"window|{plan_id}|{version}".encode()),
        ("ce_source", b"/claims"),
        ("ce_type", b"keypost.claims.window-state.v1"),
    )
    return Record("claims.windows.v1", 0, version, key.encode(), json.dumps(data).encode(), headers)


def gone(key: str, plan_id: str, version: int) -> Record:
    return window(key, plan_id, version)._replace(value=None)


def holders(*records: Record) -> Holders:
    followed = Holders()
    for record in records:
        followed.follow(record)
    return followed


@pytest.mark.req("CLM-4")
def test_a_holder_who_is_replaced_without_having_gone_is_found() -> None:
    live = {"C1": ("P2", 5, "active")}
    versions = {"P1": 4, "P2": 5}
    good = holders(window("C1", "P1", 3), gone("C1", "P1", 4), window("C1", "P2", 5))
    assert good.differences(live, versions) == []
    bad = holders(window("C1", "P1", 3), window("C1", "P2", 5))
    assert [one.what for one in bad.differences(live, versions)] == ["holder"]


def test_the_latest_record_is_the_window_in_force_or_none() -> None:
    versions = {"P1": 4}
    left = holders(window("C1", "P1", 3))
    assert [one.found for one in left.differences({}, versions)] == ["('P1', 3, 'active')"]
    missing = holders(gone("C1", "P1", 4))
    assert len(missing.differences({"C1": ("P1", 4, "active")}, versions)) == 1
    # What was published after the snapshot proves nothing about it.
    newer = holders(window("C1", "P1", 5, "settling"))
    assert newer.differences({"C1": ("P1", 4, "active")}, versions) == []
    over = holders(window("C1", "P1", 4), gone("C1", "P1", 5))
    assert over.differences({"C1": ("P1", 4, "active")}, versions) == []


def test_a_plan_that_was_told_otherwise_is_found() -> None:
    row = dict.fromkeys(
        ("unit_code", "queued", "opens_at", "ends_at", "settled_at", "closed_at", "rule_version")
    )
    plans = Plans({"P1": {**row, "version": 2, "state": "submitted"}})
    record = window("P1", "P1", 2)
    told = {"plan_id": "P1", "version": 2, "state": "draft"}
    plans.follow([record._replace(value=json.dumps(told).encode())])
    assert plans.complete()
    assert [(one.what, one.expected, one.found) for one in plans.differences()] == [
        ("state", "submitted", "draft")
    ]
