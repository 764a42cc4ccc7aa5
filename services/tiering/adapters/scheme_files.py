"""Schemes from their files (TIE-6): YAML under data/schemes, checked when the service starts.

A file that breaks a rule stops the service with a sentence that names the file, because a wrong threshold is worse than
a service that does not start.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.tiering.domain.scheme import LINE_NUMBER, Level, Scheme, SchemeVersion, order_problems
from shared.money import parse_yuan

FOLDER = Path(__file__).resolve().parent.parent / "data" / "schemes"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Name(_Strict):
    zh: str
    en: str


class _Level(_Strict):
    code: str
    name: _Name
    yearly: str
    by_city_group: bool = False


class _Version(_Strict):
    version: int
    effective_on: date | None
    lines: list[str]
    revenue_basis: _Name
    evaluated: str
    needs_agreement: bool
    city_group_basis_points: dict[int, int] = {}
    granted_to_upstream: str | None = None
    levels: list[_Level]


class _File(_Strict):
    scheme: str
    name: _Name
    signed_by: dict[str, str]
    versions: list[_Version]


class SchemeFileError(ValueError):
    """A scheme file that cannot be used; the message names the file and the rule."""


def load_schemes(folder: Path = FOLDER) -> tuple[Scheme, ...]:
    """Every scheme of the folder, by code. Raises `SchemeFileError`."""
    schemes = tuple(_scheme(path) for path in sorted(folder.glob("*.yaml")))
    if not schemes:
        raise SchemeFileError(f"{folder} holds no scheme")
    return schemes


def _scheme(path: Path) -> Scheme:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(content)
        scheme = Scheme(
            file.scheme, file.name.zh, file.name.en, tuple(_version(file.scheme, v) for v in file.versions)
        )
    except (ValidationError, ValueError, KeyError, yaml.YAMLError) as error:
        raise SchemeFileError(f"{path.name}: {error}") from error
    problems = order_problems(scheme.versions)
    if problems:
        raise SchemeFileError(f"{path.name}: {'; '.join(problems)}")
    return scheme


def _version(scheme: str, version: _Version) -> SchemeVersion:
    levels = tuple(
        Level(level.code, level.name.zh, level.name.en, parse_yuan(level.yearly), level.by_city_group)
        for level in version.levels
    )
    codes = [level.code for level in levels]
    granted = version.granted_to_upstream
    return SchemeVersion(
        scheme=scheme,
        version=version.version,
        effective_on=version.effective_on,
        lines=tuple(LINE_NUMBER[line] for line in version.lines),
        needs_agreement=version.needs_agreement,
        levels=levels,
        city_group_basis_points=version.city_group_basis_points,
        granted_to_upstream=None if granted is None else codes.index(granted) + 1,
        basis_zh=version.revenue_basis.zh,
        basis_en=version.revenue_basis.en,
    )
