"""Into which instance a demo plays, when it closes years, and what its table shows."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import demo
from cli.demo_screen import Picture, _drawn, line
from cli.played_stream import EventFile
from cli.tabular import Table
from deploy.embedded.instance import Instance

pytestmark = pytest.mark.req("PLT-7")

CHANGE: dict[str, Any] = {
    "customer_code": "L\x1b1", "scheme": "city-default", "from_tier": "none", "to_tier": "gold", "total": "200000.00",
    "direction": "promotion", "effective_on": "2012-03-09", "reason": "threshold_reached",
}  # fmt: skip


@pytest.fixture
def ups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The calls of `up`, with a folder of the demo's own that is empty."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(demo, "up", lambda **said: calls.append(said))
    monkeypatch.setattr(demo, "DEMO_DATA", tmp_path / "demo")
    monkeypatch.setattr(demo, "find", lambda data, _: Instance(data or tmp_path / "last"))
    monkeypatch.delenv("KEYPOST_DATA", raising=False)
    return calls


def file(last: date) -> EventFile:
    table = Table(Path("x.csv"), (), {}, 0, "", "utf-8", ",")
    return EventFile(Path("x.csv"), table, True, first=date(2010, 1, 1), last=last)


def test_an_instance_that_is_up_is_used(
    monkeypatch: pytest.MonkeyPatch, ups: list[dict[str, Any]], tmp_path: Path
) -> None:
    monkeypatch.setattr(Instance, "supervisor", lambda _: object())
    assert demo._instance_up(None, None, 1) == tmp_path / "last"
    assert demo._instance_up(tmp_path / "named", None, 1) == tmp_path / "named"
    assert ups == []


def test_without_one_the_demo_makes_a_sandbox_of_its_own_whose_clock_suits_the_file(
    ups: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert demo._instance_up(None, file(date(2012, 12, 1)), 1) == tmp_path / "demo"
    (call,) = ups
    assert (call["sandbox"], call["clock"]) == (True, "2013-01-10T12:00+08:00")


def test_an_instance_that_is_down_is_started_as_it_was(ups: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "VERSION").write_text("1\n")
    demo._instance_up(tmp_path / "named", file(date(2012, 12, 1)), 1)
    (call,) = ups
    assert (call["sandbox"], call["clock"]) == (False, None)


def test_the_table_shows_changes_and_counts_and_nothing_that_moves_the_cursor() -> None:
    picture = Picture("x.csv", date(2012, 3, 9), sent=7)
    picture.know({**CHANGE, "customer_code": "L0", "to_tier": "silver"})
    picture.add(CHANGE)
    picture.add({**CHANGE, "to_tier": "none", "direction": "demotion"})
    assert picture.by_tier() == {"city-default": {"none": 1, "silver": 1}}
    console = Console(width=140, record=True, file=None, color_system=None)
    with console.capture() as captured:
        console.print(_drawn(picture))
    text = captured.get()
    assert "\x1b" not in text
    assert all(word in text for word in ("sent 7", r"L\x1b1", "200000.00", "silver 1", "2012-03-09"))
    assert line(CHANGE, date(2012, 3, 9)).isprintable()


@pytest.mark.req("TIE-9")
def test_a_year_is_closed_when_its_6_january_is_passed_and_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(demo, "wait_idle", lambda *_: None)
    monkeypatch.setattr(demo, "close_and_wait", lambda _s, year, quiet: (closed.append(year), True))
    monkeypatch.setattr(demo._Player, "look", lambda *_, **__: None)
    picture = Picture("x", date(2012, 1, 1))
    player = demo._Player(None, None, 1, picture, None)  # type: ignore[arg-type]
    days = [date(2012, 1, 4), date(2012, 1, 5), date(2012, 1, 6), date(2012, 1, 7), date(2015, 2, 1)]
    found = []
    for on, until in pairwise(days):
        player._close_years(on, until)
        found.append(list(closed))
    assert found == [[], ["2011"], ["2011"], ["2011", "2012", "2013", "2014"]]
