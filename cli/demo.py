"""`keypost demo`: plays a file of real transactions, or a small simulated stream, and shows tiers as they move."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import dead_letters, suspense
from cli.close_period import close_and_wait
from cli.demo_screen import Picture, Screen
from cli.idle import wait_idle
from cli.import_customers import import_customers
from cli.imports import progress
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Refused,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language
from cli.lifecycle import up
from cli.played_stream import EventFile, Item, Stream, opened
from cli.simulated_counters import CUSTOMERS, Simulation
from cli.transaction_rows import Rejected
from deploy.embedded.instance import Instance, find
from deploy.embedded.kafka import ROOT, say
from shared.clock import SHANGHAI, Clock, SandboxClock, SystemClock, business_date
from shared.ids import new_id

DEMO_DATA: Final = ROOT / ".keypost" / "demo"
"""Where the demo makes an instance of its own when none is up and none is named."""
FILE_SPEED: Final = 30.0
SIMULATED_SPEED: Final = 3.0
_ROWS_A_CALL: Final = 500
_EVENTS_A_CALL: Final = 1000
_PAGE: Final = 1000
_TICK_S: Final = 0.15
_COUNT_EVERY_S: Final = 2.0
_GAP_DAYS_MAX: Final = 40
"""A longer gap in a file is passed over as fast as this one."""
_MARGIN_DAYS: Final = 40
"""A new sandbox's clock stands so long after the day that a file reaches: one release of a system that exports its
transactions by the month may hold any day of it."""
_CLOSES_ON: Final = (1, 6)
_COUNTED: Final = re.compile(r"^(keypost_records_total|keypost_duplicates_total)\{([^}]*)\} (\S+)$", re.M)


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
            help="Business days a second; 0 goes as fast as it can. Default: 30, simulated 3.",
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=730, help="Length of the simulated stream.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Another simulated stream.")] = 1,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Play transactions at a visible pace and show tiers as they move. Starts an instance if none is up.

    Without --events the stream is simulated, and marked so: late, twice, reversed and with wrong codes. A file has the
    columns of `import transactions`, or event_id, customer, line, amount (minor units, negative for a reversal) and
    business_date, in the order of arrival. Its customers are registered with an agreement from its first date, and
    the years that it passes are closed on their 6 January. Ctrl-C ends it.
    """
    if events is None and customers is not None:
        raise CommandError("--customers goes with --events; a simulated stream has its own", Exit.BAD_CALL)
    with contextlib.ExitStack() as stack:
        file = None if events is None else stack.enter_context(opened(events))
        session = open_session(_instance_up(data, file, timeout), user, timeout)
        if session.setup.mode == "production":
            raise CommandError("a demo is not played into an instance in production")
        today = business_date(_clock(session).now())
        stream: Stream
        if file is None:
            say("the transactions that follow are simulated: made up by this program")
            stream = _simulation(session, today, days, seed)
        else:
            _announce(file, today)
            _register(session, file, customers)
            stream = file
        pace = speed if speed is not None else SIMULATED_SPEED if file is None else FILE_SPEED
        picture = play(session, stream, pace, quiet=json_)
    show(picture.summary(), json_, lambda: _ending(session, picture))


# The instance
# -------------------------------------------------------------------------------------------------------


def _instance_up(data: Path | None, file: EventFile | None, timeout_s: float) -> Path:
    """The folder of the instance to play into: the one that is named, else the last one if it is up, else one of the
    demo's own, a sandbox whose clock suits the file."""
    instance = find(data, os.environ)
    named = data is not None or bool(os.environ.get("KEYPOST_DATA"))
    if not named and instance.supervisor() is None:
        instance = Instance(DEMO_DATA)
    if instance.supervisor() is None:
        say(f"starting the instance in {instance.data}")
        new = not instance.exists()
        clock = None
        if new and file is not None:
            noon = datetime.combine(file.last + timedelta(days=_MARGIN_DAYS), time_of_day(12), SHANGHAI)
            clock = noon.isoformat(timespec="minutes")
        # What `up` has to print is not this command's result.
        with contextlib.redirect_stdout(sys.stderr):
            up(detach=True, data=instance.data, sandbox=new, clock=clock, timeout=timeout_s)
    return instance.data


