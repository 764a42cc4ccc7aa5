"""The development issuer: a key, its JWKS file and a list of users in the secrets folder of an instance.

For development, training and tests. Everything it makes is marked as such (issuer and key id), and a service
in production refuses both. All users are made up; they are those of the registry's own staff file.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import ECKey, KeySet

from shared.auth.principals import MachineKind, Principal, Role, RoleGrant
from shared.auth.tokens import ALGORITHM, DEVELOPMENT_ISSUER, DEVELOPMENT_KEY_PREFIX, ROLES_CLAIM, sign
from shared.clock import Clock, SystemClock
from shared.contracts.topics import SERVICES
from shared.ids import new_id

AUDIENCE: Final = "keypost"
KEY_FILE: Final = "issuer-key.json"
JWKS_FILE: Final = "jwks.json"
USERS_FILE: Final = "users.json"

LIFETIME: Final = timedelta(hours=12)
"""Of a person's token; long enough for a day of work at the command line."""
SERVICE_LIFETIME: Final = timedelta(minutes=15)


class UnknownUser(LookupError):
    """The development issuer knows nobody of this name."""


class RefusedInProduction(RuntimeError):
    """Development credentials were asked for in production."""


def _on(role: Role, unit: str, *lines: str) -> RoleGrant:
    """A grant in the organisation of Jiangsu, whose unit codes begin with those of the units above them."""
    steps = ["CN"] if unit == "CN" else list(dict.fromkeys(["CN", "32", unit[:4], unit]))
    path = "".join(f"/{step}" for step in steps)
    return RoleGrant(role, unit, path, lines)


PEOPLE: Final[tuple[Principal, ...]] = (
    Principal("operator", "值班员", (_on("centre", "CN"), _on("steward", "CN"))),
    Principal("manager", "李明", (_on("manager", "3205"),)),
    Principal("manager-b", "王芳", (_on("manager", "3205"),)),
    Principal("manager-nanjing", "赵强", (_on("manager", "3201"),)),
    Principal("reviewer", "陈静", (_on("reviewer", "3205-express", "express"),)),
    Principal("reviewer-kunshan", "周涛", (_on("reviewer", "320583"),)),
    Principal("reviewer-nanjing", "高翔", (_on("reviewer", "3201-letters", "letters"),)),
    Principal("centre", "刘洋", (_on("centre", "3205"),)),
    Principal("centre-nanjing", "孙丽", (_on("centre", "3201"),)),
    Principal("steward", "吴磊", (_on("steward", "3205"),)),
    Principal("approver", "郑敏", (_on("approver", "3205"),)),
    Principal("approver-business", "冯军", (_on("approver", "3205"),)),
    Principal("approver-supervision", "韩雪", (_on("approver", "3205"),)),
    Principal("auditor", "杨帆", (_on("auditor", "32"),)),
    Principal("province", "许文", (_on("province", "32"),)),
    Principal("national", "何平", (_on("national", "CN"),)),
    Principal("admin", "系统管理员", (_on("admin", "CN"),)),
)


def _machine(
    name: str,
    kind: MachineKind,
    unit: str = "CN",
    sources: tuple[str, ...] = (),
    counters: tuple[str, ...] = (),
) -> Principal:
    grant = replace(_on("service", unit), kind=kind, sources=sources, counters=counters)
    return Principal(f"service:{name}", name, (grant,))


MACHINES: Final[tuple[Principal, ...]] = (
    *(_machine(name, "internal") for name in (*SERVICES, "verifier", "cli")),
    # Every counter at once, and one city's counter system, which speaks for its own outlets alone.
    _machine("counter", "counter"),
    _machine("counter-suzhou", "counter", "3205", sources=("/counters/3205*",), counters=("3205*",)),
    _machine("subscriber", "subscriber"),
)


_KINDS: Final = {machine.user: machine.roles[0].kind for machine in MACHINES}


def ensure_issuer(secrets_dir: Path, mode: str = "development") -> None:
    """Makes the key, the JWKS file and the user list where they are missing; all of them readable by the
    owner only.

    A second call changes nothing, so that tokens stay valid over restarts, and so does a user list edited by
    hand.
    """
    _refuse_production(mode)
    secrets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = secrets_dir / KEY_FILE
    if not key_file.exists():
        kid = f"{DEVELOPMENT_KEY_PREFIX}{new_id()[:8]}"
        key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": ALGORITHM})
        _write(key_file, key.as_dict(private=True))
    # The public half follows the private one: a start that died between the two files is completed by the
    # next.
    public = KeySet([_key(secrets_dir)]).as_dict(private=False)
    jwks_file = secrets_dir / JWKS_FILE
    if not jwks_file.exists() or json.loads(jwks_file.read_bytes()) != public:
        _write(jwks_file, public)
    users_file = secrets_dir / USERS_FILE
    if not users_file.exists():
        _write(users_file, [_as_json(user) for user in (*PEOPLE, *MACHINES)])


def users(secrets_dir: Path) -> tuple[Principal, ...]:
    """Everybody whom the issuer of this folder can make a token for."""
    found = json.loads((secrets_dir / USERS_FILE).read_bytes())
    return tuple(
        Principal(
            user["user"],
            user["name"],
            tuple(
                RoleGrant(
                    grant["role"],
                    grant["unit"],
                    grant["path"],
                    tuple(grant["lines"]),
                    # A list made before machines had kinds names none.
                    grant.get("kind") or _KINDS.get(user["user"]),
                    tuple(grant.get("sources", ())),
                    tuple(grant.get("counters", ())),
                )
                for grant in user["roles"]
            ),
        )
        for user in found
    )


def mint(secrets_dir: Path, user: str, mode: str = "development", clock: Clock | None = None) -> str:
    """A token for one of the users. Raises UnknownUser, and RefusedInProduction in production."""
    _refuse_production(mode)
    for known in users(secrets_dir):
        if known.user == user:
            return _token(known, _key(secrets_dir), clock or SystemClock())
    raise UnknownUser(user)


def _token(user: Principal, key: ECKey, clock: Clock) -> str:
    now = clock.now()
    lifetime = SERVICE_LIFETIME if user.holds("service") else LIFETIME
    said = _as_json(user)
    return sign(
        {
            "iss": DEVELOPMENT_ISSUER,
            "aud": AUDIENCE,
            "sub": user.user,
            "name": user.name,
            ROLES_CLAIM: said["roles"],
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": new_id(),
        },
        key,
    )


def _key(secrets_dir: Path) -> ECKey:
    return ECKey.import_key(json.loads((secrets_dir / KEY_FILE).read_bytes()))


def _as_json(user: Principal) -> dict[str, Any]:
    return {
        "user": user.user,
        "name": user.name,
        "roles": [_grant_as_json(grant) for grant in user.roles],
    }


def _grant_as_json(grant: RoleGrant) -> dict[str, Any]:
    said: dict[str, Any] = {
        "role": grant.role,
        "unit": grant.unit,
        "path": grant.path,
        "lines": list(grant.lines),
    }
    if grant.kind is not None:
        said |= {"kind": grant.kind, "sources": list(grant.sources), "counters": list(grant.counters)}
    return said


def _write(path: Path, content: Any) -> None:
    """Writes a file that is never readable by others, not even for a moment, and never half written."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _refuse_production(mode: str) -> None:
    if mode == "production":
        raise RefusedInProduction("development credentials do not exist in production")
