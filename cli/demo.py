"""`keypost demo`: simulated counters and people at work on a sandbox whose clock moves, or a file of real transactions."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from random import Random  # noqa: TID251 -- seeded with an identifier of the run
from typing import Annotated, Final

import typer

from cli.acts import everything
from cli.customer_book import load
from cli.demo_days import Days, label
from cli.demo_news import Tail, Teller
from cli.demo_player import FilePlayer
from cli.demo_screen import Picture, Screen
from cli.demo_stories import Stage, stories
from cli.demo_watch import Watch
from cli.feed import CounterFeed
from cli.idle import wait_idle
from cli.import_customers import import_customers
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import in_language
from cli.lifecycle import up
from cli.played_stream import EventFile, opened
from cli.simulated.counters import Counters, registered, settled
from cli.simulated.province import CUSTOMERS
from cli.words import word
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


def demo(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
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
        raise CommandError("--customers goes with --events; a simulated stream has its own", Exit.BAD_CALL)
    with contextlib.ExitStack() as stack:
        file = None if events is None else stack.enter_context(opened(events))
        session = open_session(_instance_up(data, file, timeout), user, timeout)
        if session.setup.mode == "production":
            raise CommandError("a demo is not played into an instance in production")
        for sentence in ways_in(session):
            say(sentence)
        pace = speed if speed is not None else SIMULATED_SPEED if file is None else FILE_SPEED
        if file is None:
            picture = _simulated(session, days, rate, seed, pace, for_, quiet=json_)
        else:
            picture = _file(session, file, customers, pace, for_, quiet=json_)
    show(picture.summary(), json_, lambda: _ending(session, picture))


def ways_in(session: Session) -> list[str]:
    """The console's address, and how to sign in."""
    where = f"--data {session.instance.data}"
    return [
        in_language("控制台：", "console: ") + f"{session.url('reporting')}/",
        in_language(
            f"登录：粘贴 keypost token --user centre {where} 给出的令牌（还有 operator、manager、reviewer、steward、"
            "approver、centre-nanjing 等用户）",
            f"sign in with what `keypost token --user centre {where}` prints (also operator, manager, reviewer, steward,"
            " approver, centre-nanjing …)",
        ),
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
        say(f"starting the instance in {instance.data}")
        new = not instance.exists()
        # What `up` has to print is not this command's result.
        with contextlib.redirect_stdout(sys.stderr):
            up(
                detach=True,
                data=instance.data,
                sandbox=new,
                clock=_opening(file) if new else None,
                timeout=timeout_s,
            )
    return instance.data


def _opening(file: EventFile | None) -> str:
    """Where the clock of a new sandbox begins."""
    if file is not None:
        noon = datetime.combine(file.last + timedelta(days=_MARGIN_DAYS), time_of_day(12), SHANGHAI)
        return noon.isoformat(timespec="minutes")
    year = business_date(SystemClock().now()).year
    return datetime.combine(date(year, *_OPENS), _OPENS_AT, SHANGHAI).isoformat(timespec="minutes")


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
    say(
        in_language(
            f"以下均为模拟数据（种子 {seed}）",
            f"what follows is simulated: made up by this program (seed {seed})",
        )
    )
    clock = session.clock()
    moves = clock if isinstance(clock, SandboxClock) else None
    now = clock.now().astimezone(SHANGHAI)
    if moves is None:
        say(
            in_language(
                "此实例没有自己的时钟：播放的是已过去的日子，时限按实际时间计",
                "this instance has no clock of its own: days that have passed are played, and time limits run in real time",
            )
        )
    began = now if moves is not None else now - timedelta(days=days)
    province = settled(session, seed, CUSTOMERS)
    codes = registered(session, province, began.date())
    say(in_language("等待各服务认得这些客户", "waiting until every service knows the customers"))
    wait_idle(session)
    picture = Picture(label(seed, began), business_date(began))
    counters = Counters(CounterFeed(session), province, codes, began, rate)
    watch = Watch(session, picture, Screen(picture, quiet=quiet))
    teller = Teller(
        units={
            unit["unit_code"]: (unit["name_zh"], unit["name_en"])
            for unit in everything(session, "registry", "/v1/units")
        },
        names={
            window["window_key"]: window["name"] for window in everything(session, "claims", "/v1/windows")
        }
        | {codes[each.number]: each.name for each in province.customers if each.number in codes},
    )
    tail = Tail(session)
    stage = Stage(session, teller, lambda told: played.tell(told), province, codes, dice, run[:4], began)
    played = Days(stage, counters, watch, tail, moves, speed, began + timedelta(days=days), seconds)
    for after, about, story in stories(stage):
        played.add(began + after, about, story)
    watch.begin()
    try:
        say(in_language("开始；按 Ctrl-C 结束", "it begins; Ctrl-C ends it"))
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
    say(
        in_language(
            "已停止；已发出的照常入账，实例仍在运行",
            "stopped; what was sent before is booked all the same, the instance stays up",
        )
    )


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
        say("waiting until tiering knows the customers")
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
        f"{file.label}: {file.table.row_count} transactions of {len(file.customers)} customers,"
        f" {file.first} to {file.last}"
    )
    if file.minor_units:
        mapped = ", ".join(f"{name} → {line}" for name, line in file.lines.items() if name != line)
        if mapped:
            say(f"its lines stand for postal lines: {mapped}")
    if file.last > today + timedelta(days=2):
        say(f"this instance's day is {today}: what is dated later will be held as future_date")


