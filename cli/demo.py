"""`keypost demo`: simulated counters and people at work on a sandbox whose clock moves, or a file of real transactions."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from random import Random  # noqa: TID251 -- seeded with an identifier of the run
from typing import Annotated, Any, Final

import typer

from cli.acts import everything
from cli.command import Call, bad_call, command
from cli.customer_book import load
from cli.demo_days import Days, label
from cli.demo_news import Tail, Teller
from cli.demo_player import FilePlayer
from cli.demo_screen import Picture, Screen
from cli.demo_stories import Stage, stories
from cli.demo_watch import Watch
from cli.feed import CounterFeed
from cli.idle import wait_idle
from cli.import_customers import book_text, load_book, open_book
from cli.instance import CommandError, Session
from cli.lifecycle import start
from cli.played_stream import EventFile, open_events
from cli.simulated.counters import Counters, province_of, register_customers
from cli.simulated.province import CUSTOMERS
from cli.words import phrase, word
from deploy.embedded.instance import Instance, find
from deploy.embedded.paths import ROOT
from deploy.embedded.terminal import say
from shared.clock import SHANGHAI, SandboxClock, SystemClock, business_date
from shared.ids import new_id

DEMO_DATA: Final = ROOT / ".keypost" / "demo"
"""Where the demo makes an instance of its own when none is up and none is named."""
FILE_SPEED: Final = 30.0
SIMULATED_SPEED: Final = 1.0
DAYS: Final = 90
_RATE: Final = 240
_OPENS: Final = (1, 5)
_OPENS_AT: Final = time_of_day(8)
"""A new sandbox begins with the first working week of the year, so that a whole year lies before it."""
_MARGIN_DAYS: Final = 40
"""A new sandbox's clock stands so long after the day that a file reaches: one release of a system that exports its
transactions by the month may hold any day of it."""
_SEEDS: Final = 10_000


def register(app: typer.Typer) -> None:
    app.command()(demo)


@command
def demo(
    call: Call,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="FILE", help="Play this file (CSV, XLSX, gzip).")
    ] = None,
    customers: Annotated[
        Path | None,
        typer.Option(
            "--customers", metavar="FILE", help="Register these instead of those found in the file."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            metavar="N",
            min=0,
            help="Business days a second; 0 goes as fast as it can. Default: 1, of a file 30.",
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=730, help="How many days the simulated counters are played.")
    ] = DAYS,
    rate: Annotated[
        int,
        typer.Option("--rate", metavar="N", min=1, help="Simulated transactions of an ordinary working day."),
    ] = _RATE,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Which simulated province. Default: another each time."),
    ] = None,
    for_: Annotated[
        float | None, typer.Option("--for", metavar="S", min=0, help="End after so many seconds of playing.")
    ] = None,
) -> None:
    """Show the system at work at a visible pace. Starts a sandbox if no instance is up, and leaves it up.

    Without --events counters are simulated, and marked so: late, twice, reversed, with wrong codes. The sandbox's clock
    moves with them, and people declare customers, decide, file plans, sign, map codes and merge: everything shown is
    read from the topics and the interfaces. A file has the columns of `import transactions`, or event_id, customer,
    line, amount (minor units, negative for a reversal) and business_date, in the order of arrival. Its customers are
    registered with an agreement from its first date, and the years that it passes are closed on their 6 January.
    Ctrl-C ends it.
    """
    if events is None and customers is not None:
        raise bad_call("cli.demo.customers_alone")
    with contextlib.ExitStack() as stack:
        file = None if events is None else stack.enter_context(open_events(events))
        call.data = _instance_up(call.data, file, call.timeout)
        session = call.session
        if session.setup.mode == "production":
            raise CommandError(phrase("cli.demo.production"))
        for sentence in ways_in(session):
            say(sentence)
        pace = speed if speed is not None else SIMULATED_SPEED if file is None else FILE_SPEED
        if file is None:
            picture = _simulated(session, days, rate, seed, pace, for_, quiet=call.json)
        else:
            picture = _file(session, file, customers, pace, for_, quiet=call.json)
    call.show(picture.summary(), lambda summary: _ending(session, picture, summary))


def ways_in(session: Session) -> list[str]:
    """The console's address, and how to sign in."""
    where = f"--data {session.instance.data}"
    return [
        phrase("cli.up.console", url=f"{session.url('reporting')}/"),
        phrase("cli.demo.sign_in", where=where),
    ]


