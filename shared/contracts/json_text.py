"""JSON as messages may carry it: RFC 8259 in UTF-8, no byte order mark, no NaN, at most 64 levels, no name twice in one object
(which of two amounts would be meant?). A number beyond the range of a double is a number, and breaks the rule of its field.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import orjson

from shared.contracts.fields import Unreadable

DEPTH_MAX: Final = 64
"""Levels of nesting that are read; none of our messages has more than four."""


def decode_json(value: bytes | None) -> Any:
    """The JSON document in `value`. Raises `Unreadable` with `not_json` or `bad_encoding`.

    The fast parser keeps the last of two equal names silently. They are found by counting quotation marks: a
    document has two for each name and each string, and more only where something was overwritten or a mark
    was escaped.
    """
    if value is None:
        raise Unreadable("not_json", "there is no value")
    try:
        document = orjson.loads(value)
        if value.count(b'"') == 2 * _strings(document, DEPTH_MAX):
            return document
    except orjson.JSONDecodeError:
        pass
    return _decode_carefully(value)


def _strings(document: Any, room: int) -> int:
    """How many names and strings a document holds. Raises `Unreadable` when it has more than `room`
    levels.
    """
    kind = type(document)
    if kind is str:
        return 1
    if kind is dict:
        found = len(document)
        members = document.values()
    elif kind is list:
        found = 0
        members = document
    else:
        return 0
    if room == 0:
        raise Unreadable("not_json", f"the value has more than {DEPTH_MAX} levels")
    kinds = list(map(type, members))
    found += kinds.count(str)
    # Transactions are flat, and counting types at once is half the price of looking at each member.
    if dict in kinds or list in kinds:
        for member in members:
            if type(member) is dict or type(member) is list:
                found += _strings(member, room - 1)
    return found


def _decode_carefully(value: bytes) -> Any:
    if value[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in value[:2]:
        raise Unreadable("bad_encoding", "the value is UTF-16 or UTF-32, not UTF-8")
    try:
        content = value.decode()
    except UnicodeDecodeError:
        raise Unreadable("bad_encoding", "the value is not UTF-8") from None
    try:
        document = json.loads(
            content, object_pairs_hook=_unambiguous, parse_constant=_refuse_constant, parse_int=_integer
        )
    except RecursionError:
        raise Unreadable("not_json", f"the value has more than {DEPTH_MAX} levels") from None
    except json.JSONDecodeError as fault:
        raise Unreadable("not_json", f"the value is not JSON: {fault.msg} at character {fault.pos}") from None
    _strings(document, DEPTH_MAX)
    return document


def _unambiguous(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise Unreadable("not_json", "a name is given twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable("not_json", f"{name} is not JSON")


def _integer(digits: str) -> int | float:
    # An integer of thousands of digits takes quadratic time to read; no field here takes one beyond 64 bits.
    return int(digits) if len(digits) <= 32 else float(digits)
