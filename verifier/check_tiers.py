"""Tiers: each change follows from the bookings it names, and what is held is what they justify (TIE-7 to TIE-10, TIE-14,
TIE-20).

Proved by replaying one account's bookings in the order of the ledger. The ledger does not say between which bookings an
agreement was signed or ended, so of those changes only the chain, the total (which must have stood at some moment) and
the level are proved; a change that names its booking is proved in full, and so is a demotion at a close. Where the
place of a close between two bookings is not known for certain, every outcome that was possible is accepted. At a merge,
whose place is noted, the alias's totals go over to the survivor as the replay has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import combinations
from typing import Any, Final, NamedTuple

from verifier.bookings import Booking, Change, Pages, Standing
from verifier.check_ledger import UNIT_OF_WORK_MAX, CloseMark
from verifier.report import Difference
from verifier.schemes import NONE, SchemeVersion
from verifier.tier_events import CHECK, chain_differences, event_differences, standing_differences
from verifier.words import same_millisecond, yuan

Groups = frozenset[int | None]

_BY_BOOKING: Final = ("threshold_reached", "late_revenue")
_BY_CLOSE: Final = ("year_end", "agreement_ended")
_BY_HAND: Final = ("corrected", "scheme_changed", "granted", "quarter_end")
"""Reasons after which what is held need not be what bookings justify."""


@dataclass(slots=True)
class Rules:
    """What is the same for every account."""

    schemes: Sequence[SchemeVersion]
    marks: Sequence[CloseMark]
    closing: bool = False
    """A close is still being settled."""
    groups: Mapping[str, Groups] = field(default_factory=dict)
    """City groups that a customer's unit had, by what the registry told; absent where that is not known whole."""

    def groups_of(self, pages: Pages) -> Groups:
        """Every city group whose thresholds may have applied to the account."""
        account = pages.account
        if account is None:
            return frozenset({None})
        told = self.groups.get(account.code)
        if told is not None:
            return told | {account.city_group}
        return frozenset(group for version in self.schemes for group in version.thresholds)

    def version(self, scheme: str, number: object) -> SchemeVersion | None:
        return next((one for one in self.schemes if (one.scheme, one.version) == (scheme, number)), None)


@dataclass(slots=True)
class _AtClose:
    """What later years justified at a close: one possibility, or several where its place is not certain."""

    mark: CloseMark
    later: dict[tuple[int, int | None], set[int]] = field(default_factory=dict)
    """(scheme version, city group) → levels."""


class _Taken(NamedTuple):
    """What came from another account at a merge: behind which booking, and what it had booked in time by scheme version."""

    seq: int
    on_time: list[dict[int, int]]


TIED_MAX: Final = 6
"""Merges behind one booking of which every order is tried; of more, only that all of them happened."""


