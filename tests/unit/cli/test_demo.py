"""Into which instance a demo plays, when it closes years, and what its table shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli import demo, demo_player
from cli.demo_days import Days
from cli.demo_news import Record, Teller
from cli.demo_player import FilePlayer
from cli.demo_screen import News, Picture, _draw, line
from cli.demo_stories import Stage, Story
from cli.instance import Refused
from cli.played_stream import EventFile
from cli.tabular import Table
from deploy.embedded.instance import Instance
from shared.clock import SHANGHAI
from shared.contracts.registry_v1 import CustomerEvent
from shared.kernel.credit_codes import clean_uscc
from tests.unit.cli.fake_session import body, session

pytestmark = pytest.mark.req("PLT-7")

CHANGE: dict[str, Any] = {
    "customer_code": "L\x1b1", "scheme": "city-default", "from_tier": "none", "to_tier": "gold", "total": "200000.00",
    "direction": "promotion", "effective_on": "2012-03-09", "reason": "threshold_reached",
}  # fmt: skip


@pytest.fixture
def ups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What is started, with a folder of the demo's own that is empty."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        demo,
        "start",
        lambda _instance, given, clock, _timeout, detach: calls.append(
            {**given, "clock": clock, "detach": detach}
        ),
    )
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
    assert call == {
        "mode": "sandbox",
        "clock": datetime(2013, 1, 10, 12, tzinfo=SHANGHAI),
        "detach": True,
    }


def test_an_instance_that_is_down_is_started_as_it_was(ups: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "VERSION").write_text("1\n")
    demo._instance_up(tmp_path / "named", file(date(2012, 12, 1)), 1)
    (call,) = ups
    assert call == {"clock": None, "detach": True}


def test_without_a_file_a_new_sandbox_begins_with_the_first_working_week_of_the_year(
    ups: list[dict[str, Any]],
) -> None:
    demo._instance_up(None, None, 1)
    (call,) = ups
    assert call["mode"] == "sandbox"
    opens = call["clock"]
    assert (opens.month, opens.day, opens.hour) == (1, 5, 8)


def test_the_table_shows_changes_and_counts_and_nothing_that_moves_the_cursor() -> None:
    picture = Picture("x.csv", date(2012, 3, 9), sent=7)
    picture.know({**CHANGE, "customer_code": "L0", "to_tier": "silver"})
    picture.add(CHANGE)
    picture.add({**CHANGE, "to_tier": "none", "direction": "demotion"})
    picture.tell(News("2012-03-09 10:00", "a window opened", "claims.window_opened"))
    assert picture.by_tier() == {"city-default": {"none": 1, "silver": 1}}
    console = Console(width=140, record=True, file=None, color_system=None)
    with console.capture() as captured:
        console.print(_draw(picture))
    text = captured.get()
    assert "\x1b" not in text
    shown = ("sent 7", r"L\x1b1", "200000.00", "Silver 1", "2012-03-09", "a window opened")
    assert all(word in text for word in shown)
    assert line(CHANGE, date(2012, 3, 9)).isprintable()
    assert picture.summary()["happened"] == {"claims.window_opened": 1}


@pytest.mark.req("TIE-9")
def test_a_year_is_closed_when_its_6_january_is_passed_and_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(demo_player, "wait_idle", lambda *_: None)
    monkeypatch.setattr(demo_player, "close_and_wait", lambda _s, year, quiet: (closed.append(year), True))
    player = FilePlayer(None, None, 1, Looking())  # type: ignore[arg-type]
    days = [date(2012, 1, 4), date(2012, 1, 5), date(2012, 1, 6), date(2012, 1, 7), date(2015, 2, 1)]
    found = []
    for on, until in pairwise(days):
        player._close_years(on, until)
        found.append(list(closed))
    assert found == [[], ["2011"], ["2011"], ["2011", "2012", "2013", "2014"]]


# What is told
# --------------------------------------------------------------------------------------------------------


def news_of(teller: Teller, *records: tuple[str, dict[str, Any]]) -> list[News]:
    return teller.say(iter([Record(f"keypost.{kind}.v1", data) for kind, data in records]))


def declaration(version: int, state: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "registry.declaration-state", {
        "declaration_id": "d", "version": version, "state": state, "name": "甲\x1b公司", "deciding_unit": "3205",
        "pre_review_unit": "320583", "as_of": f"2026-01-05T0{version}:00:00+00:00", **more,
    }  # fmt: skip


UNITS = {
    "3205": {"name_zh": "苏州市大客户中心", "name_en": "Suzhou centre"},
    "320583": {"name_zh": "昆山市局", "name_en": "Kunshan office"},
    "32": {"name_zh": "省公司", "name_en": "Jiangsu"},
}


def test_each_step_of_a_declaration_is_told_once_and_a_breach_with_its_true_time() -> None:
    teller = Teller(UNITS)
    first = news_of(teller, declaration(1, "submitted", waiting_for="pre_review"))
    assert [one.text for one in first] == [
        r"declaration of “甲\x1b公司”: Submitted, waiting for pre-review (Kunshan office)"
    ]
    assert first[0].on == "2026-01-05 09:00"
    assert news_of(teller, declaration(1, "submitted", waiting_for="pre_review")) == []
    arrived = declaration(2, "pre_reviewed", waiting_for="centre")
    assert [one.counted for one in news_of(teller, arrived)] == ["declaration.pre_reviewed"]
    breach = {"waiting_for": "centre", "breached_at": "2026-01-07T02:00:00+00:00", "escalated_to": "32"}
    (overdue,) = news_of(teller, declaration(3, "pre_reviewed", **breach))
    assert (overdue.on, overdue.counted, overdue.alarming) == (
        "2026-01-07 10:00",
        "declaration.breached",
        True,
    )
    assert "Jiangsu" in overdue.text
    decided = {**breach, "waiting_for": None, "decided_by": "centre", "customer_code": "3205000000011"}
    (approved,) = news_of(teller, declaration(4, "approved", **decided))
    assert approved.text.endswith("Approved, customer code 3205000000011 (centre)")


def test_what_happens_to_windows_and_customers_is_told_by_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", "zh")
    teller = Teller(UNITS)
    opened = {"event": "window_opened", "subject": "C1", "unit_code": "320583", "happened_at": "2026-01-06T01:00:00+00:00",
              "ends_at": "2026-03-05T16:00:00+00:00"}  # fmt: skip
    (one,) = news_of(
        teller,
        ("registry.customer-state", {"customer_code": "C1", "name": "乙公司"}),
        ("claims.claims-event", opened),
    )
    assert (one.text, one.counted) == (
        "乙公司 (C1)：昆山市局 独家开发期开始，至 2026-03-06 00:00",
        "claims.window_opened",
    )
    (expired,) = news_of(teller, ("claims.claims-event", {**opened, "event": "window_expired"}))
    assert (expired.text, expired.alarming) == ("乙公司 (C1)：昆山市局 独家开发期期满失效", True)
    mapped = {
        "event": "code_mapped",
        "customer_code": "C1",
        "counter_code": "K-1",
        "happened_at": opened["happened_at"],
    }
    assert [one.text for one in news_of(teller, ("registry.customer-event", mapped))] == [
        "网点客户代码 K-1 对应 乙公司 (C1)"
    ]
    assert news_of(teller, ("registry.customer-event", {**mapped, "event": "managers_bound"})) == []
    assert news_of(teller, ("something.else", {})) == []


def test_releases_of_held_transactions_are_told_together_and_the_rest_stays_counted() -> None:
    teller = Teller()
    held = {
        "customer_code": "K-1",
        "state": "held",
        "reason": "unknown_code",
        "at": "2026-01-06T01:00:00+00:00",
    }
    assert (
        news_of(
            teller, *[("tiering.suspense", held)] * 5, ("tiering.suspense", {**held, "reason": "conflict"})
        )
        == []
    )
    assert teller.held == {"K-1": 5}
    released = {**held, "state": "released", "booked_for": "C1"}
    (one,) = news_of(
        teller, *[("tiering.suspense", released)] * 3, ("tiering.suspense", {**held, "state": "closed"})
    )
    assert one.text == "3 held transactions of K-1 booked themselves for C1"
    assert teller.held["K-1"] == 1
    assert news_of(teller) == []


# Who acts when
# -------------------------------------------------------------------------------------------------------


class Looking:
    """A watch that only has a picture."""

    def __init__(self) -> None:
        self.picture = Picture("x", date(2026, 1, 5))
        self.screen = self

    def look(self, **_: Any) -> None: ...

    def print_news(self, _: News) -> None: ...


class Sending:
    """Counters that note up to when they were asked to send, and topics on which nothing comes."""

    def __init__(self) -> None:
        self.until: list[datetime] = []
        self.feed = self
        self.sent = 0

    def send_until(self, instant: datetime) -> None:
        self.until.append(instant)

    def flush(self) -> None: ...

    def news(self) -> Iterable[Record]:
        return iter(())


START = datetime(2026, 1, 5, 8, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


def days_of(*stories: Callable[[Stage], Story], hours: int = 30) -> tuple[Days, Sending]:
    """Days at a pace of a step an hour and more, whose stories begin after an hour; played to their end."""
    sending: Any = Sending()
    stage = Stage(
        SimpleNamespace(began=0.0),
        Teller(),
        lambda news: days.tell(news),
        Any,
        {},
        Any,
        "x",
        START,  # type: ignore[arg-type]
    )
    days = Days(stage, sending, Looking(), sending, None, 50.0, START + hours * HOUR)  # type: ignore[arg-type]
    for story in stories:
        days.add(START + HOUR, story.__name__, story(stage))
    days.play()
    return days, sending


def refusal(code: str = "window_held") -> Refused:
    return Refused(httpx.Response(409, json={"code": code, "detail": "Kunshan holds it until 6 March."}))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of an hour and a quarter that take a millisecond, and services that are done at once."""
    monkeypatch.setattr("cli.demo_days.TICK_S", 0.001)
    monkeypatch.setattr("cli.demo_days.wait_idle", lambda *_: None)


