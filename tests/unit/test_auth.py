"""Identity and permission: tokens that prove who calls, the development issuer, and every role on every
operation.
"""

from __future__ import annotations

import base64
import json
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared import problems
from shared.auth import development
from shared.auth.development import RefusedInProduction, UnknownUser, ensure_issuer, mint
from shared.auth.http import Caller, require
from shared.auth.policy import (
    LINE_WIDE,
    OPERATIONS,
    TABLE,
    Operation,
    Scope,
    Sending,
    covering,
    lines_shown,
    permit,
    permit_publishing,
    reach,
)
from shared.auth.principals import MACHINE_KINDS, PARTIES, ROLES, Party, Principal, Role, RoleGrant
from shared.auth.tokens import TokenRefused, TokenVerifier, sign
from shared.clock import SystemClock
from shared.problems import sentence

SUZHOU = "/CN/32/3205"
KUNSHAN = "/CN/32/3205/320583"
NANJING = "/CN/32/3201"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    ensure_issuer(tmp_path / "secrets")
    return tmp_path / "secrets"


def _verifier(secrets: Path, **changes: Any) -> TokenVerifier:
    settings = {"issuer": "keypost-development", "audience": "keypost", **changes}
    return TokenVerifier(secrets / "jwks.json", **settings)


ROLE_OF: dict[Party, Role] = {
    party: role for party in PARTIES for role in ROLES if party.split(":")[0] == role
}
KIND_OF = {f"service:{kind}": kind for kind in MACHINE_KINDS}


def _holder(party: Party, path: str, user: str = "somebody") -> Principal:
    grant = RoleGrant(ROLE_OF[party], path.rpartition("/")[2], path, kind=KIND_OF.get(party))
    assert grant.party == party
    return Principal(user, user, (grant,))


# --- Tokens -------------------------------------------------------------------------------------------------


@pytest.mark.req("PLT-12")
def test_a_token_of_the_development_issuer_proves_the_user_with_roles_and_units(secrets: Path) -> None:
    operator = _verifier(secrets).verify(mint(secrets, "operator"))
    assert (operator.user, operator.name) == ("operator", "值班员")
    assert {(grant.role, grant.path) for grant in operator.roles} == {("centre", "/CN"), ("steward", "/CN")}


@pytest.mark.req("PLT-12")
def test_every_listed_user_and_machine_gets_a_token_that_holds(secrets: Path) -> None:
    verifier = _verifier(secrets)
    for user in development.users(secrets):
        assert verifier.verify(mint(secrets, user.user)) == user
    with pytest.raises(UnknownUser):
        mint(secrets, "nobody")


@pytest.mark.req("PLT-12")
def test_secrets_are_readable_by_their_owner_only_and_survive_a_second_start(secrets: Path) -> None:
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    token = mint(secrets, "operator")
    ensure_issuer(secrets)
    assert {file.name: file.read_bytes() for file in secrets.iterdir()} == before
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in secrets.iterdir())
    assert _verifier(secrets).verify(token).user == "operator"


@pytest.mark.req("PLT-12")
def test_the_public_key_file_holds_no_private_part_and_is_completed_when_missing(secrets: Path) -> None:
    jwks = secrets / "jwks.json"
    (key,) = json.loads(jwks.read_text())["keys"]
    assert "d" not in key
    token = mint(secrets, "operator")
    jwks.unlink()
    ensure_issuer(secrets)
    assert _verifier(secrets).verify(token).user == "operator"


@pytest.mark.req("PLT-12")
def test_development_credentials_are_refused_in_production(secrets: Path) -> None:
    with pytest.raises(RefusedInProduction):
        ensure_issuer(secrets, mode="production")
    with pytest.raises(RefusedInProduction):
        mint(secrets, "operator", mode="production")
    with pytest.raises(ValueError, match="development issuer"):
        _verifier(secrets, mode="production")
    with pytest.raises(ValueError, match="development keys"):
        _verifier(secrets, mode="production", issuer="https://login.example")


class _Stopped:
    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant


@pytest.mark.req("PLT-12")
def test_a_token_ends(secrets: Path) -> None:
    past = _Stopped(SystemClock().now() - development.LIFETIME - timedelta(minutes=1))
    with pytest.raises(TokenRefused):
        _verifier(secrets).verify(mint(secrets, "operator", clock=past))


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(SystemClock().now().timestamp())
    claims = {
        "iss": "keypost-development",
        "aud": "keypost",
        "sub": "operator",
        "exp": now + 600,
        "keypost_roles": [{"role": "centre", "unit": "CN", "path": "/CN", "lines": []}],
    }
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


