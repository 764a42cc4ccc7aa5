"""`keypost simulate-counters`: made-up counters that publish like real ones, and say that they are made up."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Annotated, Any, Final

import typer

from cli.acts import day
from cli.command import Call, command
from cli.feed import CounterFeed
from cli.idle import wait_idle
from cli.instance import CommandError, Session
from cli.simulated.counters import Counters, province_of, register_customers
from cli.simulated.province import CUSTOMERS
from cli.simulated.stream import RATE
from cli.words import phrase
from deploy.embedded.terminal import say
from shared.clock import SHANGHAI

_TICK_S: Final = 0.2
_AT_ONCE: Final = timedelta(hours=6)
"""What is sent in one go of days that have passed, where no pace is asked for."""
_REPORT_EVERY_S: Final = 10.0

Rate = Annotated[
    int,
    typer.Option(
        "--rate", metavar="N", min=1, max=1_000_000, help="Transactions of an ordinary working day."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Another province, another stream.")]
Customers = Annotated[
    int, typer.Option("--customers", metavar="N", min=1, max=20_000, help="How many customers it has.")
]


def register(app: typer.Typer) -> None:
    app.command("simulate-counters")(simulate_counters)


@command
def simulate_counters(
    call: Call,
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            metavar="N",
            min=1,
            max=3660,
            help="Stop after so many days. Default: go on without end.",
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="The first day. Default: so many days back, or without --days now."
        ),
    ] = None,
    rate: Rate = RATE,
    speed: Annotated[
        float,
        typer.Option(
            "--speed",
            metavar="N",
            min=0,
            help="Business days a second of what has passed; 0: as fast as it can.",
        ),
    ] = 0.0,
    customers: Customers = CUSTOMERS,
    seed: Seed = 1,
    for_: Annotated[
        float | None, typer.Option("--for", metavar="S", min=0, help="Stop after so many seconds.")
    ] = None,
) -> None:
    """Simulate the counters of a province: made-up customers and sales, published to Kafka as real counters do it.

    All of it is marked: sources begin with /simulated/, the product is `simulated`, names with 模拟. Days have opening
    hours, peaks, weekends and month ends; customers of many kinds grow and decline. Some records come late, twice, are
    taken back, carry wrong codes, codes nobody has mapped, or fields that break their rule; mailings come in bursts.

    The same seed gives the same province and the same stream, so that a repetition changes nothing. What lies before
    the instance's time is sent at --speed, what lies ahead when its time comes: that of a sandbox is its own clock.
    Ctrl-C ends it.
    """
    first = day(from_, "--from")
    session = call.session
    if session.setup.mode == "production":
        raise CommandError(phrase("cli.simulate.production"))
    say(phrase("cli.simulate.simulated"))
    now = session.clock().now().astimezone(SHANGHAI)
    if first is not None:
        began = datetime.combine(date.fromisoformat(first), time_of_day(0), SHANGHAI)
    else:
        began = now if days is None else now - timedelta(days=days)
    ends = None if days is None else began + timedelta(days=days)
    province = province_of(session, seed, customers)
    codes = register_customers(session, province, began.date())
    say(phrase("cli.simulate.waiting"))
    wait_idle(session)
    counters = Counters(CounterFeed(session), province, codes, began, rate)
    run = _Run(session, counters, speed, ends, for_)
    try:
        say(phrase("cli.simulate.begins"))
        run.go()
    except KeyboardInterrupt:
        say(phrase("cli.simulate.stopped"))
    with contextlib.suppress(KeyboardInterrupt):
        counters.feed.flush()
    call.show(run.summary(), _text)


@dataclass(slots=True)
class _Run:
    session: Session
    counters: Counters
    speed: float
    ends: datetime | None
    seconds: float | None
    reached: datetime = field(init=False)
    _reported_at: float = 0.0
    _waiting_reported: bool = False

    def __post_init__(self) -> None:
        self.reached = self.counters.began

    def go(self) -> None:
        """Sends day after day, up to the instance's time; then with it."""
        clock = self.session.clock()
        began = time.monotonic()
        self._reported_at = began
        while self.ends is None or self.reached < self.ends:
            if self.seconds is not None and time.monotonic() - began >= self.seconds:
                return
            now = clock.now()
            behind = self.reached < now
            step = timedelta(days=self.speed * _TICK_S) if self.speed else _AT_ONCE
            target = min(self.reached + step, now) if behind else now
            if self.ends is not None:
                target = min(target, self.ends)
            if target > self.reached:
                self.counters.send_until(target)
                self.reached = target
            self._report()
            if self.speed or not behind:
                self._rest(behind=behind)

    def _rest(self, *, behind: bool) -> None:
        if not behind and self.session.setup.mode == "sandbox" and not self._waiting_reported:
            self._waiting_reported = True
            say(phrase("cli.simulate.present"))
        time.sleep(_TICK_S)

    def _report(self) -> None:
        if time.monotonic() - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            at = self.reached.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
            say(phrase("cli.simulate.progress", at=at, count=self.counters.feed.sent))

    def summary(self) -> dict[str, Any]:
        """What was sent; whom the counters' own codes mean, so that somebody can map them."""
        province = self.counters.province
        return {
            "simulated": True,
            "seed": province.seed,
            "from": self.counters.began.isoformat(timespec="seconds"),
            "reached": self.reached.astimezone(SHANGHAI).isoformat(timespec="seconds"),
            "customers": len(self.counters.codes),
            "sent": self.counters.feed.sent,
            "mishaps": dict(sorted(self.counters.mishaps.items())),
            "local_codes": {
                code: self.counters.codes[customer.number]
                for code, customer in sorted(province.local_codes.items())
                if customer.number in self.counters.codes
            },
        }


def _text(summary: dict[str, Any]) -> str:
    mishaps = [f"{name} {count}" for name, count in summary["mishaps"].items()]
    rows = [
        phrase(
            "cli.simulate.summary",
            seed=summary["seed"],
            began=summary["from"],
            reached=summary["reached"],
            customers=summary["customers"],
            count=summary["sent"],
        ),
        phrase("cli.simulate.mishaps", mishaps=", ".join(mishaps) or "-"),
    ]
    if codes := summary["local_codes"]:
        some, customer = next(iter(codes.items()))
        rows.append(phrase("cli.simulate.local_codes", count=len(codes), code=some, customer=customer))
    return "\n".join(rows)