# The instance
# -------------------------------------------------------------------------------------------------------


def _instance_up(data: Path | None, file: EventFile | None, timeout_s: float) -> Path:
    """The folder of the instance to play into: the one that is named, else the last one if it is up, else one of the
    demo's own, a sandbox whose clock suits what is played."""
    instance = find(data, os.environ)
    named = data is not None or bool(os.environ.get("KEYPOST_DATA"))
    if not named and instance.supervisor() is None:
        instance = Instance(DEMO_DATA)
    if instance.supervisor() is None:
        say(phrase("cli.demo.starting", data=instance.data))
        new = not instance.exists()
        # What `up` has to print is not this command's result.
        with contextlib.redirect_stdout(sys.stderr):
            start(
                instance,
                {"mode": "sandbox"} if new else {},
                _opening(file) if new else None,
                timeout_s,
                detach=True,
            )
    return instance.data


def _opening(file: EventFile | None) -> datetime:
    """Where the clock of a new sandbox begins."""
    if file is not None:
        return datetime.combine(file.last + timedelta(days=_MARGIN_DAYS), time_of_day(12), SHANGHAI)
    year = business_date(SystemClock().now()).year
    return datetime.combine(date(year, *_OPENS), _OPENS_AT, SHANGHAI)


# Simulated counters, and people
# -------------------------------------------------------------------------------------------------------


def _simulated(
    session: Session,
    days: int,
    rate: int,
    seed: int | None,
    speed: float,
    seconds: float | None,
    *,
    quiet: bool,
) -> Picture:
    run = new_id()
    dice = Random(run)  # noqa: S311
    if seed is None:
        seed = dice.randrange(_SEEDS)
    say(phrase("cli.demo.simulated", seed=seed))
    clock = session.clock()
    moves = clock if isinstance(clock, SandboxClock) else None
    now = clock.now().astimezone(SHANGHAI)
    if moves is None:
        say(phrase("cli.demo.no_clock"))
    began = now if moves is not None else now - timedelta(days=days)
    province = province_of(session, seed, CUSTOMERS)
    codes = register_customers(session, province, began.date())
    say(phrase("cli.simulate.waiting"))
    wait_idle(session)
    picture = Picture(label(seed, began), business_date(began))
    counters = Counters(CounterFeed(session), province, codes, began, rate)
    watch = Watch(session, picture, Screen(picture, quiet=quiet))
    teller = Teller(
        units={unit["unit_code"]: unit for unit in everything(session, "registry", "/v1/units")},
        names={
            window["window_key"]: window["name"] for window in everything(session, "claims", "/v1/windows")
        }
        | {codes[each.number]: each.name for each in province.customers if each.number in codes},
    )
    tail = Tail(session)
    stage = Stage(session, teller, lambda news: played.tell(news), province, codes, dice, run[:4], began)
    played = Days(stage, counters, watch, tail, moves, speed, began + timedelta(days=days), seconds)
    for after, about, story in stories(stage):
        played.add(began + after, about, story)
    watch.begin()
    try:
        say(phrase("cli.simulate.begins"))
        with watch.screen:
            played.play()
    except KeyboardInterrupt:
        _stopped()
        with contextlib.suppress(KeyboardInterrupt):
            counters.feed.flush()
            played.look(everything=True)
    finally:
        tail.close()
    return picture


