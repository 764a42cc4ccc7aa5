"""The small rules that fields of every message share: text, instants, dates, figures; and how a broken rule
is said.

Each rule exists once, as a plain function that raises `Unreadable`. The fast reader of counter transactions
calls the functions directly, the pydantic models of the other messages use the annotated types at the end of
this module. Details name the field and its rule, never the value: values may be personal data.

Every date and every instant lies between 1901-01-01 and 2199-12-31 in Asia/Shanghai (`shared.kernel.days`),
so that whatever is accepted can be booked, closed, told and stored. The published schemas keep their patterns;
the range is stated in words, because a pattern made narrower would be a new version.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo, WithJsonSchema

from shared.kernel.days import FIRST_DAY, LAST_DAY, SHANGHAI, day_of, within_range
from shared.money import AMOUNT_PATTERN, format_yuan, parse_printed_yuan, parse_yuan

Reason = Literal[
    "not_json",
    "not_cloudevent",
    "wrong_type",
    "missing_field",
    "bad_field",
    "oversized",
    "bad_encoding",
    "internal_error",
]
"""Why a message goes to the dead letters; `internal_error` is given by the consumer, never by a reader."""

BIGINT_MAX: Final = 2**63 - 1
IDENTITY_LENGTH_MAX: Final = 255
"""Characters of an event's `id` and of its `source`, and of every evidence field."""
CODE_LENGTH_MAX: Final = 32
"""Characters of a customer code and of a counter id."""


class Invalid(NamedTuple):
    """A message that cannot be understood: a stable reason and a sentence for people, without any value in
    it.
    """

    reason: Reason
    detail: str


class Unreadable(ValueError):
    """A rule of the envelope or of a field is broken."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail

    def invalid(self) -> Invalid:
        return Invalid(self.reason, self.detail)


def text(value: object, name: str, length_max: int) -> str:
    """A string of 1 to `length_max` characters in NFC, without control characters."""
    if type(value) is str and value.isascii() and value.isprintable() and 0 < len(value) <= length_max:
        return value  # The common case; what follows says what is wrong, or normalises.
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not a string")
    if not value.isascii():
        value = _normal(value, name, length_max)
    if not 1 <= len(value) <= length_max:
        raise Unreadable("bad_field", f"{name} has not 1 to {length_max} characters")
    if not value.isprintable() and any(unicodedata.category(character) == "Cc" for character in value):
        raise Unreadable("bad_field", f"{name} contains a control character")
    return value


def code(value: object, name: str) -> str:
    """A string of 1 to 32 printable characters in NFC: no control, format or private-use characters, no odd
    spaces.
    """
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not a string")
    if not value.isascii():
        value = _normal(value, name, CODE_LENGTH_MAX)
    if not 1 <= len(value) <= CODE_LENGTH_MAX or not value.isprintable():
        raise Unreadable("bad_field", f"{name} has not 1 to {CODE_LENGTH_MAX} printable characters")
    return value


def evidence(value: object, name: str) -> str | None:
    """Optional text that proves nothing by itself; the empty string says as little as null does."""
    if value is None or value == "":
        return None
    return text(value, name, IDENTITY_LENGTH_MAX)


def count(value: object, name: str) -> int:
    """An integer from 0 to the largest that a bigint holds; `1.0` and `true` are none."""
    if type(value) is not int:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not an integer")
    if not 0 <= value <= BIGINT_MAX:
        raise Unreadable("bad_field", f"{name} is negative or too large")
    return value


def amount(value: object, name: str) -> int:
    """Fen of an amount in yuan, zero allowed."""
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not a decimal string")
    try:
        return parse_yuan(value)
    except ValueError:
        raise Unreadable("bad_field", f"{name} is not of the form {AMOUNT_PATTERN}") from None


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:([0-9]{2})(?:\.[0-9]{1,30})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_INSTANT_LENGTH_MAX: Final = 60
_LEAP_SECONDS: Final = {(6, 30), (12, 31)}
_FIXED_OFFSET_SINCE: Final = 1992
"""From this year on Shanghai has kept +08:00; before, it had summer time and, long ago, local mean time."""
RANGE: Final = f"{FIRST_DAY.isoformat()} to {LAST_DAY.isoformat()}"
"""The days that may be named, in words."""


def day(value: object, name: str) -> date:
    """A calendar date in the form `2026-01-15`, no other form of ISO 8601, within the range."""
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not a date")
    if len(value) != 10:
        raise Unreadable("bad_field", f"{name} is not a date of the form 2026-01-15")
    try:
        found, possible = _day(value)
    except ValueError:
        raise Unreadable("bad_field", f"{name} is not a date of the form 2026-01-15") from None
    if not possible:
        raise outside(name)
    return found


@lru_cache(maxsize=8192)
def _day(value: str) -> tuple[date, bool]:
    """The date, and whether it lies within the range."""
    if _DATE.fullmatch(value) is None:
        raise ValueError(value)
    found = date.fromisoformat(value)
    return found, within_range(found)


def instant(value: object, name: str) -> datetime:
    """An RFC 3339 instant, which always has an offset, in UTC, on a day within the range; digits beyond the
    microsecond are cut off.

    `23:59:60` UTC on 30 June or 31 December is the leap second that the RFC allows, and reads as the second
    after it, as PostgreSQL reads it; any other second 60 and hour 24 are no time of the day.
    """
    return instant_and_business_date(value, name)[0]


def instant_and_business_date(value: object, name: str) -> tuple[datetime, date]:
    """The instant in UTC together with its date in Asia/Shanghai."""
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not an instant")
    form = _INSTANT.fullmatch(value) if len(value) <= _INSTANT_LENGTH_MAX else None
    if form is None:
        raise Unreadable("bad_field", f"{name} is not an RFC 3339 instant with its offset")
    try:
        if form[1] == "60":
            moment = _leap_second(value, form.start(1))
        else:
            local = datetime.fromisoformat(value.upper())
            if _FIXED_OFFSET_SINCE <= local.year <= LAST_DAY.year and value.endswith("+08:00"):
                return local.astimezone(UTC), local.date()
            moment = local.astimezone(UTC)
        business_day = day_of(moment)
    except (ValueError, OverflowError):
        raise Unreadable("bad_field", f"{name} is not an instant of the calendar") from None
    if not within_range(business_day):
        raise outside(name)
    return moment, business_day


def _leap_second(value: str, seconds_at: int) -> datetime:
    whole = f"{value[:seconds_at]}59{value[seconds_at + 2 :]}".upper()
    last = datetime.fromisoformat(whole).astimezone(UTC)
    if (last.month, last.day) not in _LEAP_SECONDS or (last.hour, last.minute) != (23, 59):
        raise ValueError("no leap second was ever inserted at this instant")
    return last + timedelta(seconds=1)


def missing(name: str) -> Unreadable:
    return Unreadable("missing_field", f"{name} is missing")


def outside(name: str) -> Unreadable:
    return Unreadable("bad_field", f"{name} lies outside {RANGE}")


def _normal(value: str, name: str, length_max: int) -> str:
    # The length is bounded first, so that a hostile string of a quarter of a megabyte is not normalised for
    # nothing.
    if len(value) > 4 * length_max:
        raise Unreadable("bad_field", f"{name} has more than {length_max} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable("bad_encoding", f"{name} contains half of a surrogate pair") from None
    return unicodedata.normalize("NFC", value)


def printed_instant(moment: datetime) -> str:
    """An instant as this system prints it: in Asia/Shanghai, to the millisecond,
    `2026-03-09T10:11:12.345+08:00`.
    """
    return moment.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


# --- The same rules as types of pydantic fields -------------------------------------------------------------


def _read(rule: Any, *rest: Any) -> BeforeValidator:
    """Runs a rule on what arrives; the field's own name is put in front by whoever reports the error."""
    return BeforeValidator(lambda value: rule(value, "the value", *rest))


