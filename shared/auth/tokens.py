"""Bearer tokens (OIDC access tokens, JWT signed with ES256): checked against the issuer's public keys in a
JWKS file.

Only ES256 is accepted, whatever the token says about itself, and only with a key that the issuer names.
Expiry goes by the time of the machine, also on a sandbox instance: a training clock that jumps a year must
not end every login.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol, KeySet
from pydantic import BaseModel, ConfigDict, Field

from shared.auth.principals import MACHINE_KINDS, ROLES, MachineKind, Principal, Role, RoleGrant
from shared.clock import Clock, SystemClock

ALGORITHM: Final = "ES256"
ROLES_CLAIM: Final = "keypost_roles"
"""The claim with the grants: `[{"role", "unit", "path", "lines"}]`; of a machine also `kind`, `sources`, `counters`."""
DEVELOPMENT_ISSUER: Final = "keypost-development"
DEVELOPMENT_KEY_PREFIX: Final = "development-"

_TOKEN_LENGTH_MAX: Final = 8192
_LEEWAY_SECONDS: Final = 5


class TokenRefused(Exception):
    """The token is no proof of identity. The message is for the log; callers learn nothing but the
    refusal.
    """


class _GrantClaim(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    role: str = Field(max_length=32)
    unit: str = Field(max_length=64)
    path: str = Field(max_length=255, pattern=r"^(/[^/]+)+/?$")
    lines: list[str] = Field(default=[], max_length=16)
    kind: str | None = Field(default=None, max_length=32)
    sources: list[str] = Field(default=[], max_length=100)
    counters: list[str] = Field(default=[], max_length=100)


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    sub: str = Field(min_length=1, max_length=255)
    name: str = Field(default="", max_length=255)
    grants: list[_GrantClaim] = Field(alias=ROLES_CLAIM, max_length=100)


class TokenVerifier:
    """Turns a token into the principal it proves. Reads the keys again when their file has changed."""

    def __init__(
        self,
        jwks_file: Path,
        issuer: str,
        audience: str,
        *,
        mode: str = "development",
        clock: Clock | None = None,
    ) -> None:
        """Raises ValueError in production with a development issuer or key, or when the file holds no
        keys.
        """
        if mode == "production" and issuer == DEVELOPMENT_ISSUER:
            raise ValueError("the development issuer is refused in production")
        self._file = jwks_file
        self._production = mode == "production"
        self._clock = clock or SystemClock()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._stamp = self._file_stamp()
        self._keys = self._read_keys()

    def verify(self, token: str) -> Principal:
        """The principal that a token proves. Raises TokenRefused."""
        if len(token) > _TOKEN_LENGTH_MAX:
            raise TokenRefused("the token is too long")
        try:
            checked = jwt.decode(token, self._key_of, algorithms=[ALGORITHM])
            self._claims.validate(checked.claims)
            claims = _Claims.model_validate(checked.claims)
        except (JoseError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as fault:
            raise TokenRefused(f"{type(fault).__name__}: the token does not hold") from fault
        return Principal(claims.sub, claims.name or claims.sub, _grants(claims.grants))

    def _key_of(self, token: GuestProtocol) -> ECKey:
        kid = token.headers().get("kid")
        if not isinstance(kid, str):
            raise TokenRefused("the token names no key")
        key = self._keys.get(kid)
        if key is None and self._file_stamp() != self._stamp:
            self._stamp = self._file_stamp()
            self._keys = self._read_keys()
            key = self._keys.get(kid)
        if key is None:
            raise TokenRefused("the token names a key that the issuer does not have")
        return key

    def _file_stamp(self) -> tuple[int, int]:
        status = self._file.stat()
        return status.st_mtime_ns, status.st_ino

    def _read_keys(self) -> dict[str, ECKey]:
        keys: dict[str, ECKey] = {}
        for key in KeySet.import_key_set(json.loads(self._file.read_bytes())).keys:
            if isinstance(key, ECKey) and key.kid is not None:
                keys[key.kid] = key
        if not keys:
            raise ValueError(f"{self._file} holds no EC key with an id")
        if self._production and any(kid.startswith(DEVELOPMENT_KEY_PREFIX) for kid in keys):
            raise ValueError("development keys are refused in production")
        return keys


def _grants(claims: list[_GrantClaim]) -> tuple[RoleGrant, ...]:
    """Grants of roles that exist; an issuer may know others, which mean nothing here, and so do its other kinds of
    machines."""
    known: dict[str, Role] = {role: role for role in ROLES}
    kinds: dict[str | None, MachineKind] = {kind: kind for kind in MACHINE_KINDS}
    return tuple(
        RoleGrant(
            known[claim.role],
            claim.unit,
            claim.path,
            tuple(claim.lines),
            kinds.get(claim.kind),
            tuple(claim.sources),
            tuple(claim.counters),
        )
        for claim in claims
        if claim.role in known
    )


def sign(claims: dict[str, Any], key: ECKey) -> str:
    """A token with these claims, naming the key by its id."""
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])