@pytest.mark.usefixtures("quick")
def test_people_act_at_their_very_instant_however_long_a_step_is() -> None:
    acted: list[datetime] = []

    def story(stage: Stage) -> Story:
        for wait in (timedelta(minutes=7), START + 3 * HOUR):
            acted.append(stage.now)
            yield wait
        acted.append(stage.now)

    days, sending = days_of(story)
    assert acted == [START + HOUR, START + HOUR + timedelta(minutes=7), START + 3 * HOUR]
    assert sending.until == sorted(sending.until)
    assert sending.until[-1] == days.stage.now == START + 30 * HOUR


@pytest.mark.usefixtures("quick")
def test_a_refusal_ends_its_story_is_told_in_the_services_words_and_stops_nobody_else() -> None:
    acted: list[str] = []

    def refused(stage: Stage) -> Story:
        yield HOUR
        raise refusal()

    def forgiven(stage: Stage) -> Story:
        with stage.telling_refusals("a second plan"):
            raise refusal()
        yield HOUR
        acted.append("on")

    days, _sending = days_of(refused, forgiven)
    assert acted == ["on"]
    texts = [news.text for news in days.watch.picture.news]
    assert texts == [
        "a second plan: refused: Kunshan holds it until 6 March.",
        "refused: refused: Kunshan holds it until 6 March.",
    ]
    assert days.watch.picture.happened == {"refused.window_held": 2}


