"""The schemes' thresholds, read from their YAML files by this package's own reader.

A key that this reader does not follow would make it prove something else than what the file says, so it refuses the file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from verifier.settings import SettingsError
from verifier.words import LINES, fen_of

NONE = "none"
_FILE = {"scheme", "name", "signed_by", "versions"}
_VERSION = {
    "version", "effective_on", "lines", "revenue_basis", "evaluated", "needs_agreement", "city_group_basis_points",
    "granted_to_upstream", "levels",
}  # fmt: skip
_LEVEL = {"code", "name", "yearly", "by_city_group"}
_SIGNERS = {"centre", "province", "national"}


@dataclass(frozen=True)
class SchemeVersion:
    """One version of a scheme: what it counts, and the fen a year must reach for level 1, 2, … per city group."""

    scheme: str
    version: int
    effective_on: date | None
    lines: frozenset[int]
    needs_agreement: bool
    codes: tuple[str, ...]
    thresholds: dict[int | None, tuple[int, ...]]

    def limits(self, group: int | None) -> tuple[int, ...]:
        """The thresholds of a city group; a group without a coefficient counts in full."""
        return self.thresholds.get(group, self.thresholds[None])

    def level(self, total_fen: int, group: int | None) -> int:
        """The highest level reached; 0 is none."""
        return bisect_right(self.limits(group), total_fen)

    def highest(self, total_fen: int, groups: Iterable[int | None]) -> int:
        return max(self.level(total_fen, group) for group in groups)

    def lowest(self, total_fen: int, groups: Iterable[int | None]) -> int:
        return min(self.level(total_fen, group) for group in groups)

    def code(self, level: int) -> str:
        return NONE if level == 0 else self.codes[level - 1]

    def number(self, code: str) -> int | None:
        """The level of a tier code; None when the scheme has no such tier."""
        if code == NONE:
            return 0
        return self.codes.index(code) + 1 if code in self.codes else None


def read_schemes(folder: Path) -> list[SchemeVersion]:
    """Every version of every scheme in the folder, by scheme and version. Raises SettingsError for a file with a key, or a
    value of one, that is not followed here."""
    found: list[SchemeVersion] = []
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        problems = [f"{path.name}: {problem}" for problem in not_followed(document)]
        if problems:
            raise SettingsError("\n".join(problems))
        found += versions_of(document)
    return sorted(found, key=lambda one: (one.scheme, one.version))


def not_followed(document: dict[str, Any]) -> Iterator[str]:
    """The keys of a file that this reader knows nothing of, and the values that it does not compute by."""
    yield from _unknown(document, _FILE, "")
    signer = document.get("signed_by", {}).get("role")
    if signer not in _SIGNERS:
        yield f"signed_by.role: {signer}; allowed: {', '.join(sorted(_SIGNERS))}"
    versions = document.get("versions", [])
    if len(versions) != 1:
        yield f"versions: {len(versions)}; allowed: one"
    for number, version in enumerate(versions):
        place = f"versions.{number}."
        yield from _unknown(version, _VERSION, place)
        if version.get("evaluated") != "continuously":
            yield f"{place}evaluated: {version.get('evaluated')}; allowed: continuously"
        for level in version.get("levels", []):
            yield from _unknown(level, _LEVEL, f"{place}levels.")


def _unknown(said: dict[str, Any], known: set[str], place: str) -> Iterator[str]:
    for key in said:
        if key not in known:
            yield f"{place}{key}: unknown key; allowed: {', '.join(sorted(known))}"


def versions_of(document: dict[str, Any]) -> list[SchemeVersion]:
    """The versions that one file describes."""
    return [_version(str(document["scheme"]), said) for said in document["versions"]]


def _version(scheme: str, said: dict[str, Any]) -> SchemeVersion:
    coefficients = {
        int(group): int(points) for group, points in (said.get("city_group_basis_points") or {}).items()
    }
    levels = said["levels"]
    thresholds: dict[int | None, tuple[int, ...]] = {}
    for group in (None, *coefficients):
        points = 10_000 if group is None else coefficients[group]
        thresholds[group] = tuple(
            _half_up(Fraction(fen_of(str(level["yearly"])) * points, 10_000))
            if level.get("by_city_group")
            else fen_of(str(level["yearly"]))
            for level in levels
        )
    return SchemeVersion(
        scheme=scheme,
        version=int(said["version"]),
        effective_on=said["effective_on"],
        lines=frozenset(LINES.index(line) for line in said["lines"]),
        needs_agreement=bool(said["needs_agreement"]),
        codes=tuple(str(level["code"]) for level in levels),
        thresholds=thresholds,
    )


def _half_up(amount: Fraction) -> int:
    return int(amount + Fraction(1, 2))
