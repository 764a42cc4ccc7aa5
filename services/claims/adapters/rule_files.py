"""Rules from their files (CLM-3): YAML under data/rules, checked when the service starts.

A file that breaks a rule stops the service with a sentence that names the file.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.claims.domain.festivals import FESTIVALS
from services.claims.domain.rules import Criterion, Rule, Rulebook, SeasonRule

FOLDER: Final = Path(__file__).resolve().parent.parent / "data" / "rules"

_Positive = Annotated[int, Field(ge=1)]
_Part = Annotated[float, Field(gt=0, lt=1)]
_Ranking = Annotated[list[Criterion], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Name(_Strict):
    zh: str
    en: str


class _Months(_Strict):
    regular: _Positive
    festival: _Positive


class _Extension(_Strict):
    times_max: Annotated[int, Field(ge=0)]
    months_max: _Positive


class _Season(_Strict):
    days_before: Annotated[int, Field(ge=0, le=180)]
    days_after: Annotated[int, Field(ge=0, le=180)]


class _Version(_Strict):
    version: _Positive
    effective_on: date
    source: _Name
    window_months: _Months
    settling_hours: Annotated[int, Field(ge=0)]
    cooling_days: Annotated[int, Field(ge=0)]
    extension: _Extension
    review_hours: _Positive
    warning_days: list[_Positive]
    silence_of_window: _Part
    guidance_of_window: _Part
    ranking: _Ranking
    ranking_of_several_lines: _Ranking
    centre_levels: Annotated[
        list[Literal["national", "province", "city", "professional", "county", "outlet"]],
        Field(min_length=1),
    ]
    seasons: dict[str, _Season]


class _File(_Strict):
    unit_path: Annotated[str, Field(pattern=r"^(/[^/,]+)+$")]
    versions: Annotated[list[_Version], Field(min_length=1)]


class RuleFileError(ValueError):
    """A rule file that cannot be used; the message names the file and the rule."""


def load_rules(folder: Path = FOLDER) -> tuple[Rulebook, dict[int, dict[str, Any]]]:
    """All rules of the folder, and the definition of each version as it is kept in the database. Raises
    `RuleFileError`."""
    rules: list[Rule] = []
    definitions: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            file = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, ValueError, yaml.YAMLError) as error:
            raise RuleFileError(f"{path.name}: {error}") from error
        for version in file.versions:
            if unknown := set(version.seasons) - set(FESTIVALS):
                raise RuleFileError(f"{path.name}: unknown festivals {sorted(unknown)}")
            rules.append(_rule(file.unit_path, version))
            definitions[version.version] = {
                "unit_path": file.unit_path,
                **version.model_dump(mode="json", exclude={"source"}),
            }
    if not rules:
        raise RuleFileError(f"{folder} holds no rule")
    try:
        return Rulebook(rules), definitions
    except ValueError as error:
        raise RuleFileError(f"{folder}: {error}") from error


def _rule(unit_path: str, version: _Version) -> Rule:
    return Rule(
        version=version.version,
        unit_path=unit_path,
        effective_on=version.effective_on,
        source_zh=version.source.zh,
        source_en=version.source.en,
        regular_months=version.window_months.regular,
        festival_months=version.window_months.festival,
        settling_hours=version.settling_hours,
        cooling_days=version.cooling_days,
        extensions_max=version.extension.times_max,
        extension_months_max=version.extension.months_max,
        review_hours=version.review_hours,
        warning_days=tuple(version.warning_days),
        silence_of_window=version.silence_of_window,
        guidance_of_window=version.guidance_of_window,
        ranking=tuple(version.ranking),
        ranking_of_several_lines=tuple(version.ranking_of_several_lines),
        centre_levels=tuple(version.centre_levels),
        seasons={
            name: SeasonRule(season.days_before, season.days_after)
            for name, season in version.seasons.items()
        },
    )
