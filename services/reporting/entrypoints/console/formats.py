"""How figures, days and instants are written: money with separators and two decimals, time in Asia/Shanghai."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup, escape

from shared.clock import SHANGHAI
from shared.texts import Language

NO_FIGURE: Final = "–"
_WAN_FROM_FEN: Final = 1_000_000 * 100
"""From a million yuan on a large figure is told in 万元 or millions; below it every yuan counts."""


def yuan(fen: int | Decimal | None) -> str:
    """Fen as yuan with separators: `-123456789` is `-1,234,567.89`; None, for no data, is a dash and never zero."""
    if fen is None:
        return NO_FIGURE
    whole, rest = divmod(abs(int(fen)), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"


def fen_of(text: object) -> int:
    """Fen of a decimal string; 0 for what is none."""
    try:
        return int(Decimal(str(text)) * 100)
    except (ArithmeticError, ValueError):
        return 0


def yuan_text(text: str | None) -> str:
    """The same of a decimal string such as services send."""
    if text is None:
        return NO_FIGURE
    try:
        return yuan(int(Decimal(text) * 100))
    except (ArithmeticError, ValueError):
        return text


def large(fen: int | None, language: Language) -> tuple[str, str]:
    """A figure for a tile and its unit, short enough to be read at a glance."""
    if fen is None:
        return NO_FIGURE, ""
    if abs(fen) < _WAN_FROM_FEN:
        return f"{_rounded(fen, 100):,}", "元" if language != "en" else "yuan"
    if language != "en":
        if abs(fen) >= 10_000_000_000 * 100:
            return f"{fen / 10_000_000_000:,.2f}", "亿元"
        return f"{fen / 1_000_000:,.1f}", "万元"
    if abs(fen) >= 1_000_000_000 * 100:
        return f"{fen / 100_000_000_000:,.2f}", "bn yuan"
    return f"{fen / 100_000_000:,.2f}", "m yuan"


def _rounded(fen: int, unit: int) -> int:
    return int((Decimal(fen) / unit).quantize(Decimal(1)))


def count(number: int | None) -> str:
    return NO_FIGURE if number is None else f"{number:,}"


def percent(part: int, whole: int) -> str:
    return NO_FIGURE if whole == 0 else f"{100 * part / whole:.1f} %"


def moment(value: datetime | str | None) -> datetime | None:
    """An instant as it comes from the views or, as text, from a service."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) else None


def instant(value: datetime | str | None, *, seconds: bool = False) -> Markup:
    """An instant for people, with the exact one for machines."""
    at = moment(value)
    if at is None:
        return Markup(NO_FIGURE)  # noqa: S704 - a constant.
    local = at.astimezone(SHANGHAI)
    shown = f"{local:%Y-%m-%d %H:%M:%S}" if seconds else f"{local:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(), shown)


def day(value: date | str | None) -> Markup:
    if value is None or value == "":
        return Markup(NO_FIGURE)  # noqa: S704 - a constant.
    text = value.isoformat() if isinstance(value, date) else str(value)
    return Markup('<time datetime="{}">{}</time>').format(text, text)


def hours(value: float | int | None, language: Language) -> str:
    """Hours left or gone: `5 小时 30 分`, `5 h 30 m`, `48 小时`; days from three days on."""
    if value is None:
        return NO_FIGURE
    minutes = round(abs(value) * 60)
    whole, rest = divmod(minutes, 60)
    zh = language != "en"
    if whole >= 72:
        days, left = divmod(whole, 24)
        return _together((days, "天", "d"), (left, "小时", "h"), zh=zh)
    if whole == 0:
        return f"{rest} 分钟" if zh else f"{rest} min"
    return _together((whole, "小时", "h"), (rest, "分", "m"), zh=zh)


def _together(large: tuple[int, str, str], small: tuple[int, str, str], *, zh: bool) -> str:
    """Two units of time; what is exactly so many of the larger one says no more."""
    shown = [large] if small[0] == 0 else [large, small]
    return " ".join(f"{number} {name_zh if zh else name_en}" for number, name_zh, name_en in shown)


def until(value: datetime | str | None, now: datetime) -> float | None:
    """Hours from now to an instant, negative when it is past."""
    at = moment(value)
    return None if at is None else (at - now).total_seconds() / 3600


def share(part: Any, whole: Any) -> str:
    """The length of a bar out of 100, for an SVG; a little is never nothing."""
    if not whole or not part or part < 0:
        return "0"
    return f"{max(0.6, min(100.0, 100 * float(part) / float(whole))):.2f}"


def laid_out(text: str) -> str:
    """A message as people read it: JSON with a member a line, anything else as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def joined(parts: list[Any] | tuple[Any, ...], language: Language) -> str:
    return ("、" if language != "en" else ", ").join(str(part) for part in parts)


def highlighted(text: str, asked: str | None) -> Markup:
    """A name with the first of the words searched for marked, as far as it stands there letter for letter."""
    for word in (asked or "").split():
        at = text.lower().find(word.lower())
        if at >= 0:
            end = at + len(word)
            return Markup("{}<mark>{}</mark>{}").format(text[:at], text[at:end], text[end:])
    return escape(text)