@pytest.mark.req("PLT-12")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody-else"},
        {"iss": None},
        {"aud": "another-system"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 99999999999},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"keypost_roles": None},
        {"keypost_roles": "centre"},
        {"keypost_roles": [{"role": "centre", "unit": "CN", "path": "CN"}]},
        {"keypost_roles": [{"role": "centre", "unit": "CN", "path": ""}]},
    ],
)
def test_a_token_with_wrong_claims_is_refused(secrets: Path, changes: dict[str, Any]) -> None:
    key = ECKey.import_key(json.loads((secrets / "issuer-key.json").read_text()))
    assert _verifier(secrets).verify(sign(_claims(), key)).user == "operator"
    with pytest.raises(TokenRefused):
        _verifier(secrets).verify(sign(_claims(**changes), key))


@pytest.mark.req("PLT-12")
def test_tokens_that_prove_nothing_are_refused(secrets: Path) -> None:
    verifier = _verifier(secrets)
    own = ECKey.import_key(json.loads((secrets / "issuer-key.json").read_text()))
    kid = own.kid
    good = sign(_claims(), own)
    header, payload, signature = good.split(".")

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    public = (secrets / "jwks.json").read_bytes()
    foreign = ECKey.generate_key("P-256", {"kid": kid})
    unknown = ECKey.generate_key("P-256", {"kid": "other"})
    forged = part(_claims(sub="admin"))
    for token in (
        f"{part({'alg': 'none', 'kid': kid})}.{payload}.",
        f"{part({'alg': 'none'})}.{payload}.",
        jwt.encode({"alg": "HS256", "kid": kid}, _claims(), OctKey.import_key(public), algorithms=["HS256"]),
        jwt.encode({"alg": "ES256"}, _claims(), own, algorithms=["ES256"]),
        sign(_claims(), foreign),
        sign(_claims(), unknown),
        f"{header}.{forged}.{signature}",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}AA",
        f"{part({'alg': 'ES256', 'kid': 'x' * 7000})}.{payload}.{signature}",
        f"{part({'alg': 'ES256', 'kid': ['a']})}.{payload}.{signature}",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + f".{payload}.{signature}",
        "",
        "...",
        "ünïcode.a.b",
        good * 20,
    ):
        with pytest.raises(TokenRefused):
            verifier.verify(token)


@pytest.mark.req("PLT-12")
def test_a_new_key_of_the_issuer_is_found_without_a_restart(secrets: Path) -> None:
    verifier = _verifier(secrets)
    (secrets / "issuer-key.json").unlink()
    (secrets / "jwks.json").unlink()
    ensure_issuer(secrets)
    assert verifier.verify(mint(secrets, "centre")).user == "centre"


@pytest.mark.req("PLT-12")
def test_the_development_users_are_those_of_the_staff_file() -> None:
    root = Path(__file__).resolve().parents[2] / "services/registry/data"
    if not root.exists():
        pytest.skip("this tree is that of another service alone")
    staff = yaml.safe_load((root / "staff.yaml").read_text())["staff"]
    units = {unit["code"]: unit for unit in yaml.safe_load((root / "organisation.yaml").read_text())["units"]}

    def path(code: str) -> str:
        parent = units[code].get("parent")
        return f"{path(parent) if parent else ''}/{code}"

    assert {
        (
            user["user"],
            user["name_zh"],
            role["role"],
            role["unit"],
            path(role["unit"]),
            tuple(units[role["unit"]].get("lines", ())),
        )
        for user in staff
        for role in user["roles"]
    } == {
        (user.user, user.name, grant.role, grant.unit, grant.path, grant.lines)
        for user in development.PEOPLE
        for grant in user.roles
    }


# --- Policy -------------------------------------------------------------------------------------------------

