"""People and units by their names: what services tell are user names and unit codes, and nobody should have to read those.

Units are published inside and stand in a view of ours. People are the registry's: it tells a visitor the staff of the
visitor's own units. Somebody who is not among them is shown by the user name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.reporting.adapters.peers import Peers
from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.units import units
from services.reporting.entrypoints.console.visitor import Visitor
from shared.problems import Problem
from shared.texts import Language, say

KEPT_SECONDS: Final = 60.0
"""Names change seldom, and a page asks for them every time."""
MISSED_SECONDS: Final = 5.0
"""How long nobody asks again after the registry gave no answer."""
_PAGE: Final = 500
_PAGES_MAX: Final = 20
_VISITORS_MAX: Final = 500
_MACHINE: Final = "service:"

Pair = tuple[str, str]
"""A name in Chinese and in English."""


@dataclass(frozen=True, slots=True)
class Names:
    """What is known by name to one visitor."""

    people: Mapping[str, Pair] = field(default_factory=dict)
    units: Mapping[str, Pair] = field(default_factory=dict)

    def person(self, user: str | None, language: Language) -> str:
        """A user's name; a service is the system. The user name itself where it is not known."""
        if not user:
            return ""
        if user.startswith(_MACHINE):
            return say("frame.system", language)
        return self._of(self.people, user, language)

    def unit(self, code: str | None, language: Language) -> str:
        return self._of(self.units, code, language) if code else ""

    def unit_meant(self, typed: str | None) -> str | None:
        """The code of the unit that somebody typed, by its code or by its name in full or in part. What means no unit
        or several stays as it was typed."""
        asked = " ".join((typed or "").split())
        if not asked or asked in self.units:
            return asked or None
        exact = [code for code, names in self.units.items() if asked in names]
        partly = [
            code
            for code, names in self.units.items()
            if any(asked.casefold() in name.casefold() for name in names)
        ]
        for found in (exact, partly):
            if len(found) == 1:
                return found[0]
        # 昆山 begins the name of the county office and those of its outlets: the shortest is meant.
        begins = [
            code
            for code in partly
            if any(n.casefold().startswith(asked.casefold()) for n in self.units[code])
        ]
        return min(begins, key=lambda code: (len(self.units[code][0]), code)) if begins else asked

    @staticmethod
    def _of(names: Mapping[str, Pair], code: str, language: Language) -> str:
        found = names.get(code)
        return code if found is None else found[1 if language == "en" else 0] or code


@dataclass(slots=True)
class _Kept:
    names: Mapping[str, Pair]
    until: float


class Directory:
    """Asks for names and keeps them for a short while, each visitor's own."""

    def __init__(self, reads: Reads, peers: Peers) -> None:
        self._reads = reads
        self._peers = peers
        self._people: dict[str, _Kept] = {}
        self._units: dict[str, _Kept] = {}

    def forget(self) -> None:
        """Names are asked for anew."""
        self._people.clear()
        self._units.clear()

    async def names(self, who: Visitor) -> Names:
        people, units = await asyncio.gather(
            self._kept(self._people, who.principal.user, self._ask_people, who),
            self._kept(self._units, "", self._ask_units, who),
        )
        own = {who.principal.user: (who.principal.name, who.principal.name)}
        return Names({**own, **people}, units)

    async def _kept(
        self,
        kept: dict[str, _Kept],
        key: str,
        ask: Callable[[Visitor], Awaitable[Mapping[str, Pair] | None]],
        who: Visitor,
    ) -> Mapping[str, Pair]:
        now = time.monotonic()
        found = kept.get(key)
        if found is None or found.until <= now:
            names = await ask(who)
            if names is None:
                # An answer from before is better than user names; it is asked for again soon.
                found = _Kept({} if found is None else found.names, now + MISSED_SECONDS)
            else:
                found = _Kept(names, now + KEPT_SECONDS)
            if len(kept) >= _VISITORS_MAX:
                kept.clear()
            kept[key] = found
        return found.names

    async def _ask_units(self, who: Visitor) -> Mapping[str, Pair] | None:
        rows = await self._reads.read(who.principal, units)
        return {row["unit_code"]: (row["name_zh"], row["name_en"]) for row in rows}

    async def _ask_people(self, who: Visitor) -> Mapping[str, Pair] | None:
        if not who.may("staff.read"):
            return {}
        found: dict[str, Pair] = {}
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            try:
                page = await self._peers.get(
                    who.on_behalf, "registry", "/v1/staff", {"cursor": cursor, "limit": _PAGE}
                )
            except Problem:
                return found or None
            found |= {
                one["user"]: (one["name_zh"] or "", one["name_en"] or "") for one in page["items"] or []
            }
            cursor = page["next_cursor"]
            if not cursor:
                break
        return found
