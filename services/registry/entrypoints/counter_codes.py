"""Counter codes over HTTP: mapped, ended, listed (REG-10)."""

from __future__ import annotations

from datetime import date, datetime

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registry.adapters.mappings import COUNTER_CODES, mapping_in_scope
from services.registry.domain.counter_codes import CodeMapping, UnknownMapping
from services.registry.entrypoints.acting import Acts, CodeText, Number, Reader, Sentence, when_loaded
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.map_code import MapCounterCode, map_counter_code
from services.registry.handlers.unmap_code import EndCounterCode, end_counter_code
from shared.auth.http import Caller, require
from shared.commands import AnyCall, VersionedCall, described
from shared.etags import etag, not_modified
from shared.paging import BadCursor, Cursor, Limit
from shared.problems import Problem, declared


class MappingIn(BaseModel):
    """A counter's code and the customer it means, with the business days for which it does."""

    model_config = ConfigDict(extra="forbid")

    code: CodeText = Field(description="As the counters send it: 1-32 printable characters.")
    customer_code: CodeText
    unit_code: CodeText | None = Field(
        default=None,
        description="It holds for the counters of this unit; null: for those that the caller is responsible for, on the "
        "root of the organisation all.",
    )
    counter_id: CodeText | None = Field(
        default=None, description="It holds for this counter alone, before what holds for its unit."
    )
    valid_from: date | None = Field(default=None, description="The first day; null: it has always held.")
    valid_to: date | None = Field(default=None, description="The last day; null: it holds for good.")

    @model_validator(mode="after")
    def _one_scope(self) -> MappingIn:
        if self.unit_code is not None and self.counter_id is not None:
            raise ValueError("a mapping is for a unit or for a counter, not for both")
        return self


class UnmappingIn(BaseModel):
    """The last day of a mapping. A day before its first takes it back altogether."""

    model_config = ConfigDict(extra="forbid")

    valid_to: date
    reason: Sentence


class MappingOut(BaseModel):
    """A counter code and the customer it means. `version` is also its ETag."""

    id: int
    code: str
    customer_code: str
    unit_code: str | None = Field(description="It holds for the counters of this unit.")
    counter_id: str | None = Field(description="It holds for this counter; for all where both are null.")
    valid_from: date | None
    valid_to: date | None
    taken_back: bool = Field(description="Its last day lies before its first: it means nobody.")
    mapped_by: str
    mapped_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    end_reason: str | None
    version: int


class MappingsOut(BaseModel):
    items: list[MappingOut]
    next_cursor: str | None


router = APIRouter(prefix="/v1/counter-codes", tags=["counter codes"], dependencies=[Depends(when_loaded)])


@router.post("", summary="Map a counter code to a customer", **described(map_counter_code, created=True))
async def map_code(body: MappingIn, call: AnyCall, door: Acts) -> MappingOut:
    """201 with the mapping, 200 where it is on record already. On any of the days another mapping holds: 409
    `code_mapped_elsewhere`. What the counters it holds for have sent under the code and is held is then booked by
    itself; of several mappings that cover a counter the narrowest holds. For the role `steward`, each for the
    counters of their units: 403 `counters_out_of_scope`, and `code_range_foreign` for a code from which another city
    issues."""
    command = MapCounterCode(
        body.code, body.customer_code, body.unit_code, body.counter_id, body.valid_from, body.valid_to
    )
    return await door.carry_out(call, "codes.map", map_counter_code, command, shown)


@router.get("", summary="Counter codes of customers in your scope", responses=declared(BadCursor))
async def mappings(
    caller: Caller,
    reader: Reader,
    code: CodeText | None = None,
    customer: CodeText | None = None,
    unit: CodeText | None = None,
    counter: CodeText | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> MappingsOut:
    """In the order in which they were mapped, those taken back included; `unit` and `counter` are what they are mapped
    for."""
    require(caller, "codes.read")
    asked = {"code": code, "customer": customer, "unit": unit, "counter": counter}
    page = await COUNTER_CODES.read(reader, caller, asked, cursor, limit)
    items = [MappingOut.model_validate(each) for each in page.items]
    return MappingsOut(items=items, next_cursor=page.next_cursor)


@router.get("/{id}", summary="One mapping", response_model=MappingOut, responses=declared(UnknownMapping))
async def mapping(
    id: Number, caller: Caller, reader: Reader, request: Request, response: Response
) -> MappingOut | Response:
    require(caller, "codes.read")
    found = await mapping_in_scope(reader, caller, id)
    if found is None:
        raise Problem(UnknownMapping(id))
    if (same := not_modified(request, found["version"])) is not None:
        return same
    response.headers["etag"] = etag(found["version"])
    return MappingOut.model_validate(found)


@router.post(
    "/{id}/end", summary="Give a mapping its last day", **described(end_counter_code, versioned=True)
)
async def end(id: Number, body: UnmappingIn, call: VersionedCall, door: Acts) -> MappingOut:
    """Only earlier than before; to go on later, the code is mapped anew. For the role `steward`."""
    command = EndCounterCode(id, body.valid_to, body.reason)
    return await door.carry_out(call, "codes.map", end_counter_code, command, shown)


async def shown(desk: ActDesk, mapping: CodeMapping) -> MappingOut:
    """The mapping as this transaction leaves it."""
    return MappingOut.model_validate(await desk.counter_codes.record(mapping.id))