READERS: set[Party] = {"reviewer", "centre", "steward", "approver", "auditor", "province", "national"}
MACHINES: set[Party] = {"service:counter", "service:subscriber", "service:internal"}
MAY: dict[Operation, set[Party]] = {
    "customers.import": {"centre"},
    "customers.read": READERS | {"manager"},
    "customers.declare": {"manager", "reviewer", "centre"},
    "declarations.read": READERS | {"manager"},
    "declarations.pre_review": {"reviewer"},
    "declarations.decide": {"centre"},
    "agreements.write": {"centre"},
    "codes.map": {"steward"},
    "codes.read": {"steward", "centre", "auditor", "province", "national"},
    "merges.propose": {"steward", "centre"},
    "merges.sign": {"approver"},
    "merges.read": {"steward", "centre", "approver", "auditor", "province", "national"},
    "plans.file": {"manager", "reviewer", "centre"},
    "plans.read": READERS | {"manager"},
    "plans.review": {"centre"},
    "plans.progress": {"manager", "reviewer", "centre"},
    "windows.read": READERS | {"manager"},
    "cases.read": {"centre", "auditor", "province", "national"},
    "cases.decide": {"centre"},
    "views.rebuild": {"steward", "centre"},
    "transactions.publish": {"service:counter", "steward"},
    "tiers.read": READERS | {"manager", "service:subscriber"},
    "evidence.read": READERS | {"manager"},
    "periods.close": {"steward", "centre"},
    "dead_letters.read": {"steward", "centre", "auditor"},
    "dead_letters.replay": {"steward", "centre"},
    "consumers.rewind": {"steward", "centre"},
    "suspense.read": {"steward", "centre", "auditor", "province", "national"},
    "suspense.decide": {"steward", "centre"},
    "ops.progress": {"service:internal"},
    "units.read": READERS | MACHINES | {"manager", "admin"},
    "staff.read": {
        "manager",
        "reviewer",
        "centre",
        "steward",
        "approver",
        "auditor",
        "province",
        "national",
        "admin",
    },
}
"""The expectation, written out once more by hand: a change of the table has to be meant twice."""


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("party", PARTIES)
def test_every_role_and_kind_of_machine_on_every_operation(party: Party, operation: Operation) -> None:
    allowed = party in MAY[operation]
    refusal = permit(_holder(party, "/CN"), operation, KUNSHAN, bound_to=("somebody",))
    assert (refusal is None) == allowed
    if refusal is not None:
        assert (refusal.code, refusal.operation) == ("forbidden", operation)
        assert sentence(refusal, "zh-CN") != sentence(refusal, "en")


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("party", "operation"),
    [(party, operation) for operation, parties in MAY.items() for party in sorted(parties)],
)
def test_a_role_ends_at_the_border_of_its_unit(party: Party, operation: Operation) -> None:
    scope = TABLE[operation][party]
    local = _holder(party, SUZHOU)
    mine = ("somebody",)
    elsewhere = permit(local, operation, NANJING, mine)
    assert elsewhere is not None
    assert elsewhere.code == "out_of_scope"
    assert permit(local, operation, "/CN", mine) is not None, "the unit above is not covered"
    assert permit(local, operation, "/CN/32/32055", mine) is not None, (
        "a code that begins alike is another unit"
    )
    inside = permit(local, operation, KUNSHAN, mine)
    assert (inside is None) == (scope is not Scope.WHOLE)
    assert permit(_holder(party, "/CN"), operation, KUNSHAN, mine) is None


@pytest.mark.req("PLT-12", "PLT-13")
def test_a_service_of_no_kind_proves_a_name_and_may_nothing() -> None:
    nameless = Principal("x", "x", (RoleGrant("service", "CN", "/CN"),))
    assert all(permit(nameless, operation) is not None for operation in OPERATIONS)


@pytest.mark.req("PLT-12", "PLT-13")
def test_each_kind_of_machine_may_its_own_business_alone(secrets: Path) -> None:
    verifier = _verifier(secrets)

    def business(user: str) -> set[Operation]:
        machine = verifier.verify(mint(secrets, user))
        return {operation for operation in OPERATIONS if permit(machine, operation) is None}

    assert business("service:counter") == {"transactions.publish", "units.read"}
    assert business("service:counter-suzhou") == {"transactions.publish", "units.read"}
    assert business("service:subscriber") == {"tiers.read", "units.read"}
    for internal in ("registry", "tiering", "claims", "reporting", "verifier", "cli"):
        assert business(f"service:{internal}") == {"ops.progress", "units.read"}


