"""The organisation over HTTP: units, and people with their roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from services.registry.adapters.read_models import STAFF, UNITS, unit_in_scope
from services.registry.entrypoints.acting import Reader, when_loaded
from services.registry.entrypoints.customers import Filter
from shared.auth.http import Caller, require
from shared.kernel.refusals import Kind, Refusal
from shared.paging import BadCursor, Cursor, Limit
from shared.problems import Problem, declared


@dataclass(frozen=True, slots=True)
class NoUnit(Refusal):
    """There is no such unit, or none in the caller's scope."""

    code: ClassVar[str] = "unknown_unit"
    kind: ClassVar[Kind] = "unknown"

    def sentence(self) -> str:
        return "unknown_unit_here"


class UnitOut(BaseModel):
    unit_code: str
    name_zh: str
    name_en: str
    level: str
    parent: str | None
    path: str
    lines: list[str]
    division: str | None
    city_group: int | None
    centre: bool
    valid_from: date | None
    valid_to: date | None
    version: int


class RoleOut(BaseModel):
    role: str
    unit: str


class StaffOut(BaseModel):
    user: str
    name_zh: str
    name_en: str
    unit_code: str | None = Field(default=None, description="The unit of the person's post.")
    office: str
    active: bool
    roles: list[RoleOut]


class UnitsOut(BaseModel):
    items: list[UnitOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


class StaffListOut(BaseModel):
    items: list[StaffOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


router = APIRouter(prefix="/v1", tags=["organisation"], dependencies=[Depends(when_loaded)])


@router.get("/units", summary="Units in your scope", responses=declared(BadCursor))
async def units(
    caller: Caller,
    reader: Reader,
    unit: Filter = None,
    parent: Filter = None,
    level: Literal["national", "province", "city", "professional", "county", "outlet"] | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> UnitsOut:
    require(caller, "units.read")
    asked = {"unit": unit, "parent": parent, "level": level}
    page = await UNITS.read(reader, caller, asked, cursor, limit)
    items = [UnitOut.model_validate(each) for each in page.items]
    return UnitsOut(items=items, next_cursor=page.next_cursor)


@router.get("/units/{code}", summary="One unit", responses=declared(NoUnit))
async def unit(code: str, caller: Caller, reader: Reader) -> UnitOut:
    require(caller, "units.read")
    found = await unit_in_scope(reader, caller, code) if "\x00" not in code else None
    if found is None:
        raise Problem(NoUnit())
    return UnitOut.model_validate(found)


@router.get("/staff", summary="People and their roles in your scope", responses=declared(BadCursor))
async def staff(caller: Caller, reader: Reader, cursor: Cursor = None, limit: Limit = 100) -> StaffListOut:
    require(caller, "staff.read")
    page = await STAFF.read(reader, caller, {}, cursor, limit)
    items = [StaffOut.model_validate(each) for each in page.items]
    return StaffListOut(items=items, next_cursor=page.next_cursor)