@pytest.mark.usefixtures("quick")
def test_what_a_service_does_not_know_yet_is_asked_again_later() -> None:
    asked: list[datetime] = []

    def story(stage: Stage) -> Story:
        def ask() -> str:
            asked.append(stage.now)
            if len(asked) < 3:
                raise refusal("unknown_customer")
            return "done"

        assert (yield from stage.once_known(ask)) == "done"

    days_of(story)
    assert asked == [START + HOUR, START + 3 * HOUR, START + 5 * HOUR]


@pytest.mark.usefixtures("quick")
def test_a_demo_of_so_many_seconds_ends_before_its_days_do() -> None:
    sending: Any = Sending()
    stage = Stage(SimpleNamespace(began=0.0), Teller(), lambda _: None, Any, {}, Any, "x", START)  # type: ignore[arg-type]
    days = Days(stage, sending, Looking(), sending, None, 1.0, START + 1000 * HOUR, seconds=0.02)  # type: ignore[arg-type]
    days.play()
    assert START < stage.now < START + 1000 * HOUR


def test_made_up_names_and_credit_codes_are_marked_and_valid() -> None:
    stage = Stage(Any, Teller(), lambda _: None, Any, {}, Random(1), "1f3a", START)  # type: ignore[arg-type]
    assert stage.name("有限公司") == "演示1f3a有限公司"
    codes = {stage.credit_code() for _ in range(20)}
    assert len(codes) == 20
    assert all(clean_uscc(code) == code for code in codes)


