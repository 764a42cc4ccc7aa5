"""Reads the data files of the registry: organisation, staff, code schemes, divisions."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from services.registry.domain.codes import CodeScheme
from services.registry.domain.organisation import StaffMember, Unit
from services.registry.handlers.load_organisation import LoadedFile
from services.registry.handlers.ports import Rules

DATA: Final = Path(__file__).resolve().parents[1] / "data"
DIVISIONS: Final = Path(__file__).resolve().parents[3] / "shared" / "reference" / "divisions.csv"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything the data files say."""

    rules: Rules
    organisation: LoadedFile
    units: tuple[Unit, ...]
    staff_file: LoadedFile
    staff: tuple[StaffMember, ...]


def read_configuration(folder: Path = DATA, divisions: Path = DIVISIONS) -> Configuration:
    """Reads all files. Raises ValueError, KeyError or yaml.YAMLError where one of them is broken: no start then."""
    organisation, document = _document(folder / "organisation.yaml")
    units = tuple(_unit(entry, document) for entry in document["units"])
    staff_file, people = _document(folder / "staff.yaml")
    _, codes = _document(folder / "code_schemes.yaml")
    schemes = tuple(_scheme(entry) for entry in codes["schemes"])
    issuing = next(scheme for scheme in schemes if scheme.id == codes["current"])
    if not issuing.issuing:
        raise ValueError(f"Code scheme {issuing.id} is current and issues no codes.")
    known_divisions = read_divisions(divisions)
    for unit in units:
        if unit.division is not None and unit.division not in known_divisions:
            raise ValueError(f"Unit {unit.code} has the unknown division {unit.division}.")
    default_unit = str(document["default_unit"])
    if default_unit not in {unit.code for unit in units}:
        raise ValueError(f"The default unit {default_unit} is not a unit.")
    return Configuration(
        Rules(schemes, issuing, known_divisions, default_unit),
        organisation,
        units,
        staff_file,
        tuple(_person(entry) for entry in people["staff"]),
    )


def read_divisions(path: Path = DIVISIONS) -> frozenset[str]:
    """The codes of all administrative divisions, county level and up."""
    with path.open(encoding="utf-8", newline="") as file:
        return frozenset(row["code"] for row in csv.DictReader(file))


def _document(path: Path) -> tuple[LoadedFile, dict[str, Any]]:
    content = path.read_bytes()
    document = yaml.safe_load(content)
    return LoadedFile(path.name, hashlib.sha256(content).hexdigest(), int(document["version"])), document


def _unit(entry: dict[str, Any], document: dict[str, Any]) -> Unit:
    valid_from: date | None = entry.get("valid_from", document.get("valid_from"))
    return Unit(
        code=str(entry["code"]),
        name_zh=entry["name_zh"],
        name_en=entry["name_en"],
        level=entry["level"],
        parent=entry.get("parent"),
        division=entry.get("division"),
        lines=tuple(entry.get("lines", ())),
        city_group=entry.get("city_group"),
        centre=bool(entry.get("centre", False)),
        valid_from=valid_from,
        valid_to=entry.get("valid_to"),
    )


def _person(entry: dict[str, Any]) -> StaffMember:
    roles: list[dict[str, str]] = entry.get("roles", [])
    # Who is posted nowhere else works where their first role is.
    unit = entry.get("unit", roles[0]["unit"] if roles else None)
    return StaffMember(
        user=entry["user"],
        name_zh=entry["name_zh"],
        name_en=entry["name_en"],
        unit=None if unit is None else str(unit),
        office=entry["office"],
        roles=tuple(sorted((role["role"], role["unit"]) for role in roles)),
        active=bool(entry.get("active", True)),
    )


def _scheme(entry: dict[str, Any]) -> CodeScheme:
    if entry["issuing"] and entry["check"] != "iso7064-mod-11-10":
        raise ValueError(f"Code scheme {entry['id']} has the unknown check {entry['check']}.")
    return CodeScheme(
        id=entry["id"],
        label_en=entry["label_en"],
        label_zh=entry["label_zh"],
        issuing=entry["issuing"],
        division_digits=entry.get("division_digits", 0),
        serial_digits=entry.get("serial_digits", 0),
        pattern=entry.get("pattern"),
    )
