"""Who looks at a page: the token in the cookie, checked anew with every request, with the language and the colours that
the person chose.

The token lies in a cookie that scripts cannot read and other sites cannot send (`SameSite=Strict`). A bearer token in
the header does as well.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Final, Literal, cast, get_args
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import OnBehalf
from services.reporting.domain.refusals import OtherSite
from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.problems import Problem
from shared.texts import Language, language_of, short

TOKEN_COOKIE: Final = "keypost_token"  # noqa: S105 - a cookie's name.
LANGUAGE_COOKIE: Final = "keypost_language"
THEME_COOKIE: Final = "keypost_theme"
TOKEN_BYTES_MAX: Final = 3_900
"""A browser keeps no cookie above 4 096 bytes, name and attributes included."""
CHOICE_SECONDS: Final = 365 * 86_400

Theme = Literal["auto", "light", "dark"]


class NotSignedIn(Exception):
    """Nobody is signed in, or their token no longer holds."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("nobody is signed in")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Manner:
    """How a page is shown, also to somebody who has not signed in."""

    language: Language
    theme: Theme


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person at the console."""

    principal: Principal
    token: str
    manner: Manner

    def may(self, operation: Operation) -> bool:
        """Whether the person may do this anywhere; the service that does it decides about the case at hand."""
        return permit(self.principal, operation) is None

    def require(self, operation: Operation) -> None:
        """Raises the problem 403 `forbidden`."""
        refusal = permit(self.principal, operation)
        if refusal is not None:
            raise Problem(refusal)

    @property
    def home_unit(self) -> str:
        """The unit that the person most likely means: that of the first role."""
        return self.principal.roles[0].unit if self.principal.roles else ""

    @property
    def form_token(self) -> str:
        """What every form of this session carries. It follows from the cookie, which no other site can read, so it
        proves that the form is one of ours without a secret of the server's."""
        return hmac.new(self.token.encode(), b"keypost console form", hashlib.sha256).hexdigest()

    @property
    def on_behalf(self) -> OnBehalf:
        return OnBehalf(self.token, self.manner.language)


async def visitor(request: Request) -> Visitor:
    """Raises `NotSignedIn`, which the console's routes turn into the way to the sign-in page."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = cookie(request, TOKEN_COOKIE)
    if not token:
        raise NotSignedIn(expired=False)
    try:
        principal = verifier(request).verify(token.strip())
    except TokenRefused:
        raise NotSignedIn(expired=True) from None
    return Visitor(principal, token.strip(), manner_of(request))


SignedIn = Annotated[Visitor, Depends(visitor)]
"""The type of a route's parameter: `async def page(who: SignedIn) -> …`."""


def manner_of(request: Request) -> Manner:
    """`?lang=` wins over what was chosen before, and that over what the browser asks for."""
    asked = request.query_params.get("lang") or cookie(request, LANGUAGE_COOKIE)
    if not asked:
        asked = language_of(request.headers.get("accept-language"))
    theme = cookie(request, THEME_COOKIE)
    return Manner(
        "en" if asked.lower().startswith("en") else "zh-CN",
        cast(Theme, theme) if theme in get_args(Theme) else "auto",
    )


def remember_language(request: Request, response: Response) -> None:
    """A language asked for in the address is kept for the pages that follow."""
    chosen = short(manner_of(request).language)
    if request.query_params.get("lang") and not cookie(request, LANGUAGE_COOKIE).startswith(chosen):
        choose(request, response, LANGUAGE_COOKIE, chosen)


def choose(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name, value, max_age=CHOICE_SECONDS, httponly=True, samesite="lax", secure=secure(request), path="/"
    )


def secure(request: Request) -> bool:
    return request.url.scheme == "https"


def cookie(request: Request, name: str) -> str:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


def verifier(request: Request) -> TokenVerifier:
    tokens: TokenVerifier = request.app.state.tokens
    return tokens


def refuse_other_sites(request: Request) -> None:
    """Nothing is done by a form on another site. Browsers name the origin of every form that they send."""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Problem(OtherSite())


def local_path(asked: str | None) -> str:
    """An address inside the console to go on to, `/` for anything else: nobody is led to another site."""
    if not asked or not asked.startswith("/") or asked.startswith(("//", "/\\")) or "\\" in asked:
        return "/"
    parts = urlsplit(asked)
    return "/" if parts.netloc or any(ord(letter) < 32 for letter in asked) else asked