class Tiers:
    """Replays one account."""

    def __init__(self, pages: Pages, rules: Rules) -> None:
        self._pages = pages
        self._rules = rules
        self._groups = rules.groups_of(pages)
        self._found: list[Difference] = []
        self._totals: list[dict[int, int]] = [{} for _ in rules.schemes]
        self._on_time: list[dict[int, int]] = [{} for _ in rules.schemes]
        self._peaks = [0 for _ in rules.schemes]
        self._counting = [
            [number for number, version in enumerate(rules.schemes) if line in version.lines]
            for line in range(8)
        ]
        self._closes = [_AtClose(mark) for mark in rules.marks]
        self._next_close = 0
        self._by_scheme: dict[str, list[Change]] = {}
        self._previous: dict[str, Change | None] = {}
        self._caused: dict[tuple[str, str], list[Change]] = {}
        self._awaited: dict[tuple[int, int, int], list[Change]] = {}
        self._by_merge: dict[tuple[int, int, int], list[Change]] = {}
        self._taken: list[_Taken] = []
        self._checked: set[str] = set()
        for change in pages.changes:
            self._expect(change)

    def _differs(self, change: Change, what: str, expected: object, found: object) -> None:
        self._found.append(Difference(CHECK, change.id, what, str(expected), str(found)))

    # -- what the changes say by themselves -------------------------------------------------------------------------

    def _expect(self, change: Change) -> None:
        chain = self._by_scheme.setdefault(change.scheme, [])
        before = chain[-1] if chain else None
        problems = list(event_differences(change))
        if not problems:
            version = self._rules.version(change.scheme, change.event["scheme_version"])
            problems = list(chain_differences(change, before, version))
            if version is not None and not problems:
                self._await(change, self._rules.schemes.index(version))
        self._found += problems
        self._previous[change.id] = before
        chain.append(change)

    def _await(self, change: Change, number: int) -> None:
        """Note what the change says about the ledger, to be met while it is replayed."""
        cause = change.event["caused_by"]
        reason = change.event["reason"]
        if reason in _BY_BOOKING:
            if isinstance(cause, dict):
                key = (str(cause.get("source")), str(cause.get("id")))
                self._caused.setdefault(key, []).append(change)
            else:
                self._differs(change, "caused_by", "the booking that crossed", cause)
        elif reason in ("agreement_signed", "granted"):
            if change.total_fen == 0:
                self._checked.add(change.id)
            if reason == "agreement_signed":
                self._reaches(change, self._rules.schemes[number], change.total_fen)
            self._awaited.setdefault((number, change.year, change.total_fen), []).append(change)
        elif reason == "merged":
            self._merged(change, number)

    def _merged(self, change: Change, number: int) -> None:
        """TIE-14: the alias ends with nothing; the survivor takes what both together reach."""
        account = self._pages.account
        merged = account is not None and account.merged_into is not None
        if change.event["to_tier"] == NONE:
            if not merged:
                self._differs(change, "to_tier of a survivor", "a tier", NONE)
            if change.total_fen:
                self._differs(change, "total left to an alias", yuan(0), yuan(change.total_fen))
            if account is not None and account.merged_on is not None:
                floor = max(account.merged_on, self._before(change) or date.min)
                if change.effective_on != floor:
                    self._differs(change, "effective_on", floor, change.effective_on)
            return
        self._reaches(change, self._rules.schemes[number], change.total_fen)
        self._by_merge.setdefault((number, change.year, change.total_fen), []).append(change)

    def _before(self, change: Change) -> date | None:
        chain = self._by_scheme.get(change.scheme)
        return chain[-1].effective_on if chain else None

    # -- the ledger, booking by booking -----------------------------------------------------------------------------

    def book(self, booking: Booking) -> None:
        if self._next_close < len(self._closes):
            self._pass_closes(booking.seq, booking.booked_at)
        year = booking.business_date.year
        causes = self._caused.pop((booking.source, booking.id), ()) if self._caused else ()
        for number in self._counting[booking.line] if 0 <= booking.line < 8 else ():
            totals = self._totals[number]
            before = totals.get(year, 0)
            after = totals[year] = before + booking.amount_fen
            if not booking.late:
                on_time = self._on_time[number]
                on_time[year] = on_time.get(year, 0) + booking.amount_fen
            if booking.amount_fen > 0 and after > 0:
                level = self._rules.schemes[number].highest(after, self._groups)
                if level > self._peaks[number] and self._counts(year):
                    self._peaks[number] = level
            if self._awaited:
                self._checked.update(change.id for change in self._awaited.get((number, year, after), ()))
        for change in causes:
            self._crossed(change, booking)
        if self._next_close < len(self._closes):
            self._note_possibilities()

    # -- merges -----------------------------------------------------------------------------------------------------

    def take_in(self, others: Sequence[tuple[int, Tiers]]) -> None:
        """Accounts merged into this one, all behind the same booking; in which order is not known."""
        seq = others[0][0]
        self._pass_closes_by_merge(seq)
        for number in range(len(self._rules.schemes)):
            self._meet_merges(number, [other._totals[number] for _, other in others])
            totals = self._totals[number]
            for _, other in others:
                for year, fen in other._totals[number].items():
                    totals[year] = totals.get(year, 0) + fen
            for year, fen in totals.items():
                if fen > 0 and self._counts(year):
                    level = self._rules.schemes[number].highest(fen, self._groups)
                    self._peaks[number] = max(self._peaks[number], level)
                self._checked.update(one.id for one in self._awaited.get((number, year, fen), ()))
        for _, other in others:
            self._taken.append(_Taken(seq, other._on_time))
            # What came to that one earlier comes here now.
            self._taken += [_Taken(seq, taken.on_time) for taken in other._taken]
        if self._next_close < len(self._closes):
            self._note_possibilities()

    def _meet_merges(self, number: int, gained: Sequence[Mapping[int, int]]) -> None:
        """Mark the changes whose totals stand when some of the others, or all, have come over."""
        if not self._by_merge:
            return
        some = (
            [part for size in range(1, len(gained) + 1) for part in combinations(gained, size)]
            if len(gained) <= TIED_MAX
            else [tuple(gained)]
        )
        for part in some:
            for year in self._totals[number].keys() | {year for one in part for year in one}:
                fen = self._totals[number].get(year, 0) + sum(one.get(year, 0) for one in part)
                self._checked.update(one.id for one in self._by_merge.get((number, year, fen), ()))

    def _pass_closes_by_merge(self, seq: int) -> None:
        for index in range(self._next_close, len(self._closes)):
            at = self._closes[index]
            side = side_of_merge(at.mark, seq)
            if side < 0:
                return
            if not at.later:
                self._reach(at)
            if side > 0:
                self._next_close = index + 1

    def _closing_totals(self, number: int, mark: CloseMark) -> set[int]:
        """What the closed year's total may have been at its close: one possibility, or several where a merge stands beside
        it."""
        possible = {self._on_time[number].get(mark.year, 0)}
        for taken in self._taken:
            fen = taken.on_time[number].get(mark.year, 0)
            side = side_of_merge(mark, taken.seq)
            if side < 0:
                possible = {one + fen for one in possible}
            elif side == 0:
                possible |= {one + fen for one in possible}
        return possible

    def _counts(self, year: int) -> bool:
        """Years before the last one closed correct figures and move nothing (TIE-10)."""
        passed = [at.mark.year for at in self._closes if at.later]
        return not passed or year >= passed[-1]

    def _crossed(self, change: Change, booking: Booking) -> None:
        """The change against the booking that it names, just before and just after it."""
        version = self._rules.version(change.scheme, change.event["scheme_version"])
        if version is None:
            return
        self._checked.add(change.id)
        year = booking.business_date.year
        if booking.line not in version.lines or booking.amount_fen <= 0:
            self._differs(change, "caused_by", "a sale of the scheme's lines", f"seq {booking.seq}")
            return
        total = self._totals[self._rules.schemes.index(version)][year]
        before = total - booking.amount_fen
        if change.event["period"] != str(year):
            self._differs(change, "period", year, change.event["period"])
        if change.total_fen != total:
            self._differs(change, f"total after seq {booking.seq}", yuan(total), yuan(change.total_fen))
        self._reaches(change, version, total)
        held = version.number(change.event["from_tier"]) or 0
        if version.lowest(before, self._groups) > held:
            self._differs(
                change,
                "booking that crossed",
                "an earlier one",
                f"seq {booking.seq}, {yuan(before)} before it",
            )
        reason = "late_revenue" if booking.late else "threshold_reached"
        if change.event["reason"] != reason:
            self._differs(change, "reason", reason, change.event["reason"])
        self._effective(change, booking.business_date, date(year + 1, 1, 1) if booking.late else None)

    def _reaches(self, change: Change, version: SchemeVersion, total_fen: int) -> None:
        """The change goes to the highest level that the total reaches."""
        reached = {version.level(total_fen, group) for group in self._groups}
        if version.number(change.event["to_tier"]) not in reached:
            names = " or ".join(version.code(level) for level in sorted(reached))
            self._differs(change, f"tier that {yuan(total_fen)} reaches", names, change.event["to_tier"])

    def _effective(self, change: Change, business_date: date, new_year: date | None) -> None:
        """TIE-7: the latest of the booking's date, the last effective date and the signing (of which only the dates
        of the agreements are known here, not which chain held then)."""
        before = self._previous[change.id]
        days = [business_date, new_year, before.effective_on if before else None]
        floor = max(day for day in days if day is not None)
        if change.effective_on != floor and not (
            change.effective_on > floor and change.effective_on in self._signings(change.scheme)
        ):
            self._differs(change, "effective_on", floor, change.effective_on)

    def _signings(self, scheme: str) -> set[date]:
        account = self._pages.account
        days = {date.fromisoformat(one["signed_on"]) for one in account.agreements} if account else set()
        standing = self._pages.standings.get(scheme)
        if standing is not None and standing.signed_on is not None:
            days.add(standing.signed_on)
        return days

    # -- closes -----------------------------------------------------------------------------------------------------

    def _pass_closes(self, seq: int, booked_at: datetime) -> None:
        """Before a booking is counted: which closes it certainly follows, and which it may follow."""
        for index in range(self._next_close, len(self._closes)):
            at = self._closes[index]
            side = side_of(at.mark, seq, booked_at)
            if side < 0:
                return
            if not at.later:
                self._reach(at)
            if side > 0:
                self._next_close = index + 1

    def _reach(self, at: _AtClose) -> None:
        """The first moment at which the close may have happened. What was justified before no longer counts."""
        for number, version in enumerate(self._rules.schemes):
            for group in self._groups:
                at.later[number, group] = {self._later_level(number, version, at.mark.year, group)}
            totals = {year: fen for year, fen in self._totals[number].items() if year >= at.mark.year}
            self._peaks[number] = max(
                (version.highest(fen, self._groups) for fen in totals.values()), default=0
            )

    def _note_possibilities(self) -> None:
        """After a booking that stands where a close may lie: the close may have happened now."""
        for at in self._closes[self._next_close :]:
            if not at.later:
                return
            for (number, group), levels in at.later.items():
                levels.add(self._later_level(number, self._rules.schemes[number], at.mark.year, group))

    def _later_level(self, number: int, version: SchemeVersion, year: int, group: int | None) -> int:
        later = (fen for other, fen in self._totals[number].items() if other > year)
        return max((version.level(fen, group) for fen in later), default=0)

    def _closed(self, change: Change) -> None:
        """A change of a close: the closed year's total as it was then, and the level that was justified then."""
        version = self._rules.version(change.scheme, change.event["scheme_version"])
        if version is None:
            return
        at = next((one for one in self._closes if str(one.mark.year) == change.event["period"]), None)
        if at is None:
            self._differs(change, "close", f"{change.event['period']} closed", "no such close")
            return
        number = self._rules.schemes.index(version)
        # A year that an earlier close covered is not this one's: each close names its own year.
        possible = self._closing_totals(number, at.mark)
        total = change.total_fen
        if total not in possible:
            expected = " or ".join(yuan(one) for one in sorted(possible))
            self._differs(change, f"total of {at.mark.year} at its close", expected, yuan(total))
            total = max(possible)
        before = self._previous[change.id]
        floor = max(date(at.mark.year + 1, 1, 1), before.effective_on if before else date.min)
        ended = change.event["reason"] == "agreement_ended"
        if change.effective_on < floor or (change.effective_on > floor and not ended):
            self._differs(change, "effective_on", floor, change.effective_on)
        if not same_millisecond(change.decided_at, at.mark.closed_at):
            self._differs(change, "decided_at", at.mark.closed_at.isoformat(), change.decided_at.isoformat())
        if ended:
            if change.event["to_tier"] != NONE:
                self._differs(change, "to_tier", NONE, change.event["to_tier"])
            return
        justified = {
            max(version.level(total, group), level)
            for group in self._groups
            for level in at.later.get((number, group), {0})
        }
        if version.number(change.event["to_tier"]) not in justified:
            names = " or ".join(version.code(level) for level in sorted(justified))
            self._differs(change, "tier justified at the close", names, change.event["to_tier"])

    # -- the end ----------------------------------------------------------------------------------------------------

    def differences(self) -> list[Difference]:
        for at in self._closes[self._next_close :]:
            if not at.later:
                self._reach(at)
        for change in self._pages.changes:
            reason = change.event.get("reason")
            provable: tuple[str, ...] = (*_BY_BOOKING, "agreement_signed", "granted")
            if change.event.get("to_tier") != NONE:
                provable = (*provable, "merged")
            if reason in _BY_CLOSE and "total" in change.event and not list(event_differences(change)):
                self._closed(change)
            elif reason in provable and change.id not in self._checked:
                self._unmet(change)
        for scheme in sorted({version.scheme for version in self._rules.schemes} | self._by_scheme.keys()):
            self._standing(scheme)
        return self._found

    def _unmet(self, change: Change) -> None:
        if any(one.where == change.id for one in self._found):
            return  # What is wrong with it has been said.
        if change.event["reason"] in _BY_BOOKING:
            cause = change.event["caused_by"]
            self._differs(change, "booking that caused it", f"{cause}", "not booked for this customer")
        else:
            self._differs(
                change,
                f"total of {change.event['period']}",
                "one that stood at some moment",
                yuan(change.total_fen),
            )

    def _standing(self, scheme: str) -> None:
        chain = self._by_scheme.get(scheme, [])
        standing = self._pages.standings.get(scheme, Standing(scheme))
        number = max(
            (n for n, version in enumerate(self._rules.schemes) if version.scheme == scheme), default=None
        )
        if number is None:
            return
        version = self._rules.schemes[number]
        where = f"{self._pages.name}|{scheme}"
        self._found += standing_differences(where, standing, chain[-1] if chain else None, version)
        account = self._pages.account
        if account is None:
            self._found.append(Difference(CHECK, where, "account", "registered", "none"))
            return
        if account.merged_into is not None:
            if standing.tier:
                held = version.code(standing.tier)
                self._found.append(Difference(CHECK, where, "tier of a merged customer", NONE, held))
            return
        agreed = covers(account.agreements, version)
        if agreed != (standing.signed_on is not None):
            self._found.append(
                Difference(CHECK, where, "agreement in force", _whether(agreed), _whether(not agreed))
            )
        self._bounds(where, number, standing, chain)

    def _bounds(self, where: str, number: int, standing: Standing, chain: Sequence[Change]) -> None:
        """What is held lies between what the open years justify now and the most they justified since the close."""
        version = self._rules.schemes[number]
        last = self._rules.marks[-1].year if self._rules.marks else None
        by_hand = standing.granted or any(change.event.get("reason") in _BY_HAND for change in chain)
        behind = last is not None and standing.tier > 0 and standing.closed_through < last
        if by_hand:
            return
        if behind:
            if not self._rules.closing:
                self._found.append(
                    Difference(CHECK, where, "closed through", str(last), str(standing.closed_through))
                )
            return
        if standing.signed_on is not None or not version.needs_agreement:
            least = max(
                (
                    version.lowest(fen, self._groups)
                    for year, fen in self._totals[number].items()
                    if last is None or year >= last
                ),
                default=0,
            )
            if standing.tier < least:
                self._found.append(
                    Difference(
                        CHECK, where, "tier justified now", version.code(least), version.code(standing.tier)
                    )
                )
        most = self._peaks[number]
        if last is not None:
            at_close = max(self._closing_totals(number, self._rules.marks[-1]))
            most = max(most, version.highest(at_close, self._groups))
        if standing.tier > most:
            self._found.append(
                Difference(
                    CHECK, where, "tier ever justified", version.code(most), version.code(standing.tier)
                )
            )


def side_of(mark: CloseMark, seq: int, booked_at: datetime) -> int:
    """Where a booking stands to a close: -1 before it, 1 after it, 0 when that cannot be known."""
    if seq <= mark.after_seq:
        return -1
    if mark.before_seq is not None and seq >= mark.before_seq:
        return 1
    if booked_at < mark.closed_at - UNIT_OF_WORK_MAX:
        return -1
    if mark.finished_at is not None and booked_at > mark.finished_at:
        return 1
    return 0


def side_of_merge(mark: CloseMark, seq: int) -> int:
    """Where a merge behind a booking stands to a close: -1 before it, 1 after it, 0 when that cannot be known."""
    if seq < mark.after_seq:
        return -1
    return 1 if mark.before_seq is not None and seq >= mark.before_seq else 0


def covers(agreements: Iterable[Mapping[str, Any]], version: SchemeVersion) -> bool:
    """Whether an agreement in force covers any of the scheme's lines; one without lines covers all (TIE-8)."""
    return any(
        one["in_force"] and (not one["lines"] or not version.lines.isdisjoint(one["lines"]))
        for one in agreements
    )


def _whether(in_force: bool) -> str:
    return "yes" if in_force else "no"
