"""One way to answer a command: who may, which version, what is refused, and how it is answered and described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel

from shared import problems
from shared.auth.http import principal
from shared.auth.principals import Principal, RoleGrant
from shared.commands import Call, Commands, VersionedCall, described, refusals_of, stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import Kind, Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work


class ParcelOut(BaseModel):
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class NoParcel(Refusal):
    name: str
    code: ClassVar[str] = "not_found"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class Rename:
    name: str


@dataclass
class Desk:
    expected: int | None


async def rename(command: Rename, desk: Desk) -> Done[str] | NoParcel | ChangedMeanwhile:
    if command.name == "nothing":
        return NoParcel(command.name)
    return stale(desk.expected, 7) or Done(command.name, created=command.name == "new")


async def shown(_desk: Desk, name: str) -> ParcelOut:
    return ParcelOut(name=name, version=8)


class Transactions:
    """Stands in for the unit of work: what is carried out is carried out."""

    async def run(self, command: Callable[[Work], Awaitable[Any]]) -> Any:
        return await command(cast(Work, None))


async def open_desk(_work: Work, call: Call) -> Desk:
    return Desk(call.version)


COMMANDS = Commands(cast(UnitOfWork, Transactions()), open_desk)


async def commands(_request: Request) -> Commands[Desk]:
    return COMMANDS


router = APIRouter()


@router.post("/v1/parcels/{name}", **described(rename, versioned=True))
async def route(
    name: str, call: VersionedCall, door: Annotated[Commands[Desk], Depends(commands)]
) -> ParcelOut:
    return await door.carry_out(call, "customers.declare", rename, Rename(name), shown)


def _application(role: str = "centre") -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    caller = Principal("somebody", "Somebody", (RoleGrant(cast(Any, role), "3205", "/CN/32/3205"),))
    app.dependency_overrides[principal] = lambda: caller
    return app


async def _post(name: str, if_match: str | None = '"7"', role: str = "centre") -> httpx.Response:
    transport = httpx.ASGITransport(_application(role))
    headers = {"accept-language": "en"} | ({} if if_match is None else {"if-match": if_match})
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post(f"/v1/parcels/{name}", headers=headers)


async def test_what_is_done_is_answered_with_its_version() -> None:
    answer = await _post("box")
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (
        200,
        {"name": "box", "version": 8},
        '"8"',
    )


async def test_a_new_resource_is_answered_201() -> None:
    assert (await _post("new")).status_code == 201


async def test_a_refusal_is_a_problem_with_its_members() -> None:
    answer = await _post("nothing")
    assert answer.status_code == 404
    assert (answer.json()["code"], answer.json()["name"]) == ("not_found", "nothing")


async def test_a_version_that_has_moved_on_is_told_with_the_current_one() -> None:
    answer = await _post("box", '"6"')
    assert (answer.status_code, answer.headers["etag"]) == (412, '"7"')
    assert answer.json()["current_version"] == 7


async def test_a_write_says_which_version_it_means() -> None:
    assert (await _post("box", None)).json()["code"] == "if_match_missing"
    assert (await _post("box", "seven")).json()["code"] == "bad_if_match"
    assert (await _post("box", "*")).status_code == 200


async def test_who_may_not_is_refused_before_anything_is_read() -> None:
    assert (await _post("nothing", role="auditor")).json()["code"] == "forbidden"


def test_the_description_of_a_route_names_every_refusal_of_its_handler() -> None:
    assert set(refusals_of(rename)) == {NoParcel, ChangedMeanwhile}
    responses = _application().openapi()["paths"]["/v1/parcels/{name}"]["post"]["responses"]
    assert {"404", "412", "428", "401", "403", "422", "503"} <= responses.keys()
    schema = responses["404"]["content"]["application/problem+json"]["schema"]
    assert schema["properties"]["code"]["enum"] == ["not_found"]


@pytest.mark.parametrize(("wanted", "expected"), [(None, None), (7, None), (6, ChangedMeanwhile(7))])
def test_any_version_or_the_current_one_may_be_meant(
    wanted: int | None, expected: ChangedMeanwhile | None
) -> None:
    assert stale(wanted, 7) == expected
