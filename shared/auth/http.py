"""Identity and permission in a route: FastAPI dependencies over `tokens` and `policy`.

The application keeps its `TokenVerifier` in `app.state.tokens`; `shared.web` puts it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem


@dataclass(frozen=True, slots=True)
class Unauthenticated(Refusal):
    """Nobody is signed in."""

    code: ClassVar[str] = "unauthenticated"
    kind: ClassVar[Kind] = "unauthenticated"


@dataclass(frozen=True, slots=True)
class BadToken(Refusal):
    """A token that is not valid, or has expired."""

    code: ClassVar[str] = "bad_token"
    kind: ClassVar[Kind] = "unauthenticated"


_bearer = HTTPBearer(auto_error=False, description="A bearer token of the issuer (JWT).")


async def principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Who is calling. Raises the problem 401 `unauthenticated` or `bad_token`."""
    if credentials is None:
        raise Problem(Unauthenticated(), headers={"www-authenticate": "Bearer"})
    tokens: TokenVerifier = request.app.state.tokens
    try:
        return tokens.verify(credentials.credentials)
    except TokenRefused:
        raise Problem(BadToken(), headers={"www-authenticate": 'Bearer error="invalid_token"'}) from None


Caller = Annotated[Principal, Depends(principal)]
"""The type of a route's parameter: `async def route(caller: Caller) -> …`."""


def require(
    caller: Principal,
    operation: Operation,
    unit_path: str | None = None,
    bound_to: tuple[str | None, ...] = (),
) -> None:
    """Raises the problem 403 `forbidden` (no such role) or `out_of_scope` when the caller may not."""
    refusal = permit(caller, operation, unit_path, bound_to)
    if refusal is not None:
        raise Problem(refusal)
