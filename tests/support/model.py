"""A tiny independent model of the tiering rules: what the product must answer, worked out the plain way.

The model is written from the requirement page alone (TIE-1 to TIE-10, TIE-12, TIE-14, TIE-20, TIE-24) and shares no
code with the services. It takes one step at a time, in the order in which the ledger sees them, and it is
slow on purpose where slow is obvious. Money is integer fen; business dates are in Asia/Shanghai (UTC+8
throughout the years used).

It covers continuous schemes only (`city-default`, `guangdong-letters`). Quarterly schemes,
overrides, scheme changes and levels granted by registration are outside it.

Sentences that leave room are read as docs/readings.md says: "Reading 9" beside a line is number 9 of that page, which has
the text. A new reading gets the next number there and stands here at what follows from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
LINES = ("letters", "logistics", "express", "parcels", "press", "finance", "information", "philately")
FUTURE_DAYS = 2
HORIZON_YEARS = 2
SALE_WAIT = timedelta(days=35)
CLOSE_DAY = (1, 6)


def day_of(instant: datetime) -> date:
    """The business date of an instant: its date in Shanghai, never the date in UTC."""
    return instant.astimezone(SHANGHAI).date()


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, SHANGHAI)


def years_later(instant: datetime, years: int) -> datetime:
    """The same day and time so many years later; 29 February becomes the 28th."""
    day = 28 if (instant.month, instant.day) == (2, 29) else instant.day
    return instant.replace(year=instant.year + years, day=day)


# Steps --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """`lines` empty covers every line; `ended_on` set means that the agreement is over."""

    number: str
    signed_on: date
    ends_on: date | None = None
    ended_on: date | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class CounterCode:
    """A code of a counter's own, mapped to the customer; no start date means since ever. It holds for the counters below
    a unit, for one counter, or everywhere where it names neither; the narrowest that covers a counter holds."""

    code: str
    valid_from: date | None = None
    valid_to: date | None = None
    unit_code: str | None = None
    counter_id: str | None = None


@dataclass(frozen=True)
class Customer:
    """The whole state of one customer as the registry tells it, at registration and at every later change."""

    code: str
    unit_code: str = "3205"
    city_group: int | None = None
    agreements: tuple[Agreement, ...] = ()
    status: str = "active"
    counter_codes: tuple[CounterCode, ...] = ()
    aliases: tuple[str, ...] = ()
    merged_into: str | None = None


@dataclass(frozen=True)
class Transaction:
    """A well-formed counter transaction; `fen` is above zero, `kind` gives the sign."""

    source: str
    id: str
    customer_code: str
    line: str
    fen: int
    occurred_at: datetime
    business_date: date | None = None
    kind: str = "sale"
    reverses: str | None = None
    counter_id: str = "32050001"
    pieces: int | None = None
    settlement: str = "cash"
    manager_id: str | None = None
    clerk_id: str | None = None
    product: str | None = None
    destination: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def day(self) -> date:
        return self.business_date or day_of(self.occurred_at)

    @property
    def signed(self) -> int:
        return self.fen if self.kind == "sale" else -self.fen

    @property
    def content(self) -> Transaction:
        """The fields after defaults: two arrivals are the same when these are equal."""
        return replace(self, business_date=self.day)


@dataclass(frozen=True)
class Poison:
    """A message that cannot be understood; `reasons` are the dead-letter reasons that the contract allows."""

    probe: str
    reasons: frozenset[str]


@dataclass(frozen=True)
class Close:
    """`keypost close-period YEAR` at the model's clock."""

    year: int


@dataclass(frozen=True)
class Decide:
    """A steward's decision on one held item: keep, replace, book or close."""

    source: str
    id: str
    reason: str
    action: str


@dataclass(frozen=True)
class Advance:
    """The clock moves to an instant; what fell due on the way happens first."""

    to: datetime


Step = Customer | Transaction | Poison | Close | Decide | Advance


