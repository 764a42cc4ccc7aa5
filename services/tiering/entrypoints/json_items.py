"""A JSON array taken apart into the bytes of its items, so that each can be read and judged by itself.

Parsing the array as a whole would settle beforehand what the reader of events decides: which of two equal names counts,
how deep a value may be nested, what half a surrogate pair is. Only strings, brackets and commas are looked at here;
whether an item is JSON is asked when it is read.
"""

from __future__ import annotations

import re

_MARKS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},"]', re.DOTALL)
_SPACE = b" \t\r\n"


class NoArrayError(ValueError):
    """The bytes are not a JSON array."""


def items_of(body: bytes) -> list[bytes]:
    """The items of an array. Raises `NoArrayError`."""
    content = body.strip(_SPACE)
    if not content.startswith(b"["):
        raise NoArrayError("there is no array")
    items: list[bytes] = []
    depth = 0
    begin = end = 1
    for mark in _MARKS.finditer(content):
        token = mark.group()
        if token in (b"[", b"{"):
            depth += 1
        elif token in (b"]", b"}"):
            depth -= 1
        elif token == b'"':
            raise NoArrayError("a string does not end")
        elif token != b"," or depth > 1:
            continue
        if depth == 0 or (token == b"," and depth == 1):
            items.append(content[begin : mark.start()].strip(_SPACE))
            begin = end = mark.end()
            if depth == 0:
                break
    if depth != 0 or end != len(content) or content[end - 1 :] != b"]":
        raise NoArrayError("the brackets do not match")
    if items == [b""]:
        return []
    if b"" in items:
        raise NoArrayError("an item is missing")
    return items
