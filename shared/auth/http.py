"""Identity and permission in a route: FastAPI dependencies over `tokens` and `policy`.

The application keeps its `TokenVerifier` in `app.state.tokens`; `shared.web` puts it there.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.problems import Problem

_bearer = HTTPBearer(auto_error=False, description="A bearer token of the issuer (JWT).")


async def principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Who is calling. Raises the problem 401 `unauthenticated` or `bad_token`."""
    if credentials is None:
        raise Problem(
            401,
            "unauthenticated",
            "请先登录：需要 Bearer 令牌。",
            "A bearer token is needed.",
            headers={"www-authenticate": "Bearer"},
        )
    tokens: TokenVerifier = request.app.state.tokens
    try:
        return tokens.verify(credentials.credentials)
    except TokenRefused:
        raise Problem(
            401,
            "bad_token",
            "令牌无效或已过期。",
            "The token is not valid or has expired.",
            headers={"www-authenticate": 'Bearer error="invalid_token"'},
        ) from None


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
        code = "forbidden" if refusal.reason == "role" else "out_of_scope"
        raise Problem(403, code, refusal.zh, refusal.en, operation=operation)