def _clock(session: Session) -> Clock:
    if session.setup.mode == "sandbox":
        return SandboxClock(session.instance.clock_file)
    return SystemClock()


# Customers
# ------------------------------------------------------------------------------------------------------


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
    results = _load_customers(session, rows, file.label, file.table.sha256)
    if refused := [result for result in results if result["result"] == "rejected"]:
        say(
            f"{len(refused)} of {len(rows)} customers were not registered anew"
            f" ({', '.join(sorted({reason for result in refused for reason in result['reasons']}))})"
        )


def _simulation(session: Session, today: date, days: int, seed: int) -> Simulation:
    """Registers customers of its own for this run, so that a second run moves tiers too."""
    run = new_id()[:8]
    first = today - timedelta(days=days - 1)
    rows = [
        {
            "name": f"Simulated customer {run}-{number:02d}",
            "agreement_no": f"SIM-{run}-{number:02d}",
            "agreement_signed_on": first.isoformat(),
        }
        for number in range(1, CUSTOMERS + 1)
    ]
    results = _load_customers(session, rows, f"simulated {run}", "0" * 64)
    codes = [result["customer_code"] for result in results if result["result"] != "rejected"]
    if not codes:
        raise CommandError("none of the simulated customers could be registered")
    return Simulation(run, seed, today, days, codes)


def _load_customers(
    session: Session, rows: list[dict[str, Any]], name: str, sha256: str
) -> list[dict[str, Any]]:
    import_id = new_id()
    results: list[dict[str, Any]] = []
    with progress("customers", len(rows)) as advance:
        for start in range(0, len(rows), _ROWS_A_CALL):
            some = rows[start : start + _ROWS_A_CALL]
            answer = session.post(
                "registry",
                "/v1/customer-imports",
                {
                    "import_id": import_id,
                    "file_name": name.encode("utf-8", "replace").decode()[:255],
                    "file_sha256": sha256,
                    "rows_total": len(rows),
                    "rows": [{"row": start + place, **row} for place, row in enumerate(some, start=2)],
                },
                headers={"Idempotency-Key": f"{import_id}-{start}"},
            )
            results += answer["results"]
            advance(len(some))
    return results


# Playing
# --------------------------------------------------------------------------------------------------------


def play(session: Session, stream: Stream, speed: float, *, quiet: bool = False) -> Picture:
    """Publishes a stream step by step and follows what tiering makes of it, to the last change of the last event."""
    picture = Picture(stream.label, stream.first)
    player = _Player(session, stream, speed, picture, Screen(picture, quiet=quiet))
    try:
        say("waiting until tiering knows the customers")
        wait_idle(session)
        player.begin()
        with player.screen:
            player.run()
    except KeyboardInterrupt:
        say("stopped; what was sent before is booked all the same")
        with contextlib.suppress(KeyboardInterrupt):
            player.look(everything=True)
    return picture


