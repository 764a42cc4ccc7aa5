"""A made-up input of the same shape as the real one, so that the proof never skips, aimed at the boundaries.

Every customer has a course for each year: a list of totals that its bookings reach one after the other, among them
each threshold, a fen less and a fen more. Half of what is late is booked behind the close of its year.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from tests.support.model import LINES, SHANGHAI, Transaction
from tests.support.streams import Chunk, Dice, Scenario, Weaver, code_of, plain

START = datetime(2023, 1, 15, 9, 0, tzinfo=SHANGHAI)
YEARS = (2018, 2019, 2020, 2021, 2022)
CLOSED_BY_HAND = 2020
CITY_THRESHOLDS = (10_000_00, 50_000_00, 200_000_00, 1_000_000_00)
LETTERS_THRESHOLDS = (8_000_00, 9_000_00, 10_000_00, 200_000_00, 2_000_000_00, 5_000_000_00)


def build(seed: int = 1, size: int = 6_000, merges: int = 0, years: tuple[int, ...] = YEARS) -> Scenario:
    """About `size` plain transactions of `size` / 50 customers over the years, before mischief is added; `merges` at most
    at each of some thirty places."""
    dice = Dice(seed)
    customers = max(10, size // 50)
    a_year = max(4, size // customers // len(years))
    codes = [code_of(number, dice) for number in range(customers)]
    arrivals: dict[int, list[tuple[int, Transaction]]] = defaultdict(list)
    number = 0
    for index, code in enumerate(codes):
        # Out of step with what the weaver does to every twentieth customer, but for those whose agreement of long ago
        # comes late: their years go up, down and up again, and the last rise is to date the change.
        kind = 3 if index % 20 == 16 else index // 3 % 10
        for year_index, year in enumerate(years):
            course = _course(kind, year_index, a_year, dice)
            days = sorted(dice.roll(365) for _ in course)
            total = 0
            for reached, day in zip(course, days, strict=True):
                amount, total = reached - total, reached
                on = date(year, 1, 1) + timedelta(days=day)
                line = "letters" if kind in (1, 5) else dice.pick((*LINES, "letters", "letters"))
                number += 1
                identity = (f"/counters/3205{index % 3:02d}", f"g-{number:05d}")
                chunk = _chunk(kind, year_index, on, reached == course[-1], dice)
                jitter = day + dice.roll(6)
                arrivals[chunk].append((jitter, plain(identity, code, line, amount, on, dice)))
    chunks = []
    for chunk in range(max(arrivals) + 1):
        ordered = tuple(sent for _, sent in sorted(arrivals[chunk], key=lambda pair: pair[0]))
        year = years[0] + chunk // 2
        chunks.append(Chunk(ordered, year if chunk % 2 and year <= CLOSED_BY_HAND else None))
    return Weaver(codes, START, dice, merges).weave(chunks)


def _course(kind: int, year_index: int, length: int, dice: Dice) -> list[int]:
    """The totals of one customer's year, one after the other, as fen; never the same twice in a row."""
    thresholds = LETTERS_THRESHOLDS if kind in (1, 5) else CITY_THRESHOLDS
    points: list[int]
    match kind:
        case 0 | 1:  # Just below, at and just above every threshold up to one that differs by year.
            top = 1 + (year_index * 3 + dice.roll(2)) % len(thresholds)
            points = [threshold + off for threshold in thresholds[:top] for off in (-1, 0, 1)]
        case 2:  # Levels are skipped, one year high and the next low.
            points = [dice.pick(thresholds) + dice.roll(3) - 1]
        case 3:  # Up, just under again, and back to it.
            threshold = dice.pick(thresholds)
            points = [threshold, threshold - 1, threshold, threshold - 1]
        case 4:  # Down a level each year, by a hair.
            level = len(thresholds) - 1 - year_index
            points = [thresholds[level] - dice.roll(2)] if level >= 0 else [1]
        case 5 | 6:  # A fen is missing until what is late has come.
            threshold = dice.pick(thresholds)
            points = [threshold - 1, threshold + dice.roll(2)]
        case 7:  # Ends below nothing.
            points = [dice.pick(thresholds), -1 - dice.roll(5_000_00)]
        case _:
            points = [1 + dice.roll(dice.pick(thresholds) * 2)]
    first = max(2, points[0])
    filling = sorted({1 + dice.roll(first) for _ in range(length - len(points))} - {first})
    course: list[int] = []
    for point in [*filling, *points]:
        if point != (course[-1] if course else 0):
            course.append(point)
    return course


def _chunk(kind: int, year_index: int, on: date, is_last: bool, dice: Dice) -> int:
    """The chunk in which a transaction arrives: that of its half-year, or a later one when it is late."""
    chunk = year_index * 2 + (1 if on.month >= 9 else 0)
    if is_last and kind in (5, 6):
        return year_index * 2 + 2 + (2 if kind == 6 and dice.per_mille(300) else 0)
    return chunk + (dice.roll(4) if dice.per_mille(40) else 0)
