"""Customers: the list with its filters, and everything about one on one page (REP-3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command
from services.reporting.adapters.read_models import CustomerFilter
from services.reporting.entrypoints.console.filters import Code, Unit, Words
from services.reporting.entrypoints.console.forms import seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk
from services.reporting.entrypoints.console.route import room
from services.reporting.texts import word
from shared.paging import Cursor
from shared.problems import Problem

YesNo = Annotated[Literal["", "yes", "no"] | None, Query()]
StatusFilter = Annotated[Literal["", "active", "retired", "merged", "annulled"] | None, Query()]
KindFilter = Annotated[Literal["", "potential", "active"] | None, Query()]


router = room()


@router.get("/customers")
async def customers(
    desk: AtDesk,
    q: Words = None,
    unit: Unit = None,
    tier: Code = None,
    scheme: Code = None,
    key_account: YesNo = None,
    status: StatusFilter = None,
    kind: KindFilter = None,
    cursor: Cursor = None,
) -> Response:
    desk.who.require("customers.read")
    # An empty field of the form is no filter.
    asked = CustomerFilter(
        unit=desk.names.unit_meant(unit),
        tier=tier or None,
        scheme=scheme or None,
        key_account={"yes": True, "no": False}.get(key_account or ""),
        q=q or None,
        status=status or None,
        kind=kind or None,
    )
    rows, following = await desk.read.customers(desk.principal, asked, cursor, ROWS)
    return desk.show("customers.html", rows=rows, next_cursor=following, asked=desk.query)


async def file(desk: AtDesk, code: str, refused: Problem | None = None, form: Any = None) -> Response:
    found = None if "\x00" in code else await desk.read.customer360(desk.principal, code)
    if found is None:
        raise Problem(
            404, "unknown_customer", "没有这个客户，或不在您的范围内。", "No such customer in your scope."
        )
    # The version to write against is the registry's own, which the view follows at a distance.
    own = await desk.perhaps("registry", f"/v1/customers/{_quoted(found['customer']['customer_code'])}")
    years = _by_year(found["revenue"])
    language = desk.language
    latest = next(iter(years), 0)
    return desk.show(
        "customer.html",
        refused=refused,
        form=form,
        found=found,
        asked_code=code,
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


@router.get("/customers/{code:path}")
async def customer(desk: AtDesk, code: str) -> Response:
    desk.who.require("customers.read")
    return await file(desk, code)


@router.post("/customers/{code:path}/agreements")
async def sign_agreement(desk: AtDesk, code: str) -> Response:
    form = await desk.form()
    body = {
        **form.given("agreement_no", "signed_on", "ends_on", "unit_code"),
        "lines": list(form.all("lines")),
    }
    try:
        await desk.tell(
            Command("registry", f"/v1/customers/{_quoted(code)}/agreements", body, form.key),
        )
    except Problem as refused:
        return await file(desk, code, refused, form.after(refused))
    return seen(f"/customers/{_quoted(code)}", "agreement_signed")


@router.post("/customers/{code:path}/agreement-end")
async def end_agreement(desk: AtDesk, code: str) -> Response:
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
    return {"agreement_no": None, "counter_code": None, "stage": None, "reason": None, **row}


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
