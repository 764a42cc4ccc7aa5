"""Lists in pages: a cursor that says where the next page begins, and nothing else.

A cursor is the sort key of the last row, bound to the list and its filters. It gives no right to anything: every page is
read under the caller's own scope.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import orjson
from fastapi import Query

from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 500

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class BadCursor(Refusal):
    """A cursor that this list did not give under these filters."""

    code: ClassVar[str] = "bad_cursor"
    kind: ClassVar[Kind] = "malformed"


class Listing:
    """One list under one set of filters: makes its cursors and reads them back."""

    def __init__(self, name: str, filters: Mapping[str, Any]) -> None:
        asked = orjson.dumps([name, sorted((key, str(value)) for key, value in filters.items())])
        self._belongs = hashlib.sha256(asked).hexdigest()[:16]

    def cursor(self, key: Key) -> str:
        """The cursor of what follows the row with this sort key."""
        return base64.urlsafe_b64encode(orjson.dumps([self._belongs, *key])).decode().rstrip("=")

    def after(self, cursor: str | None, first: Key) -> Key:
        """The sort key after which the page begins: `first` without a cursor, whose types a cursor must have.

        Raises the problem 400 `bad_cursor` for one that this list did not give under these filters.
        """
        if cursor is None:
            return first
        try:
            content = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            belongs, *key = content
        except (ValueError, TypeError):
            raise bad_cursor() from None
        fits = belongs == self._belongs and [type(part) for part in key] == [type(part) for part in first]
        if not fits or not all(_storable(part) for part in key):
            raise bad_cursor()
        return tuple(key)

    def page(
        self, rows: Sequence[Any], limit: int, key_of: Callable[[Any], Key]
    ) -> tuple[list[Any], str | None]:
        """The rows of this page and the cursor of the next one, out of up to `limit` + 1 rows that were read."""
        shown = list(rows[:limit])
        return shown, self.cursor(key_of(shown[-1])) if len(rows) > limit else None


def _storable(part: str | int) -> bool:
    """Whether the database takes it as a parameter: text without NUL, an integer of eight bytes."""
    return "\x00" not in part if isinstance(part, str) else -(2**63) <= part < 2**63


def bad_cursor() -> Problem:
    """The problem of a cursor that this list did not give under these filters."""
    return Problem(BadCursor())