# Schemes ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scheme:
    """Levels from low to high with yearly thresholds in fen; `group_percent` scales the lowest level."""

    name: str
    lines: tuple[str, ...]
    levels: tuple[tuple[str, int], ...]
    group_percent: tuple[tuple[int, int], ...] = ()

    def thresholds(self, city_group: int | None) -> list[int]:
        """The scheme's thresholds for a customer of a city group, rounded half up to the fen."""
        percent = dict(self.group_percent).get(city_group or 0, 100)
        lowest, *rest = [fen for _, fen in self.levels]
        return [(2 * lowest * percent + 100) // 200, *rest]

    def tier(self, level: int) -> str:
        return "none" if level == 0 else self.levels[level - 1][0]


YUAN = 100
SCHEMES = (
    Scheme(
        "city-default",
        LINES,
        (
            ("ordinary", 10_000 * YUAN),
            ("silver", 50_000 * YUAN),
            ("gold", 200_000 * YUAN),
            ("diamond", 1_000_000 * YUAN),
        ),
    ),
    Scheme(
        "guangdong-letters",
        ("letters",),
        (
            ("vip", 10_000 * YUAN),
            ("gold", 200_000 * YUAN),
            ("platinum", 2_000_000 * YUAN),
            ("diamond", 5_000_000 * YUAN),
        ),
        ((1, 100), (2, 90), (3, 80)),
    ),
)


# What comes out -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One tier change with every field of the contract but `decided_at`; `total` in fen."""

    customer_code: str
    scheme: str
    version: int
    from_tier: str
    to_tier: str
    direction: str
    reason: str
    effective_on: date
    period: str
    total: int
    key_account: bool
    caused_by: tuple[str, str] | None
    scheme_version: int = 1


@dataclass(frozen=True)
class Booking:
    """One row of the ledger; `names` is the sale that a named reversal lowers."""

    source: str
    id: str
    customer: str
    line: str
    day: date
    signed: int
    pieces: int
    kind: str
    names: tuple[str, str] | None


@dataclass
class Held:
    """An item in suspense; `state` ends as booked or closed."""

    transaction: Transaction
    arrived_at: datetime
    number: int
    reason: str = ""
    state: str = "held"


@dataclass
class Figures:
    """A total of the ledger: signed fen, signed pieces, ledger rows."""

    fen: int = 0
    pieces: int = 0
    count: int = 0


@dataclass
class Standing:
    """Where one customer stands under one scheme."""

    level: int = 0
    last_effective: date | None = None
    chain_signed_on: date | None = None
    """The signing date of the chain in force; None while no covering agreement is in force."""
    ended_on: date | None = None


@dataclass
class Model:
    """The ledger, the schemes and the clock of one instance that first started at `start`."""

    start: datetime
    now: datetime = field(init=False)
    ledger: list[Booking] = field(default_factory=list)
    totals: dict[tuple[str, str, int], Figures] = field(default_factory=lambda: defaultdict(Figures))
    months: dict[tuple[str, str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))
    changes: dict[tuple[str, str], list[Change]] = field(default_factory=lambda: defaultdict(list))
    suspense: list[Held] = field(default_factory=list)
    dead_letters: list[Poison] = field(default_factory=list)
    duplicates: int = 0
    customers: dict[str, Customer] = field(default_factory=dict)
    closes: dict[int, datetime] = field(default_factory=dict)
    at_close: dict[tuple[str, str, int], int] = field(default_factory=dict)
    refusals: list[tuple[int, int]] = field(default_factory=list)
    """Refused closes: the year asked for and the year that stands in the way."""

    def __post_init__(self) -> None:
        self.now = self.start
        self._contents: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
        self._standings: dict[tuple[str, str], Standing] = defaultdict(Standing)
        self._sales: dict[tuple[str, str], Booking] = {}
        self._reversed: dict[tuple[str, str], int] = defaultdict(int)
        self._owners: dict[str, list[tuple[CounterCode, str]]] = defaultdict(list)
        self._held_by_code: dict[str, list[Held]] = defaultdict(list)
        self._held_by_sale: dict[tuple[str, str], list[Held]] = defaultdict(list)
        self._survivors: dict[str, str] = {}
        """Merged customers, each with the one it was merged into."""
        self._courses: dict[tuple[str, str], dict[int, list[tuple[date, int]]]] = defaultdict(dict)
        # Reading 3: the order of the rules.
        self._rules = (self._future_date, self._year_too_old, self._code, self._reversal)

    # Steps ----------------------------------------------------------------------------------------

    def play(self, steps: Iterable[Step]) -> Model:
        for step in steps:
            self.do(step)
        return self

    def do(self, step: Step) -> None:
        match step:
            case Customer():
                self._tell(step)
                self._advance(self.now)
            case Transaction():
                self._arrive(step)
            case Poison():
                self.dead_letters.append(step)
            case Close(year):
                self.close(year)
            case Decide():
                self._decide(step)
                self._advance(self.now)
            case Advance(to):
                self._advance(to)

    # Arrival and judgement (TIE-1, TIE-3, TIE-4, TIE-5) -------------------------------------------

    def _arrive(self, transaction: Transaction) -> None:
        contents = self._contents[transaction.identity]
        # Reading 1: every content seen counts, whatever became of it.
        if transaction.content in contents:
            self.duplicates += 1
            return
        contents.append(transaction.content)
        item = Held(transaction, self.now, len(self.suspense))
        if len(contents) > 1:
            self._hold(item, "conflict")
        else:
            self._judge(item, 0)

    def _judge(self, item: Held, first_rule: int) -> None:
        """Book the item, or hold it for the first rule from `first_rule` on that it breaks."""
        for rule in self._rules[first_rule:]:
            reason = rule(item)
            if reason is not None:
                self._hold(item, reason)
                return
        item.state = "booked"
        self._book_transaction(item.transaction, named=item.transaction.reverses is not None)

    def _hold(self, item: Held, reason: str) -> None:
        if not item.reason:
            item.number = len(self.suspense)
            self.suspense.append(item)
        item.reason = reason
        if reason in CODE_REASONS:
            self._held_by_code[item.transaction.customer_code].append(item)
        if reason == "sale_unknown":
            named = (item.transaction.source, item.transaction.reverses or "")
            self._held_by_sale[named].append(item)

    def _future_date(self, item: Held) -> str | None:
        day, grace = item.transaction.day, timedelta(days=FUTURE_DAYS)
        # Reading 4: exactly two days later is booked.
        if day > day_of(item.transaction.occurred_at) + grace or day > day_of(item.arrived_at) + grace:
            return "future_date"
        return None

    def _year_too_old(self, item: Held) -> str | None:
        closed_at = self._closed_at(item.transaction.day.year)
        # Reading 5: strictly more than the calendar years.
        if closed_at is not None and item.arrived_at > years_later(closed_at, HORIZON_YEARS):
            return "year_too_old"
        return None

    def _code(self, item: Held) -> str | None:
        code = item.transaction.customer_code
        customer = self._owner(item.transaction)
        if customer is None:
            return "bad_check_digit" if has_bad_check_digit(code) else "unknown_code"
        # Reading 7.
        return None if self.customers[customer].status == "active" else "retired_code"

    def _reversal(self, item: Held) -> str | None:
        transaction = item.transaction
        if transaction.reverses is None:
            return None
        named = (transaction.source, transaction.reverses)
        # Reading 9: only a booked sale of the same source.
        sale = self._sales.get(named)
        if sale is None:
            return "sale_unknown"
        if (self._owner(transaction), transaction.line) != (
            self.survivor(sale.customer),
            sale.line,
        ):
            return "reversal_mismatch"
        if self._reversed[named] + transaction.fen > sale.signed:
            return "over_reversal"
        return None

    def _owner(self, transaction: Transaction) -> str | None:
        """The customer that a code stands for on a day: a registry code always, a mapped one in its dates and at the
        counters that it is mapped for. The codes of counters begin with those of the units above them."""
        code, day, counter = transaction.customer_code, transaction.day, transaction.counter_id
        if code in self.customers:
            return self.survivor(code)
        holding = [
            (len(mapping.unit_code or "") + 100 * bool(mapping.counter_id), customer)
            for mapping, customer in self._owners[code]
            if (mapping.valid_from or day) <= day <= (mapping.valid_to or day)
            and mapping.counter_id in (None, counter)
            and counter.startswith(mapping.unit_code or "")
        ]
        return self.survivor(max(holding)[1]) if holding else None

    def survivor(self, code: str) -> str:
        """The customer that a customer is by now: itself unless it was merged."""
        while code in self._survivors:
            code = self._survivors[code]
        return code

    # The ledger (TIE-1, TIE-2, TIE-7, TIE-10) -----------------------------------------------------

    def _book_transaction(self, transaction: Transaction, named: bool, suffix: str = "") -> None:
        customer = self._owner(transaction)
        assert customer is not None
        # Reading 21: pieces are signed, and `count` counts rows.
        pieces = (transaction.pieces or 0) * (1 if transaction.signed > 0 else -1)
        self._book(
            Booking(
                transaction.source,
                transaction.id + suffix,
                customer,
                transaction.line,
                transaction.day,
                transaction.signed,
                pieces,
                transaction.kind,
                (transaction.source, transaction.reverses) if named and transaction.reverses else None,
            )
        )

    def _book(self, booking: Booking) -> None:
        self.ledger.append(booking)
        year = booking.day.year
        for figures in (
            self.totals[booking.customer, booking.line, year],
            self.months[booking.customer, booking.line, f"{booking.day:%Y-%m}"],
        ):
            figures.fen += booking.signed
            figures.pieces += booking.pieces
            figures.count += 1
        for scheme in SCHEMES:
            if booking.line in scheme.lines:
                self._after_booking(scheme, booking)
        identity = (booking.source, booking.id)
        if booking.names is not None:
            self._reversed[booking.names] -= booking.signed
        if booking.kind == "sale":
            self._sales[identity] = booking
            # Reading 10: before anything else.
            for item in self._held_by_sale.pop(identity, []):
                if item.state == "held":
                    self._judge(item, 3)

    def _after_booking(self, scheme: Scheme, booking: Booking) -> None:
        code, year = booking.customer, booking.day.year
        total = self._total(scheme, code, year)
        self._courses[code, scheme.name].setdefault(year, []).append((booking.day, total))
        standing = self._standings[code, scheme.name]
        level = self._level(scheme, code, total)
        # Reading 12: a reversal never promotes.
        if booking.signed < 0 or standing.chain_signed_on is None or level <= standing.level:
            return
        dates = [booking.day, standing.chain_signed_on]
        last_closed = self.last_closed
        # Reading 18: before any close all years are open. Reading 20: a closed year's total is that of now.
        if last_closed is None or year > last_closed:
            reason = "threshold_reached"
        elif year == last_closed:
            reason = "late_revenue"
            dates.append(date(year + 1, 1, 1))
        else:
            return
        self._change(scheme, code, level, reason, dates, year, total, (booking.source, booking.id))

    def _total(self, scheme: Scheme, code: str, year: int) -> int:
        return sum(
            self.totals[code, line, year].fen for line in scheme.lines if (code, line, year) in self.totals
        )

    def _level(self, scheme: Scheme, code: str, total: int) -> int:
        """How many of the scheme's thresholds a total reaches."""
        thresholds = scheme.thresholds(self.customers[code].city_group)
        return sum(1 for threshold in thresholds if total >= threshold)

    def _change(
        self,
        scheme: Scheme,
        code: str,
        level: int,
        reason: str,
        dates: Iterable[date],
        year: int,
        total: int,
        caused_by: tuple[str, str] | None,
    ) -> None:
        standing = self._standings[code, scheme.name]
        effective_on = max([*dates, standing.last_effective or date.min])
        history = self.changes[code, scheme.name]
        history.append(
            Change(
                customer_code=code,
                scheme=scheme.name,
                version=len(history) + 1,
                from_tier=scheme.tier(standing.level),
                to_tier=scheme.tier(level),
                direction="correction"
                if reason == "merged"
                else "promotion"
                if level > standing.level
                else "demotion",
                reason=reason,
                effective_on=effective_on,
                period=str(year),
                total=total,
                key_account=level > 0 and standing.chain_signed_on is not None,
                caused_by=caused_by,
            )
        )
        standing.level = level
        standing.last_effective = effective_on

    # Customers and agreements (TIE-5, TIE-8) ------------------------------------------------------

    def _tell(self, customer: Customer) -> None:
        if customer.merged_into is not None:
            self._merge(customer.code, customer.merged_into)
            self.customers[customer.code] = customer
            return
        for alias in customer.aliases:
            self._merge(alias, customer.code)
        before = self.customers.get(customer.code)
        self.customers[customer.code] = customer
        for mappings in self._owners.values():
            mappings[:] = [(mapping, code) for mapping, code in mappings if code != customer.code]
        for mapping in customer.counter_codes:
            self._owners[mapping.code].append((mapping, customer.code))
        # Reading 8: agreements before what was held.
        for scheme in SCHEMES:
            self._agreements_told(scheme, before, customer)
        waiting = [
            item
            for code in [customer.code, *(mapping.code for mapping in customer.counter_codes)]
            for item in self._held_by_code.pop(code, [])
        ]
        for item in sorted(waiting, key=lambda item: item.number):
            if item.state == "held":
                self._judge(item, 2)

    def _agreements_told(self, scheme: Scheme, before: Customer | None, after: Customer) -> None:
        were = _in_force(before, scheme)
        are = _in_force(after, scheme)
        standing = self._standings[after.code, scheme.name]
        # Reading 13: what was over when first seen was never in force.
        signed = [agreement for number, agreement in are.items() if number not in were]
        if not are:
            if were:
                standing.chain_signed_on = None
                standing.ended_on = max(
                    agreement.ended_on
                    for agreement in after.agreements
                    if agreement.number in were and agreement.ended_on is not None
                )
            return
        if not were:
            # Reading 14: the first of an unbroken chain.
            standing.chain_signed_on = min(agreement.signed_on for agreement in signed)
        if signed:
            self._take_the_best(scheme, after.code, "agreement_signed")

    def _take_the_best(self, scheme: Scheme, code: str, reason: str, *more_dates: date) -> None:
        """TIE-8: the best of the last closed year's and the open years' totals."""
        standing = self._standings[code, scheme.name]
        last_closed = self.last_closed
        courses = self._courses[code, scheme.name]
        best, deciding = 0, 0
        for year in sorted(y for y in courses if last_closed is None or y >= last_closed):
            level = self._level(scheme, code, self._total(scheme, code, year))
            if level >= best:
                best, deciding = level, year
        if best <= standing.level:
            return
        assert standing.chain_signed_on is not None
        threshold = scheme.thresholds(self.customers[code].city_group)[best - 1]
        rose_on, running = date.min, 0
        for day, total in courses[deciding]:
            # Reading 16: the last crossing in booking order.
            if running < threshold <= total:
                rose_on = day
            running = total
        dates = [standing.chain_signed_on, rose_on, *more_dates]
        total = self._total(scheme, code, deciding)
        # Reading 17: the registry's event has an id that the model cannot know.
        self._change(scheme, code, best, reason, dates, deciding, total, None)

    # Merges (TIE-14) ------------------------------------------------------------------------------

    def _merge(self, one: str, other: str) -> None:
        alias, survivor = self.survivor(one), self.survivor(other)
        if alias == survivor:
            return
        # Reading 22: whichever state came first merges, wholly.
        self._survivors[alias] = survivor
        gone, stays = self.customers[alias], self.customers[survivor]
        numbers = {agreement.number for agreement in stays.agreements}
        self.customers[survivor] = replace(
            stays,
            agreements=(*stays.agreements, *(a for a in gone.agreements if a.number not in numbers)),
            counter_codes=(*stays.counter_codes, *gone.counter_codes),
        )
        for figures in (self.totals, self.months):
            for key in [key for key in figures if key[0] == alias]:
                moved = figures.pop(key)
                total = figures[survivor, *key[1:]]  # type: ignore[index]
                total.fen += moved.fen
                total.pieces += moved.pieces
                total.count += moved.count
        # Reading 26: figures at a close add up too.
        for code, line, year in [key for key in self.at_close if key[0] == alias]:
            fen = self.at_close.pop((code, line, year))
            self.at_close[survivor, line, year] = self.at_close.get((survivor, line, year), 0) + fen
        for scheme in SCHEMES:
            self._join(scheme, alias, survivor)
        self._free_by_merge(survivor)

    def _join(self, scheme: Scheme, alias: str, survivor: str) -> None:
        left, held = self._standings[alias, scheme.name], self._standings[survivor, scheme.name]
        today = day_of(self.now)
        # Reading 25: the survivor's own chain, else the alias's.
        if held.chain_signed_on is None:
            held.chain_signed_on = left.chain_signed_on
            held.ended_on = max((day for day in (held.ended_on, left.ended_on) if day), default=None)
        left.chain_signed_on = None
        if left.level:
            # Reading 23.
            self._change(scheme, alias, 0, "merged", [today], today.year, 0, None)
        self._courses.pop((alias, scheme.name), None)
        courses = self._courses[survivor, scheme.name] = {}
        running: dict[int, int] = defaultdict(int)
        for booking in self.ledger:
            if booking.line in scheme.lines and self.survivor(booking.customer) == survivor:
                running[booking.day.year] += booking.signed
                course = courses.setdefault(booking.day.year, [])
                course.append((booking.day, running[booking.day.year]))
        if held.chain_signed_on is not None:
            # Reading 24: the last rise among the bookings of both.
            self._take_the_best(scheme, survivor, "merged", today)

    def _free_by_merge(self, survivor: str) -> None:
        """What was held for any code of both, or because its sale was the other's, in order of arrival."""
        for item in list(self.suspense):
            # Reading 27: the sale of another customer's may be its own by now.
            waits = item.state == "held" and item.reason in (*CODE_REASONS, "reversal_mismatch")
            if waits and self._owner(item.transaction) == survivor:
                self._judge(item, 2)

    # Closing (TIE-9) ------------------------------------------------------------------------------

    @property
    def last_closed(self) -> int | None:
        return max(self.closes, default=None)

    def _closed_at(self, year: int) -> datetime | None:
        """The recorded instant of the first close that covered the year."""
        return min((instant for closed, instant in self.closes.items() if closed >= year), default=None)

    def open_years_with_bookings(self) -> list[int]:
        last_closed = self.last_closed
        booked = {booking.day.year for booking in self.ledger}
        return sorted(year for year in booked if last_closed is None or year > last_closed)

    def in_the_way(self, year: int) -> int | None:
        """The year that keeps a year from being closed: itself while it runs, or an earlier open one."""
        if year <= (self.last_closed or date.min.year):
            return None
        if self.now < midnight(date(year + 1, 1, 1)):
            return year
        return next((other for other in self.open_years_with_bookings() if other < year), None)

    def close(self, year: int) -> int:
        """Close a year; returns the command's exit code. A second close changes nothing."""
        blocking = self.in_the_way(year)
        if blocking is not None:
            self.refusals.append((year, blocking))
            return 1
        if year <= (self.last_closed or date.min.year):
            return 0
        for (code, line, booked_year), figures in self.totals.items():
            if booked_year == year:
                self.at_close[code, line, year] = figures.fen
        self.closes[year] = self.now
        for scheme in SCHEMES:
            for code in self.customers:
                self._close_for(scheme, code, year)
        return 0

    def _close_for(self, scheme: Scheme, code: str, year: int) -> None:
        standing = self._standings[code, scheme.name]
        if standing.level == 0:
            return
        total = self._total(scheme, code, year)
        new_year = date(year + 1, 1, 1)
        if standing.chain_signed_on is None:
            assert standing.ended_on is not None
            # Reading 15: the first close after the end, of whichever year.
            dates = [new_year, standing.ended_on + timedelta(days=1)]
            self._change(scheme, code, 0, "agreement_ended", dates, year, total, None)
            return
        later = [y for y in self._courses[code, scheme.name] if y > year]
        justified = max(self._level(scheme, code, self._total(scheme, code, y)) for y in [year, *later])
        if justified < standing.level:
            self._change(scheme, code, justified, "year_end", [new_year], year, total, None)

    # Stewards and the clock (TIE-1, TIE-3, TIE-4, TIE-9) ------------------------------------------

    def _decide(self, decision: Decide) -> None:
        item = next(
            item
            for item in self.suspense
            if item.state == "held"
            and item.transaction.identity == (decision.source, decision.id)
            and item.reason == decision.reason
        )
        match decision.action, decision.reason:
            case ("close", _) | ("keep", "conflict"):
                item.state = "closed"
            case ("replace", "conflict"):
                self._replace(item)
            case ("book", "future_date"):
                self._judge(item, 1)
            case ("book", "year_too_old"):
                self._judge(item, 2)
            case other:
                raise ValueError(f"a steward cannot decide {other}")

    def _replace(self, item: Held) -> None:
        first = next(b for b in self.ledger if (b.source, b.id) == item.transaction.identity)
        identity = (first.source, first.id)
        if first.kind != "sale" or self._reversed[identity]:
            raise ValueError("the model replaces only a booked sale of which nothing was reversed")
        # Reading 2: the steward's decision stands in for the date rules.
        item.state = "booked"
        self._book(
            replace(
                first,
                id=f"{first.id}~1",
                customer=self.survivor(first.customer),
                signed=-first.signed,
                pieces=-first.pieces,
                kind="reversal",
                names=identity,
            )
        )
        self._book_transaction(item.transaction, named=False, suffix="~2")

    def _advance(self, to: datetime) -> None:
        """Fire what falls due up to `to`, earliest first; a close comes before a reversal due with it."""
        while True:
            year = self._next_close()
            due = [(midnight(date(year + 1, *CLOSE_DAY)), 0, year)]
            due += [
                (item.arrived_at + SALE_WAIT, 1, item.number)
                for item in self.suspense
                if item.state == "held" and item.reason == "sale_unknown"
            ]
            at, kind, subject = min(due)
            if at > to:
                break
            self.now = max(self.now, at)
            if kind == 0:
                # Reading 19.
                for earlier in self.open_years_with_bookings():
                    if earlier < subject:
                        self.close(earlier)
                self.close(subject)
            else:
                # Reading 11: it takes nothing from its sale should that come later.
                item = self.suspense[subject]
                item.state = "booked"
                self._book_transaction(item.transaction, named=False)
        self.now = to

    def _next_close(self) -> int:
        """The next year that the timer closes: that of first start or later, and not closed yet."""
        first = day_of(self.start).year
        last_closed = self.last_closed
        return first if last_closed is None else max(first, last_closed + 1)

    # Answers --------------------------------------------------------------------------------------

    def tier(self, code: str, scheme: str) -> str:
        found = next(s for s in SCHEMES if s.name == scheme)
        return found.tier(self._standings[code, scheme].level)

    def key_account(self, code: str, scheme: str) -> bool:
        """TIE-20: a tier above none, and an agreement in force (both shipped schemes ask for one)."""
        standing = self._standings[code, scheme]
        return standing.level > 0 and standing.chain_signed_on is not None

    def held(self) -> list[Held]:
        """What is in suspense now, in order of arrival."""
        return [item for item in self.suspense if item.state == "held"]


CODE_REASONS = ("unknown_code", "bad_check_digit", "retired_code")


def has_bad_check_digit(code: str) -> bool:
    """ISO 7064 mod 11,10 over 13 digits; a code of any other form has no check digit to judge (REG-4)."""
    # Reading 6.
    if len(code) != 13 or not (code.isascii() and code.isdigit()):
        return False
    return code[-1] != check_digit(code[:-1])


def check_digit(digits: str) -> str:
    """The ISO 7064 mod 11,10 check digit of a string of digits."""
    remainder = 10
    for digit in digits:
        remainder = (remainder + int(digit)) % 10 or 10
        remainder = remainder * 2 % 11
    return str((11 - remainder) % 10)


def _in_force(customer: Customer | None, scheme: Scheme) -> dict[str, Agreement]:
    """The customer's agreements in force that cover any of the scheme's lines."""
    if customer is None:
        return {}
    return {
        agreement.number: agreement
        for agreement in customer.agreements
        if agreement.ended_on is None and (not agreement.lines or set(agreement.lines) & set(scheme.lines))
    }
