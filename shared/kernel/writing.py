"""Days, instants, amounts, counts and lines as people and spreadsheets write them.

Form is not value: `2026/1/5 0:00`, `2026年1月5日` and `20260105` are one day, `￥1,234.50` and `1234.5` one amount. What could
mean two things is none: a day in another order, separators in the wrong places, a sum with a third decimal. Files, forms and
commands read by these functions; on the wire the narrower forms of the contracts hold.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Final

from shared.kernel.days import SHANGHAI, within_range
from shared.kernel.lines import LINES, Line

FOREVER: Final = date(9999, 12, 31)
"""How spreadsheets and databases write "without an end". It is no day that anything can happen on."""

_DAY: Final = (
    r"(?P<year>[0-9]{4})(?:(?P<mark>[-/.年])(?P<month>[0-9]{1,2})(?:(?P=mark)|(?<=[0-9])月)(?P<day>[0-9]{1,2})日?"
    r"|(?P<mm>[0-9]{2})(?P<dd>[0-9]{2}))"
)
_TIME: Final = (
    r"(?P<hour>[0-9]{1,2})(?:[:时点](?P<minute>[0-9]{1,2})"
    r"(?:[:分](?P<second>[0-9]{1,2})(?P<part>\.[0-9]{1,9})?秒?|分)?|时)"
)
_OFFSET: Final = r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<ahead>[0-9]{2}):?(?P<rest>[0-9]{2}))"
_WRITTEN: Final = re.compile(rf"{_DAY}(?:(?:[Tt]| *){_TIME} ?{_OFFSET}?)?", re.ASCII)

_GROUPED: Final = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_AMOUNT: Final = re.compile(
    rf"(?:CNY|RMB|¥)? *(?P<yuan>{_GROUPED})(?:\.(?P<decimals>[0-9]+))? *元?", re.IGNORECASE
)
_WHOLE: Final = re.compile(rf"(?P<whole>{_GROUPED})(?:\.0+)?")
_YUAN_DIGITS: Final = 10
_SHOWN: Final = Context(prec=15)
"""A spreadsheet keeps a number in binary and shows fifteen digits of it: 1234.3 may be stored as 1234.3000000000002."""
_WHOLE_DIGITS: Final = 18

LINE_WORDS: Final[Mapping[str, Line]] = {
    **{line: line for line in LINES},
    "函件": "letters", "物流": "logistics", "速递": "express", "特快": "express", "速递(特快)": "express",
    "包裹": "parcels", "包件": "parcels", "包裹(包件)": "parcels", "报刊": "press", "金融": "finance",
    "信息": "information", "集邮": "philately",
}  # fmt: skip
"""The glossary's words for each line."""


def folded(text: str) -> str:
    """Without the accidents of typing: full-width characters, invisible marks, blanks at the ends."""
    return unicodedata.normalize("NFKC", text).strip(" \t\r\n\u200b\u200e\u200f\u2060\ufeff")


def read_day(text: str) -> date | None:
    """A calendar day, or None where it is none. A time of day after it is passed over; one with an offset could mean
    another day here, and is refused. Whether the day lies in the stated range is for the caller to ask."""
    form = _WRITTEN.fullmatch(folded(text))
    if form is None or form["offset"] is not None or _time(form) is None:
        return None
    return _day(form)


def read_instant(text: str) -> datetime | None:
    """An aware instant, or None. A spreadsheet has no offsets: a time without one is that of Shanghai, and a day alone is
    its beginning."""
    form = _WRITTEN.fullmatch(folded(text))
    if form is None:
        return None
    day, at = _day(form), _time(form)
    if day is None or at is None or not within_range(day):
        return None
    if form["offset"] is None:
        return datetime.combine(day, at, SHANGHAI)
    if form["sign"] is None:
        return datetime.combine(day, at, UTC)
    ahead = timedelta(hours=int(form["ahead"]), minutes=int(form["rest"]))
    if ahead >= timedelta(hours=24):
        return None
    return datetime.combine(day, at, timezone(-ahead if form["sign"] == "-" else ahead))


def _day(form: re.Match[str]) -> date | None:
    try:
        return date(int(form["year"]), int(form["month"] or form["mm"]), int(form["day"] or form["dd"]))
    except ValueError:
        return None


def _time(form: re.Match[str]) -> time | None:
    if form["hour"] is None:
        return time()
    part = int(round(float(form["part"] or 0), 6) * 1_000_000)
    try:
        return time(int(form["hour"]), int(form["minute"] or 0), int(form["second"] or 0), min(part, 999_999))
    except ValueError:
        return None


def read_yuan(text: str) -> int | None:
    """Fen of an amount without a sign, or None: at most ten digits and two decimals of yuan, with a currency sign and
    with thousands separators where they belong."""
    form = _AMOUNT.fullmatch(folded(text))
    if form is None:
        return None
    yuan = Decimal(f"{form['yuan'].replace(',', '')}.{form['decimals'] or '0'}")
    if len(form["decimals"] or "") > 2:
        # Only a figure of more digits than a spreadsheet shows is the remains of a binary one; 1.005 was written so.
        yuan = yuan if len(yuan.normalize().as_tuple().digits) <= _SHOWN.prec else _SHOWN.plus(yuan)
    fen = yuan * 100
    if fen != fen.to_integral_value() or yuan >= 10**_YUAN_DIGITS:
        return None
    return int(fen)


def read_count(text: str) -> int | None:
    """A whole number of things, or None; `41.0` is one, `4.5` is none."""
    form = _WHOLE.fullmatch(folded(text))
    if form is None or len(digits := form["whole"].replace(",", "")) > _WHOLE_DIGITS:
        return None
    return int(digits)


def read_line(text: str) -> Line | None:
    """The line of business that a word means, or None."""
    return LINE_WORDS.get(folded(text).casefold())
