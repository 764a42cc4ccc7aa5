"""The page at `/`: customers and their tiers, for a person who has signed in with a token.

The token lies in a cookie that scripts cannot read and other sites cannot send (`SameSite=Strict`), and is checked anew
with every request. A bearer token in the header does as well.
"""

from __future__ import annotations

from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.reporting.adapters.read_models import CustomerFilter, ReadModels
from services.reporting.entrypoints import pages
from services.reporting.entrypoints.http import NamePart, SchemeFilter, TierFilter, UnitFilter
from services.reporting.entrypoints.pages import PageLanguage
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.paging import PAGE_DEFAULT, Cursor
from shared.problems import Problem

COOKIE: Final = "keypost_token"
_FORM_BYTES_MAX: Final = 16_384
_TOKEN_BYTES_MAX: Final = 3_900
"""A browser keeps no cookie above 4 096 bytes, name and attributes included."""

Lang = Annotated[str, Query(max_length=5)]


def console(read: ReadModels) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def customers(
        request: Request,
        lang: Lang = "zh",
        q: NamePart = None,
        unit: UnitFilter = None,
        tier: TierFilter = None,
        scheme: SchemeFilter = None,
        cursor: Cursor = None,
    ) -> HTMLResponse:
        language = _language(lang)
        try:
            caller = signed_in(request)
        except TokenRefused:
            return _page(pages.sign_in_page(language, "refused"), 401)
        if caller is None:
            return _page(pages.sign_in_page(language))
        if permit(caller, "customers.read") is not None:
            return _page(pages.message_page(language, caller.name, "not_permitted"), 403)
        # An empty field of the form is no filter.
        filters = {"q": q or "", "unit": unit or "", "tier": tier or "", "scheme": scheme or ""}
        asked = CustomerFilter(unit or None, tier or None, scheme or None, None, q or None)
        try:
            rows, following = await read.customers(caller, asked, cursor, PAGE_DEFAULT)
        except Problem:
            return _page(pages.message_page(language, caller.name, "bad_cursor"), 400)
        times: list[datetime] = [
            row["event_time"] for row in await read.freshness(caller) if row["event_time"] is not None
        ]
        as_of = max(times, default=None)
        return _page(pages.customers_page(language, caller.name, rows, following, filters, as_of))

    @router.post("/sign-in")
    async def sign_in(request: Request, lang: Lang = "zh") -> Response:
        language = _language(lang)
        _refuse_other_sites(request)
        token = await _token_of_form(request)
        try:
            if len(token) > _TOKEN_BYTES_MAX:
                raise TokenRefused("the token does not fit into a cookie")
            _verifier(request).verify(token)
        except TokenRefused:
            return _page(pages.sign_in_page(language, "refused"), 401)
        answer = RedirectResponse(f"/?lang={language}", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request, lang: Lang = "zh") -> Response:
        _refuse_other_sites(request)
        answer = RedirectResponse(f"/?lang={_language(lang)}", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer

    return router


def signed_in(request: Request) -> Principal | None:
    """Who asks, by the header or else the cookie; None where neither is there. Raises `TokenRefused`."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = _cookie(request)
    return _verifier(request).verify(token.strip()) if token else None


def _cookie(request: Request) -> str:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[COOKIE].value if COOKIE in found else ""


def _verifier(request: Request) -> TokenVerifier:
    verifier: TokenVerifier = request.app.state.tokens
    return verifier


def _refuse_other_sites(request: Request) -> None:
    """Nobody is signed in or out by a form on another site."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(403, "other_site", "请求来自其他网站。", "The request comes from another site.")


async def _token_of_form(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES_MAX:
            raise Problem(413, "too_large", "请求内容过大。", "The body of the request is too large.")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        return ""
    return fields.get("token", [""])[0].strip()


def _language(lang: str) -> PageLanguage:
    return "en" if lang.lower().startswith("en") else "zh"


def _page(content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        content,
        status,
        {
            "content-security-policy": pages.CONTENT_SECURITY_POLICY,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        },
    )