@pytest.mark.req("PLT-12")
def test_a_user_list_made_before_machines_had_kinds_still_tells_them_apart(secrets: Path) -> None:
    file = secrets / "users.json"
    listed = json.loads(file.read_text())
    for user in listed:
        for grant in user["roles"]:
            for name in ("kind", "sources", "counters"):
                grant.pop(name, None)
    file.write_text(json.dumps(listed))
    machine = _verifier(secrets).verify(mint(secrets, "service:subscriber"))
    assert [grant.party for grant in machine.roles] == ["service:subscriber"]


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize("party", ["steward", "service:counter"])
@pytest.mark.parametrize(
    ("counter", "customer", "against"),
    [
        (KUNSHAN, SUZHOU, None),
        (KUNSHAN, None, None),
        (None, SUZHOU, None),
        (NANJING, SUZHOU, "unit"),
        (KUNSHAN, NANJING, "unit"),
        (NANJING, None, "unit"),
        (None, None, "unit"),
    ],
)
def test_a_transaction_is_published_within_the_units_of_its_counter_and_its_customer(
    party: Party, counter: str | None, customer: str | None, against: str | None
) -> None:
    sending = Sending("/counters/320500", "32050001", counter, customer)
    assert permit_publishing(_holder(party, SUZHOU), sending) == against
    assert permit_publishing(_holder(party, "/CN"), sending) is None
    assert permit_publishing(_holder("service:subscriber", "/CN"), sending) == "role"


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("source", "counter", "against"),
    [
        ("/counters/320500", "32050001", None),
        ("/counters/320583", "32058301", None),
        ("/counters/320100", "32050001", "source"),
        ("/counters/32050", "32050001", None),
        ("/counters/3205", "32050001", None),
        ("/counters/320", "32050001", "source"),
        ("/counters/320500", "32010001", "counter_id"),
    ],
)
def test_a_counter_system_speaks_for_its_own_sources_and_counters(
    source: str, counter: str, against: str | None
) -> None:
    machine = next(each for each in development.MACHINES if each.user == "service:counter-suzhou")
    assert permit_publishing(machine, Sending(source, counter, SUZHOU, SUZHOU)) == against
    assert permit_publishing(machine, Sending(source, counter, None, None)) == against, (
        "an outlet not known yet"
    )


@pytest.mark.req("PLT-13")
def test_one_grant_has_to_cover_all_that_a_transaction_concerns() -> None:
    """Two halves of a right do not make a whole one."""
    both = Principal(
        "x",
        "x",
        (
            RoleGrant("service", "3205", SUZHOU, kind="counter", sources=("/a",)),
            RoleGrant("service", "3201", NANJING, kind="counter", sources=("/b",)),
        ),
    )
    assert permit_publishing(both, Sending("/a", "1", SUZHOU, SUZHOU)) is None
    assert permit_publishing(both, Sending("/b", "1", SUZHOU, SUZHOU)) == "source"
    assert permit_publishing(both, Sending("/a", "1", SUZHOU, NANJING)) == "unit"


@pytest.mark.req("PLT-13")
def test_of_several_grants_the_widest_one_is_acted_by() -> None:
    person = Principal("x", "x", (RoleGrant("steward", "3205", SUZHOU), RoleGrant("steward", "CN", "/CN")))
    found = covering(person, "codes.map", KUNSHAN)
    assert found is not None
    assert found.path == "/CN"
    assert covering(_holder("steward", SUZHOU), "codes.map", NANJING) is None
    assert covering(_holder("centre", "/CN"), "codes.map", NANJING) is None


@pytest.mark.req("PLT-13")
def test_a_manager_sees_the_customers_bound_to_them_and_no_others() -> None:
    manager = _holder("manager", SUZHOU, "manager")
    assert permit(manager, "customers.read", KUNSHAN, ("manager", None)) is None
    refusal = permit(manager, "customers.read", KUNSHAN, ("manager-b", None))
    assert refusal is not None
    assert refusal.code == "out_of_scope"
    assert reach(manager, "customers.read").own_paths == (SUZHOU,)
    assert reach(manager, "customers.read").paths == ()


EXPRESS = Principal(
    "x", "x", (RoleGrant("reviewer", "3205-express", f"{SUZHOU}/3205-express", ("express",)),)
)


