"""Which column of a table holds which field, told by its heading.

A field has headings in an order of strength: its own name, then the words that people use for it, the surest first. Where
two columns fit one field, the stronger heading has it and the other column is not read, with a notice. A heading may carry
a hint or the unit in brackets (金额（元）), may be full width, and may be written with other blanks and capitals. A unit that
is not that of the field (万元) is another heading altogether.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Columns = Mapping[str, Sequence[str]]
"""The headings of each field besides its own name, the strongest first."""

_HINT: Final = re.compile(r"[(\[【<][^()\[\]【】<>]*[)\]】>]")
_MARKS: Final = re.compile(r"[\s_\-()\[\]【】<>*:、.\u200b\u200e\u200f\u2060\ufeff]+")
_OTHER_UNITS: Final = re.compile(r"[百千万亿角分]元?|美元|港元|usd|hkd|cent.*|fen|.*thousand.*|.*million.*")
_ROW_NUMBERS: Final = frozenset(
    ("序号", "序", "编号", "行号", "项次", "no", "no.", "nr", "#", "号", "rownumber", "serial")
)


@dataclass(frozen=True, slots=True)
class Headings:
    """What the first row of a table says."""

    places: Mapping[str, int]
    passed_over: tuple[tuple[str, str, str], ...] = ()
    """Columns that are not read because a stronger heading has their field: heading, field, the stronger heading."""
    doubled: tuple[str, ...] = ()
    """Headings that stand twice for one field, so that nobody can say which is meant."""

    def lacking(self, required: Sequence[str]) -> list[str]:
        return [name for name in required if name not in self.places]


def read_headings(header: Sequence[str], columns: Columns) -> Headings:
    """The place of each field whose heading is known."""
    ranks = {
        _bare(heading): (name, rank)
        for name, headings in columns.items()
        for rank, heading in reversed(tuple(enumerate((name, *headings))))
    }
    found: dict[str, list[tuple[int, int]]] = {}
    for place, heading in enumerate(header):
        known = ranks.get(_bare(heading)) or ranks.get(_bare(_without_hint(heading)))
        if known is not None:
            found.setdefault(known[0], []).append((known[1], place))
    places: dict[str, int] = {}
    passed_over: list[tuple[str, str, str]] = []
    doubled: list[str] = []
    for name, candidates in found.items():
        best, *others = sorted(candidates)
        places[name] = best[1]
        for rank, place in others:
            if rank == best[0]:
                doubled.append(header[place].strip())
            else:
                passed_over.append((header[place].strip(), name, header[best[1]].strip()))
    return Headings(places, tuple(passed_over), tuple(doubled))


def row_numbers(header: Sequence[str]) -> list[str]:
    """The headings that number the rows of a table. Such a number is nobody's identity: the next table has it again."""
    return [heading.strip() for heading in header if _bare(heading) in _ROW_NUMBERS or heading.strip() == "#"]


def _folded(heading: str) -> str:
    return unicodedata.normalize("NFKC", heading).casefold()


def _bare(heading: str) -> str:
    return _MARKS.sub("", _folded(heading))


def _without_hint(heading: str) -> str:
    text = _folded(heading)
    hints = [hint[1:-1].strip() for hint in _HINT.findall(text)]
    return text if any(_OTHER_UNITS.fullmatch(hint) for hint in hints) else _HINT.sub("", text)