def _figure(value: object, info: ValidationInfo) -> int:
    if type(value) is int and info.mode == "python":
        return value
    if type(value) is not str:
        raise (
            missing("the value")
            if value is None
            else Unreadable("bad_field", "the value is not a decimal string")
        )
    return parse_printed_yuan(value)


def _amount_or_fen(value: object, info: ValidationInfo) -> int:
    # Our own code builds messages from fen; a number that arrives as JSON is no amount, whatever its unit was
    # meant to be.
    return value if type(value) is int and info.mode == "python" else amount(value, "the value")


def _instant_or_datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Unreadable("bad_field", "the value has no offset")
        if not FIRST_DAY.year < value.year < LAST_DAY.year and not _within_range(value):
            raise outside("the value")
        return value
    return instant(value, "the value")


def _within_range(moment: datetime) -> bool:
    try:
        return within_range(day_of(moment))
    except OverflowError:
        return False


def _day_or_date(value: object) -> date:
    if type(value) is not date:
        return day(value, "the value")
    if not within_range(value):
        raise outside("the value")
    return value


NO_CONTROL: Final = r"^[^\u0000-\u001f\u007f-\u009f]+$"

Code = Annotated[
    str,
    _read(code),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": CODE_LENGTH_MAX, "pattern": NO_CONTROL}),
]
"""A customer code or another short code: 1-32 printable characters, NFC."""

Text = Annotated[
    str,
    _read(text, IDENTITY_LENGTH_MAX),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": IDENTITY_LENGTH_MAX, "pattern": NO_CONTROL}
    ),
]
"""Text of 1-255 characters, NFC, without control characters: ids, sources, names."""

Count = Annotated[int, _read(count), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": BIGINT_MAX})]

Amount = Annotated[
    int,
    BeforeValidator(_amount_or_fen),
    PlainSerializer(format_yuan, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"}),
]
"""Fen inside, yuan as a decimal string outside; zero allowed, never negative."""

Figure = Annotated[
    int,
    BeforeValidator(_figure),
    PlainSerializer(format_yuan, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,18}\.[0-9]{2}$"}),
]
"""A total: fen inside, yuan with exactly two decimals outside, perhaps negative."""

Day = Annotated[
    date,
    BeforeValidator(_day_or_date),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DATE.pattern}$"}),
]

Instant = Annotated[
    datetime,
    BeforeValidator(_instant_or_datetime),
    PlainSerializer(printed_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_INSTANT.pattern}$"}),
]
"""An aware instant, printed with the offset of Asia/Shanghai and milliseconds."""


class Part(BaseModel):
    """A value inside a message: frozen, strict (nothing is coerced), unknown fields ignored.

    Figures have their unit in the Python name and the published name as alias (`total_fen` is `total`
    outside).
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", populate_by_name=True, serialize_by_alias=True
    )
