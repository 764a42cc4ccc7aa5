"""Signing in with a token, signing out, and how pages look. Development instances say who there is and how to get a
token; the keys of their issuer never come here."""

from __future__ import annotations

from typing import get_args

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from services.reporting.entrypoints.console.forms import read_form
from services.reporting.entrypoints.console.parts import console_of
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.visitor import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    TOKEN_BYTES_MAX,
    TOKEN_COOKIE,
    Theme,
    choose,
    local_path,
    manner_of,
    refuse_other_sites,
    secure,
    verifier,
)
from shared.auth.principals import Principal
from shared.auth.tokens import TokenRefused
from shared.texts import short

router = room()


def _page(request: Request, refused: str | None, following: str, status: int = 200) -> Response:
    console = console_of(request)
    return console.pages.plain(
        request,
        manner_of(request),
        "sign_in.html",
        status=status,
        refused=refused,
        next=following,
        developers=_people(console.mode),
    )


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    refused = "expired" if request.query_params.get("refused") == "expired" else None
    return _page(request, refused, local_path(request.query_params.get("next")))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    refuse_other_sites(request)
    given = await read_form(request)
    following = local_path(given["next"])
    if len(given["token"]) > TOKEN_BYTES_MAX:
        return _page(request, "too_long", following, 401)
    try:
        verifier(request).verify(given["token"])
    except TokenRefused:
        return _page(request, "bad_token", following, 401)
    answer = RedirectResponse(following, 303)
    answer.set_cookie(
        TOKEN_COOKIE, given["token"], httponly=True, samesite="strict", secure=secure(request), path="/"
    )
    if request.query_params.get("lang"):
        choose(request, answer, LANGUAGE_COOKIE, short(manner_of(request).language))
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    refuse_other_sites(request)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(TOKEN_COOKIE, path="/")
    return answer


@router.post("/display")
async def display(request: Request) -> Response:
    refuse_other_sites(request)
    given = await read_form(request)
    # The address that was asked for may name a language itself, which would win over the choice.
    answer = RedirectResponse(local_path(given["next"]).split("?lang=")[0], 303)
    if given["language"] in ("zh", "en"):
        choose(request, answer, LANGUAGE_COOKIE, given["language"])
    if given["theme"] in get_args(Theme):
        choose(request, answer, THEME_COOKIE, given["theme"])
    return answer


def _people(mode: str) -> tuple[Principal, ...]:
    if mode == "production":
        return ()
    from shared.auth.development import PEOPLE

    return PEOPLE