def _stopped() -> None:
    say(phrase("cli.demo.stopped"))


# A file
# -------------------------------------------------------------------------------------------------------


def _file(
    session: Session,
    file: EventFile,
    customers: Path | None,
    speed: float,
    seconds: float | None,
    *,
    quiet: bool,
) -> Picture:
    _announce(file, business_date(session.clock().now()))
    _register(session, file, customers)
    picture = Picture(file.label, file.first)
    watch = Watch(session, picture, Screen(picture, quiet=quiet))
    try:
        say(phrase("cli.simulate.waiting"))
        wait_idle(session)
        watch.begin()
        with watch.screen:
            FilePlayer(session, file, speed, watch, seconds).play()
    except KeyboardInterrupt:
        _stopped()
        with contextlib.suppress(KeyboardInterrupt):
            watch.look(everything=True)
    return picture


def _announce(file: EventFile, today: date) -> None:
    say(
        phrase(
            "cli.demo.file",
            file=file.label,
            rows=file.table.row_count,
            customers=len(file.customers),
            first=file.first,
            last=file.last,
        )
    )
    if file.minor_units:
        mapped = [f"{name} → {word('line', line)}" for name, line in file.lines.items() if name != line]
        if mapped:
            say(phrase("cli.demo.lines", lines=mapped))
    if file.last > today + timedelta(days=2):
        say(phrase("cli.demo.future", today=today))


def _register(session: Session, file: EventFile, customers: Path | None) -> None:
    if customers is not None:
        say(book_text(load_book(session, open_book(customers))))
        return
    rows = [
        {
            "name": f"Demo customer {code}",
            "customer_code": code,
            "agreement_no": f"DEMO-{code}",
            "agreement_signed_on": file.first.isoformat(),
        }
        for code in file.customers
        if code
    ]
    results = load(session, rows, file.label, file.table.sha256)
    if refused := [result for result in results if result["result"] == "rejected"]:
        reasons = sorted({reason for result in refused for reason in result["reasons"]})
        say(phrase("cli.demo.not_registered", refused=len(refused), rows=len(rows), reasons=reasons))


def _ending(session: Session, picture: Picture, summary: dict[str, Any]) -> str:
    lines = [phrase("cli.demo.summary", **{**summary, "label": picture.label, "day": picture.day})]
    lines.append(
        phrase("cli.demo.changes", count=picture.changes)
        + "".join(
            phrase("cli.demo.direction", direction=word("direction", direction), count=count)
            for direction, count in summary["directions"].items()
        )
    )
    lines += [
        phrase(
            "cli.demo.tiers_of",
            scheme=scheme,
            tiers=[f"{word('tier', tier)} {count}" for tier, count in counted.items()],
        )
        for scheme, counted in summary["customers_by_tier"].items()
    ]
    lines += _happened(summary["happened"])
    if picture.closed_years:
        lines.append(phrase("cli.demo.closed_years", years=picture.closed_years))
    lines += picture.notes
    some = picture.moves[-1]["customer_code"] if picture.moves else "CODE"
    where = f"--data {session.instance.data}"
    lines += [
        *ways_in(session),
        phrase("cli.demo.look_further", code=some, where=where),
        phrase("cli.demo.stop", where=where),
    ]
    return "\n".join(lines)


def _happened(counts: Mapping[str, int]) -> list[str]:
    """What happened and how often, a line for each topic. A refusal has its code and no word."""
    by_topic: dict[str, list[str]] = {}
    for name, count in counts.items():
        topic, _, what = name.partition(".")
        kind = {"claims": "happening"}.get(topic, topic)
        own = f"{topic}_{what}"
        text = word("news", own)
        by_topic.setdefault(topic, []).append(f"{word(kind, what) if text == own else text} {count}")
    return [
        phrase("cli.demo.happened", topic=word("news_topic", topic), happened=texts)
        for topic, texts in by_topic.items()
    ]
