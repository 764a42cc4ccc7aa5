"""Customers: the list with its filters, and everything about one on one page (REP-3)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import Path, Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, PeerAnswer
from services.reporting.adapters.reads.customer360 import customer360 as read_customer360
from services.reporting.adapters.reads.customers import CustomerFilter
from services.reporting.adapters.reads.customers import customer as read_customer
from services.reporting.adapters.reads.customers import customer_counts as read_customer_counts
from services.reporting.adapters.reads.customers import customers as read_customers
from services.reporting.domain.refusals import UnknownCustomer
from services.reporting.entrypoints.console.filters import Code, Unit, Words
from services.reporting.entrypoints.console.forms import seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk
from services.reporting.entrypoints.console.route import room
from shared.paging import Cursor
from shared.problems import Problem
from shared.texts import word

YesNo = Annotated[Literal["", "yes", "no"] | None, Query()]
StatusFilter = Annotated[Literal["", "active", "retired", "merged", "annulled"] | None, Query()]
KindFilter = Annotated[Literal["", "potential", "active"] | None, Query()]
Order = Annotated[Literal["", "code", "revenue"] | None, Query()]
CustomerCode = Annotated[str, Path(max_length=64, pattern=r"^[^\x00]+$")]

_BOOLEAN: Final = {"yes": True, "no": False}

router = room()


@router.get("/customers")
async def customers(
    desk: AtDesk,
    q: Words = None,
    unit: Unit = None,
    tier: Code = None,
    scheme: Code = None,
    key_account: YesNo = None,
    agreement: YesNo = None,
    status: StatusFilter = None,
    kind: KindFilter = None,
    order: Order = None,
    cursor: Cursor = None,
) -> Response:
    desk.who.require("customers.read")
    # An empty field of the form is no filter.
    asked = CustomerFilter(
        unit=desk.names.unit_meant(unit),
        tier=tier or None,
        scheme=scheme or None,
        key_account=_BOOLEAN.get(key_account or ""),
        q=q or None,
        status=status or None,
        kind=kind or None,
        agreement=_BOOLEAN.get(agreement or ""),
        order="revenue" if order == "revenue" else "code",
    )
    page = await desk.read(read_customers, asked, cursor, ROWS)
    return desk.show(
        "customers.html",
        rows=page.items,
        counts=await desk.read(read_customer_counts, asked),
        next_cursor=page.next_cursor,
        order=asked.order,
        asked=desk.query,
    )


async def file(desk: AtDesk, code: str, refused: Problem | None = None, form: Any = None) -> Response:
    found = await desk.read(read_customer360, code)
    if found is None:
        raise Problem(UnknownCustomer())
    own_code = found["customer"]["customer_code"]
    own, explained = await desk.together(
        # The version to write against is the registry's own, which the view follows at a distance.
        desk.perhaps("registry", f"/v1/customers/{_quoted(own_code)}"),
        desk.perhaps("tiering", f"/v1/customers/{_quoted(own_code)}/tiers"),
    )
    years = _by_year(found["revenue"])
    language = desk.language
    latest = next(iter(years), 0)
    return desk.show(
        "customer.html",
        refused=refused,
        form=form,
        found=found,
        asked_code=code,
        explained={tier["scheme"]: tier for tier in (explained or PeerAnswer())["tiers"] or []},
        version=None if own is None else own["version"],
        revenue=years,
        chart_lines=[
            {"name": word("line", line, language), "yuan": [fen / 100 for fen in months]}
            for line, months in years[latest]["lines"].items()
        ]
        if years
        else [],
        before=[fen / 100 for fen in years[latest - 1]["months"]] if latest - 1 in years else None,
        events=sorted(
            [_same(row) for row in (*found["events"], *found["claims_events"])],
            key=lambda row: row["happened_at"],
            reverse=True,
        ),
    )


@router.get("/customers/{code:path}/why")
async def why(desk: AtDesk, code: CustomerCode) -> Response:
    """A tier explained down to the transactions behind it (TIE-15)."""
    desk.who.require("tiers.read")
    found = await desk.get("tiering", f"/v1/customers/{_quoted(code)}/tiers", {"explain": "true"})
    customer = await desk.read(read_customer, found["customer_code"])
    return desk.show(
        "why.html",
        found=found,
        name=found["customer_code"] if customer is None else customer["name"],
    )


@router.get("/customers/{code:path}")
async def customer(desk: AtDesk, code: CustomerCode) -> Response:
    desk.who.require("customers.read")
    return await file(desk, code)


@router.post("/customers/{code:path}/agreements")
async def sign_agreement(desk: AtDesk, code: CustomerCode) -> Response:
    form = await desk.form()
    body = {
        **form.given("agreement_no", "signed_on", "ends_on", "unit_code"),
        "lines": list(form.all("lines")),
    }
    try:
        await desk.tell(
            Command(
                "registry",
                f"/v1/customers/{_quoted(code)}/agreements",
                body,
                form.key,
                form["version"] or None,
            ),
        )
    except Problem as refused:
        return await file(desk, code, refused, form.after(refused))
    return seen(f"/customers/{_quoted(code)}", "agreement_signed")


@router.post("/customers/{code:path}/agreement-end")
async def end_agreement(desk: AtDesk, code: CustomerCode) -> Response:
    form = await desk.form()
    body = form.given("agreement_no", "ends_on", "reason")
    try:
        await desk.tell(
            Command(
                "registry",
                f"/v1/customers/{_quoted(code)}/agreements/end",
                body,
                form.key,
                form["version"] or None,
            ),
        )
    except Problem as refused:
        return await file(desk, code, refused, form.after(refused))
    return seen(f"/customers/{_quoted(code)}", "agreement_ended")


def _quoted(code: str) -> str:
    """A customer code may hold a slash; the routes take it as it is, everything else is quoted."""
    return quote(code, safe="/")


def _same(row: dict[str, Any]) -> dict[str, Any]:
    """Events of the registry and of claims in one list: what one kind does not have is None."""
    return {
        "agreement_no": None,
        "counter_code": None,
        "stage": None,
        "reason": None,
        "merged_into": None,
        **row,
    }


def _by_year(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Revenue for the picture and the table, the latest year first: months by line, and the sums."""
    years: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (-row["year"], row["line"], row["month"])):
        year = years.setdefault(row["year"], {"lines": {}, "months": [0] * 12, "total_fen": 0, "pieces": 0})
        months = year["lines"].setdefault(row["line"], [0] * 12)
        months[row["month"] - 1] += row["amount_fen"]
        year["months"][row["month"] - 1] += row["amount_fen"]
        year["total_fen"] += row["amount_fen"]
        year["pieces"] += row["pieces"] or 0
    return years
