"""Counter codes over HTTP: mapped, ended, listed (REG-10)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registry.adapters.counter_codes import PostgresCounterCodes
from services.registry.adapters.customer_rows import customers_of_codes
from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.mappings import CounterCodeReads
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.counter_codes import (
    BadCode,
    CodeMapping,
    MappedElsewhere,
    UnknownMapping,
    clean_counter_code,
)
from services.registry.domain.customers import Customer
from services.registry.domain.organisation import Unit
from services.registry.entrypoints.acting import CodeText, Sentence, answer, permitted
from services.registry.entrypoints.refusals import mapped_elsewhere, problem_of
from services.registry.handlers.map_code import Mapped, map_counter_code
from services.registry.handlers.ports import Rules
from services.registry.handlers.unmap_code import Unmapping, end_counter_code
from shared.auth.http import Caller, require
from shared.auth.policy import covering, everywhere
from shared.auth.policy import permit as may
from shared.auth.principals import Principal
from shared.etags import IfMatch, etag, not_modified, required_version
from shared.idempotency import Asked, IdempotencyKey
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.paging import Cursor, Limit

Number = Annotated[int, Path(ge=1, lt=2**63)]


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


class _Rights:
    """`ports.CounterRights` of a caller."""

    def __init__(self, caller: Principal) -> None:
        self._caller = caller

    def home(self, unit: Unit) -> str | None:
        grant = covering(self._caller, "codes.map", unit.path)
        return None if grant is None or grant.of_everything else grant.unit

    def covers(self, unit: Unit | None) -> bool:
        if unit is None:
            return everywhere(self._caller, "codes.map")
        return may(self._caller, "codes.map", unit.path) is None


def build_router(unit_of_work: UnitOfWork, reads: CounterCodeReads, rules: Rules) -> APIRouter:
    """The routes of counter codes."""
    router = APIRouter(prefix="/counter-codes", tags=["counter codes"])

    async def told(work: Work, done: object, caller: Principal) -> tuple[dict[str, Any], bool]:
        if isinstance(done, MappedElsewhere):
            raise mapped_elsewhere(done.code, await _masked(work, done, caller))
        if not isinstance(done, Mapped):
            raise problem_of(done)
        stored = await reads.stored(work, done.mapping.id)
        return MappingOut.model_validate(stored).model_dump(mode="json"), done.created

    @router.post("", summary="Map a counter code to a customer", status_code=201)
    async def map_code(
        body: MappingIn, caller: Caller, response: Response, idempotency_key: IdempotencyKey = None
    ) -> MappingOut:
        """201 with the mapping, 200 where it is on record already. On any of the days another mapping holds: 409
        `code_mapped_elsewhere`. What the counters it holds for have sent under the code and is held is then booked by
        itself; of several mappings that cover a counter the narrowest holds. For the role `steward`, each for the
        counters of their units: 403 `counters_out_of_scope`, and `code_range_foreign` for a code from which another city
        issues."""
        require(caller, "codes.map")
        code = clean_counter_code(body.code)
        if code is None:
            raise problem_of(BadCode())
        counter_id = None if body.counter_id is None else clean_counter_code(body.counter_id)
        if body.counter_id is not None and counter_id is None:
            raise problem_of(BadCode())
        wanted = CodeMapping(
            0,
            code,
            body.customer_code,
            body.valid_from,
            body.valid_to,
            unit_code=body.unit_code,
            counter_id=counter_id,
        )

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            done = await map_counter_code(
                wanted,
                person=caller.user,
                now=work.now,
                rules=rules,
                permit=permitted(caller, "codes.map"),
                rights=_Rights(caller),
                customers=PostgresCustomers(work),
                counter_codes=PostgresCounterCodes(work),
                organisations=PostgresOrganisations(work),
                publish=publisher(work),
            )
            return await told(work, done, caller)

        asked = Asked("counter-codes", caller.user, idempotency_key, body.model_dump(mode="json"))
        return MappingOut.model_validate(await answer(unit_of_work, asked, response, command))

    @router.get("", summary="Counter codes of customers in your scope")
    async def mappings(
        caller: Caller,
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
        filters = {name: value for name, value in asked.items() if value is not None}
        items, following = await reads.listed(caller, filters, cursor, limit)
        return MappingsOut.model_validate({"items": items, "next_cursor": following})

    @router.get("/{id}", summary="One mapping", response_model=MappingOut)
    async def mapping(id: Number, caller: Caller, request: Request, response: Response) -> Any:
        require(caller, "codes.read")
        found = await reads.one(caller, id)
        if found is None:
            raise problem_of(UnknownMapping(id))
        if (same := not_modified(request, found["version"])) is not None:
            return same
        response.headers["etag"] = etag(found["version"])
        return found

    @router.post("/{id}/end", summary="Give a mapping its last day")
    async def end(
        id: Number,
        body: UnmappingIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> MappingOut:
        """Only earlier than before; to go on later, the code is mapped anew. For the role `steward`."""
        require(caller, "codes.map")
        ending = Unmapping(id, body.valid_to, body.reason, required_version(if_match))

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            permit = permitted(caller, "codes.map")

            def known(customer: Customer, unit: Any) -> None:
                # A mapping outside the caller's scope is as if it were not there, like in the list.
                if may(caller, "codes.read", unit.path) is not None:
                    raise problem_of(UnknownMapping(id))
                permit(customer, unit)

            done = await end_counter_code(
                ending,
                person=caller.user,
                now=work.now,
                permit=known,
                customers=PostgresCustomers(work),
                counter_codes=PostgresCounterCodes(work),
                organisations=PostgresOrganisations(work),
                publish=publisher(work),
            )
            return await told(work, done, caller)

        asked = Asked(f"counter-codes/{id}/end", caller.user, idempotency_key, body.model_dump(mode="json"))
        return MappingOut.model_validate(await answer(unit_of_work, asked, response, command))

    return router


async def _masked(work: Work, refusal: MappedElsewhere, caller: Principal) -> list[dict[str, Any]]:
    """What the code means already. Of a customer outside the caller's scope only the unit is told: who holds it, not
    what."""
    codes = [each.customer_code for each in refusal.mappings]
    customers = await customers_of_codes(await work.raw(), codes)
    units = await PostgresOrganisations(work).units([each.unit_code for each in customers.values()])
    found: list[dict[str, Any]] = []
    for mapping in refusal.mappings:
        customer = customers[mapping.customer_code]
        unit = units[customer.unit_code]
        bound_to = (customer.manager_a, customer.manager_b)
        visible = may(caller, "customers.read", unit.path, bound_to) is None
        found.append(
            {
                "customer_code": customer.code if visible else None,
                "name": customer.name if visible else None,
                "unit_code": unit.code,
                "unit_name_zh": unit.name_zh,
                "unit_name_en": unit.name_en,
                "valid_from": mapping.valid_from and mapping.valid_from.isoformat(),
                "valid_to": mapping.valid_to and mapping.valid_to.isoformat(),
            }
        )
    return found