def test_customers_of_a_file_of_their_own_are_registered_and_summed_up_beside_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def registry(request: httpx.Request) -> httpx.Response:
        row = {"result": "created", "customer_code": "C1", "reasons": [], "notices": [], "similar": []}
        return httpx.Response(
            200, json={"results": [{**row, "row": one["row"]} for one in body(request)["rows"]]}
        )

    path = tmp_path / "book.csv"
    path.write_text("name,industry\n甲,5199\n", "utf-8")
    file: Any = SimpleNamespace()
    demo._register(session(registry, tmp_path), file, path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 rows: 1 registered" in err


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "zh",
            [
                "其间发生——客户开发：独家开发期开始 2",
                "其间发生——申报：已批准 1、超时 1",
                "其间发生——被拒绝的请求：window_held 1",
            ],
        ),
        (
            "en",
            [
                "what happened, development: Window opened 2",
                "what happened, declarations: Approved 1, Overdue 1",
                "what happened, requests refused: window_held 1",
            ],
        ),
    ],
)
def test_what_happened_is_summed_up_in_words_by_topic(
    monkeypatch: pytest.MonkeyPatch, language: str, lines: list[str]
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    counts = {
        "claims.window_opened": 2,
        "declaration.approved": 1,
        "declaration.breached": 1,
        "refused.window_held": 1,
    }
    assert demo._happened(counts) == lines


def test_a_merge_is_told_once_with_the_customer_that_stays() -> None:
    teller = Teller(names={"C1": "甲", "C2": "乙"})
    common = {"event": "merged", "happened_at": "2026-01-06T01:00:00+00:00"}
    events = [
        Record(CustomerEvent.TYPE, {**common, "customer_code": "C1", "merged_into": "C2"}),
        Record(CustomerEvent.TYPE, {**common, "customer_code": "C2", "alias": "C1"}),
    ]
    assert [news.text for news in teller.say(iter(events))] == ["甲 (C1) was merged into 乙 (C2)"]


@pytest.mark.parametrize(
    ("language", "before"), [("zh", "  无级别 → VIP客户  "), ("en", " No tier → VIP      ")]
)
def test_amounts_stand_in_one_column_whatever_the_tiers_are_called(
    monkeypatch: pytest.MonkeyPatch, language: str, before: str
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    change = {
        "customer_code": "3205000000011", "scheme": "guangdong-letters", "from_tier": "none", "to_tier": "vip",
        "total": "8701.84", "effective_on": "2026-12-09", "reason": "threshold",
    }  # fmt: skip
    shown = line(change, date(2026, 12, 9))
    assert f"2026-12-09  3205000000011    guangdong-letters  {before}         8701.84  " in shown