@dataclass(slots=True)
class _Player:
    session: Session
    stream: Stream
    speed: float
    picture: Picture
    screen: Screen
    _cursor: str = ""
    _counted_at: float = -1e9
    _metrics: dict[str, float] = field(default_factory=dict)
    _handled: float = 0
    _before: tuple[int, int] = (0, 0)
    """How many were held and dead-lettered before."""

    def begin(self) -> None:
        """Takes note of everything that was there before."""
        for change in self._news():
            self.picture.know(change)
        self._metrics = self._scraped()
        self._before = self._waiting()

    def run(self) -> None:
        for step in self.stream.steps():
            self.picture.day = step.on
            self._send_over(step.items, step.on, step.until)
            if self.stream.closes_years:
                self._close_years(step.on, step.until)
        self.picture.day = self.stream.last
        wait_idle(self.session)
        self.look(everything=True)

    def _send_over(self, items: Sequence[Item], on: date, until: date) -> None:
        """Sends a step's transactions evenly over the time that its days take."""
        # A demo lasts as long as its stream; patience is for each step of it.
        self.session.began = time.monotonic()
        length = min((until - on).days, _GAP_DAYS_MAX)
        seconds = length / self.speed if self.speed else 0.0
        parts = max(1, round(seconds / _TICK_S), -(-len(items) // _EVENTS_A_CALL))
        began = time.monotonic()
        for part in range(parts):
            self._send(items[len(items) * part // parts : len(items) * (part + 1) // parts])
            self.picture.day = on + timedelta(days=(until - on).days * part // parts)
            self.look()
            time.sleep(max(0.0, began + seconds * (part + 1) / parts - time.monotonic()))

    def _send(self, items: Sequence[Item]) -> None:
        events = [item for item in items if not isinstance(item, Rejected)]
        self.picture.rejected += len(items) - len(events)
        if not events:
            return
        answer = self.session.post("tiering", "/v1/transactions", events)
        self.picture.sent += answer["accepted"]
        self.picture.rejected += answer["rejected"]

    def _close_years(self, on: date, until: date) -> None:
        """Closes a year whose 6 January lies on the way to the next step, once all that was sent is booked."""
        for year in range(on.year - 1, until.year):
            if not on < date(year + 1, *_CLOSES_ON) <= until:
                continue
            wait_idle(self.session)
            try:
                _close, new = close_and_wait(self.session, str(year), quiet=True)
            except Refused as refused:
                self.picture.notes.append(f"{year} was not closed: {refused}")
                continue
            if new:
                self.picture.closed_years.append(str(year))
            self.look()

    # What came of it
    # ---------------------------------------------------------------------------------------------------

    def look(self, *, everything: bool = False) -> None:
        """Brings the picture up to date; the counters only now and then, because they cost more."""
        for change in self._news():
            self.picture.add(change)
            self.screen.moved(change)
        if everything or time.monotonic() - self._counted_at > _COUNT_EVERY_S:
            self._count()
        self.screen.refresh()

    def _news(self) -> Iterator[dict[str, Any]]:
        while True:
            page = self.session.get(
                "tiering",
                "/v1/tier-changes",
                params={"after": self._cursor, "limit": _PAGE},
                headers=accept_language(),
            )
            for event in page["items"]:
                yield event["data"]
            self._cursor = page["next"]
            if not page["more"]:
                return

    def _count(self) -> None:
        found = self._scraped()
        grown = {
            # A service that was restarted counts from zero again.
            name: value - self._metrics.get(name, 0.0) if value >= self._metrics.get(name, 0.0) else value
            for name, value in found.items()
        }
        self._metrics = found
        self._handled += grown.get("keypost_records_total", 0.0)
        self.picture.repeated += int(grown.get("keypost_duplicates_total", 0.0))
        held, dead = self._waiting()
        self.picture.held, self.picture.dead_letters = held - self._before[0], dead - self._before[1]
        not_booked = self.picture.repeated + self.picture.held + self.picture.dead_letters
        self.picture.booked = max(0, int(self._handled) - not_booked)
        self._counted_at = time.monotonic()

    def _scraped(self) -> dict[str, float]:
        text = self.session.request("GET", "tiering", "/metrics").text
        return {
            name: float(value)
            for name, labels, value in _COUNTED.findall(text)
            if 'consumer="tiering.transactions"' in labels
        }

    def _waiting(self) -> tuple[int, int]:
        held = suspense.listed(self.session)
        return len(held), len(dead_letters.listed(self.session, "tiering", "open"))


def _ending(session: Session, picture: Picture) -> str:
    told = picture.summary()
    lines = [
        f"{picture.label}, up to {picture.day}: {picture.sent} transactions sent, {picture.booked} booked,"
        f" {picture.repeated} came twice, {picture.held} held, {picture.rejected} rejected at once,"
        f" {picture.dead_letters} dead letters",
        f"{picture.changes} tier changes"
        + "".join(f", {count} {direction}s" for direction, count in told["directions"].items()),
    ]
    lines += [
        f"customers by tier, {scheme}: " + ", ".join(f"{tier} {count}" for tier, count in counted.items())
        for scheme, counted in told["customers_by_tier"].items()
    ]
    if picture.closed_years:
        lines.append(f"years closed: {', '.join(picture.closed_years)}")
    lines += picture.notes
    some = picture.moves[-1]["customer_code"] if picture.moves else "CODE"
    where = f"--data {session.instance.data}"
    lines += [
        f"console: {session.url('reporting')}/",
        f"look further: keypost tier {some} --explain · keypost suspense list · keypost dead-letters list ·"
        f" keypost export tier-changes · keypost verify  (each with {where})",
        f"stop it: keypost down {where}",
    ]
    return "\n".join(lines)