@pytest.mark.req("PLT-13")
def test_a_professional_unit_covers_its_line_over_the_whole_city() -> None:
    found = reach(EXPRESS, "customers.read")
    assert (found.paths, found.lines) == ((SUZHOU,), ((SUZHOU, "express"),))
    for operation in ("customers.read", "tiers.read", "evidence.read"):
        assert permit(EXPRESS, operation, KUNSHAN) is None
        assert permit(EXPRESS, operation, NANJING) is not None
        assert permit(EXPRESS, operation, "/CN/32") is not None
    assert lines_shown(EXPRESS, "tiers.read", KUNSHAN) == {"express"}


@pytest.mark.req("PLT-13")
def test_what_the_people_of_a_professional_unit_do_concerns_their_own_unit() -> None:
    bureau, sibling = f"{SUZHOU}/3205-express", f"{SUZHOU}/3205-letters"
    for operation in OPERATIONS:
        if "reviewer" in MAY[operation] and operation not in LINE_WIDE:
            assert permit(EXPRESS, operation, bureau) is None, operation
            assert permit(EXPRESS, operation, sibling) is not None, operation
            assert permit(EXPRESS, operation, SUZHOU) is not None, operation
            assert reach(EXPRESS, operation).paths == (bureau,)


@pytest.mark.req("PLT-13")
def test_who_holds_another_role_as_well_sees_by_each_what_it_shows() -> None:
    county = RoleGrant("reviewer", "320583", KUNSHAN)
    both = Principal("x", "x", (*EXPRESS.roles, county))
    assert lines_shown(both, "customers.read", KUNSHAN) is None
    assert lines_shown(both, "customers.read", SUZHOU) == {"express"}
    unbound = reach(Principal("x", "x", (county,)), "customers.read")
    assert unbound.lines is None
    assert set(reach(both, "customers.read").lines or ()) >= {(SUZHOU, "express"), (KUNSHAN, "letters")}


@pytest.mark.req("PLT-13")
def test_the_administrator_has_no_part_in_customer_data() -> None:
    admin = _holder("admin", "/CN")
    assert {op for op in OPERATIONS if permit(admin, op, "/CN") is None} == {"units.read", "staff.read"}


@pytest.mark.req("PLT-13")
def test_the_auditor_changes_nothing() -> None:
    auditor = _holder("auditor", "/CN")
    assert all(op.endswith(".read") for op in OPERATIONS if permit(auditor, op, "/CN") is None)


@pytest.mark.req("PLT-13")
def test_nobody_without_roles_may_anything() -> None:
    assert all(permit(Principal("x", "x", ()), op) is not None for op in OPERATIONS)


@pytest.mark.req("PLT-13")
def test_the_default_operator_can_do_the_main_job() -> None:
    operator = next(user for user in development.PEOPLE if user.user == "operator")
    for operation in OPERATIONS:
        expected = operation not in ("ops.progress", "declarations.pre_review", "merges.sign")
        assert (permit(operator, operation, "/CN") is None) == expected


@pytest.mark.req("PLT-13")
def test_lists_reach_as_far_as_the_grants_do() -> None:
    both = Principal("x", "x", (RoleGrant("centre", "3205", SUZHOU), RoleGrant("steward", "3201", NANJING)))
    assert reach(both, "customers.import").paths == (SUZHOU,)
    assert reach(both, "suspense.read").paths == (SUZHOU, NANJING)
    assert reach(both, "dead_letters.read").paths == ()


# --- Routes -------------------------------------------------------------------------------------------------


@pytest.mark.req("PLT-12", "PLT-13")
async def test_a_route_knows_its_caller_and_refuses_others(secrets: Path) -> None:
    app = FastAPI()
    app.state.tokens = _verifier(secrets)
    problems.install(app)

    @app.get("/v1/whoami")
    async def whoami(caller: Caller) -> str:
        require(caller, "customers.import", KUNSHAN)
        return caller.user

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def ask(user: str | None) -> httpx.Response:
            header = {} if user is None else {"Authorization": f"Bearer {mint(secrets, user)}"}
            return await client.get("/v1/whoami", headers={"Accept-Language": "en", **header})

        assert (await ask("centre")).json() == "centre"
        assert (await ask(None)).json()["code"] == "unauthenticated"
        assert (await ask("manager")).json()["code"] == "forbidden"
        assert (await ask("centre-nanjing")).json()["code"] == "out_of_scope"
        bad = await client.get("/v1/whoami", headers={"Authorization": "Bearer x.y.z"})
        assert (bad.status_code, bad.json()["code"]) == (401, "bad_token")
        assert bad.headers["www-authenticate"].startswith("Bearer")