def _register(session: Session, file: EventFile, customers: Path | None) -> None:
    if customers is not None:
        with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(typer.Exit):
            import_customers(customers, session.user, session.instance.data, False, session.remaining())
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
        say(
            f"{len(refused)} of {len(rows)} customers were not registered anew"
            f" ({', '.join(sorted({reason for result in refused for reason in result['reasons']}))})"
        )


def _ending(session: Session, picture: Picture) -> str:
    told = picture.summary()
    lines = [
        in_language(
            f"{picture.label}，至 {picture.day}：已发 {picture.sent} 笔，入账 {picture.booked}，重复 {picture.repeated}，"
            f"待处理 {picture.held}，拒收 {picture.rejected}，死信 {picture.dead_letters}",
            f"{picture.label}, up to {picture.day}: {picture.sent} transactions sent, {picture.booked} booked,"
            f" {picture.repeated} came twice, {picture.held} held, {picture.rejected} rejected at once,"
            f" {picture.dead_letters} dead letters",
        ),
        in_language(f"级别变动 {picture.changes} 次", f"{picture.changes} tier changes")
        + "".join(
            in_language(f"，{word(direction)} {count}", f", {count} {direction}s")
            for direction, count in told["directions"].items()
        ),
    ]
    lines += [
        in_language("各级别客户数，", "customers by tier, ")
        + f"{scheme}: "
        + ", ".join(f"{word(tier)} {count}" for tier, count in counted.items())
        for scheme, counted in told["customers_by_tier"].items()
    ]
    if told["happened"]:
        happened = ", ".join(f"{name} {count}" for name, count in told["happened"].items())
        lines.append(in_language("其间发生：", "what happened: ") + happened)
    if picture.closed_years:
        lines.append(in_language("已结账年度：", "years closed: ") + ", ".join(picture.closed_years))
    lines += picture.notes
    some = picture.moves[-1]["customer_code"] if picture.moves else "CODE"
    where = f"--data {session.instance.data}"
    lines += [
        *ways_in(session),
        in_language("进一步查看：", "look further: ")
        + f"keypost tier {some} --explain · keypost declarations list · keypost windows · keypost suspense list ·"
        " keypost dead-letters list · keypost export tier-changes · keypost verify"
        + in_language(f"  （均加 {where}）", f"  (each with {where})"),
        in_language("停止：", "stop it: ") + f"keypost down {where}",
    ]
    return "\n".join(lines)
