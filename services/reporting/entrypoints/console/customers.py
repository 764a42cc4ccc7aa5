"""Customers: the list with its filters, and everything about one on one page (REP-3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import Command
from services.reporting.adapters.read_models import CustomerFilter
from services.reporting.entrypoints.console.forms import seen, submitted
from services.reporting.entrypoints.console.parts import ROWS, Console
from services.reporting.entrypoints.console.visitor import SignedIn
from services.reporting.entrypoints.http import NamePart, SchemeFilter, TierFilter, UnitFilter
from services.reporting.texts import word
from shared.paging import Cursor
from shared.problems import Problem

YesNo = Annotated[Literal["", "yes", "no"] | None, Query()]
StatusFilter = Annotated[Literal["", "active", "retired", "merged", "annulled"] | None, Query()]
KindFilter = Annotated[Literal["", "potential", "active"] | None, Query()]


def routes(console: Console) -> APIRouter:
    router = console.router()
    read, pages, peers = console.read, console.pages, console.peers

    @router.get("/customers")
    async def customers(
        request: Request,
        who: SignedIn,
        q: NamePart = None,
        unit: UnitFilter = None,
        tier: TierFilter = None,
        scheme: SchemeFilter = None,
        key_account: YesNo = None,
        status: StatusFilter = None,
        kind: KindFilter = None,
        cursor: Cursor = None,
    ) -> Response:
        who.require("customers.read")
        # An empty field of the form is no filter.
        asked = CustomerFilter(
            unit=unit or None,
            tier=tier or None,
            scheme=scheme or None,
            key_account={"yes": True, "no": False}.get(key_account or ""),
            q=q or None,
            status=status or None,
            kind=kind or None,
        )
        rows, following = await read.customers(who.principal, asked, cursor, ROWS)
        return await pages.show(
            request, who, "customers.html", rows=rows, next_cursor=following, asked=request.query_params
        )

    async def file(
        request: Request, who: SignedIn, code: str, refused: Problem | None = None, form: Any = None
    ) -> Response:
        found = None if "\x00" in code else await read.customer360(who.principal, code)
        if found is None:
            raise Problem(
                404, "unknown_customer", "没有这个客户，或不在您的范围内。", "No such customer in your scope."
            )
        # The version to write against is the registry's own, which the view follows at a distance.
        own = await console.perhaps(
            peers.get(
                who.on_behalf, "registry", f"/v1/customers/{_quoted(found['customer']['customer_code'])}"
            )
        )
        years = _by_year(found["revenue"])
        language = who.manner.language
        latest = next(iter(years), 0)
        return await pages.show(
            request,
            who,
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
    async def customer(request: Request, who: SignedIn, code: str) -> Response:
        who.require("customers.read")
        return await file(request, who, code)

    @router.post("/customers/{code:path}/agreements")
    async def sign_agreement(request: Request, who: SignedIn, code: str) -> Response:
        form = await submitted(request, who)
        body = {
            **form.given("agreement_no", "signed_on", "ends_on", "unit_code"),
            "lines": list(form.all("lines")),
        }
        try:
            await peers.tell(
                who.on_behalf,
                Command(
                    "registry",
                    f"/v1/customers/{_quoted(code)}/agreements",
                    body,
                    form.key,
                    form["version"] or None,
                ),
            )
        except Problem as refused:
            return await file(request, who, code, refused, form.after(refused))
        return seen(f"/customers/{_quoted(code)}", "agreement_signed")

    @router.post("/customers/{code:path}/agreement-end")
    async def end_agreement(request: Request, who: SignedIn, code: str) -> Response:
        form = await submitted(request, who)
        body = form.given("agreement_no", "ends_on", "reason")
        try:
            await peers.tell(
                who.on_behalf,
                Command(
                    "registry",
                    f"/v1/customers/{_quoted(code)}/agreements/end",
                    body,
                    form.key,
                    form["version"] or None,
                ),
            )
        except Problem as refused:
            return await file(request, who, code, refused, form.after(refused))
        return seen(f"/customers/{_quoted(code)}", "agreement_ended")

    return router


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
