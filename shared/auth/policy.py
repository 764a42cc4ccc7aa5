"""Who may do what: one table for the whole system (00-overview, roles), asked by every service.

The database enforces the scope once more by row-level security; this module decides first and says why not.

How the sentence "steward … with centre: closing periods, dead-letter replay, deciding suspense" is read:
these are duties that the two roles share, so either of them suffices (other pages let "a steward" decide
suspense by himself). A close and the dead letters concern the whole organisation, so they need the role on
the root of the tree.

A professional unit covers its line (00-overview): the people of the express bureau of a city see the express of the whole
city, its customers with their express revenue and nothing of other lines. That is reading (`LINE_WIDE`); what they do
concerns their own unit.

`admin` keeps the organisation and has no part in customer data; `auditor` reads and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Literal, get_args

from shared.auth.principals import Party, Principal, RoleGrant
from shared.kernel.lines import LINES
from shared.kernel.refusals import Kind, Refusal
from shared.kernel.senders import foreign
from shared.kernel.units import covers

Operation = Literal[
    "customers.import",
    "customers.read",
    "customers.declare",
    "declarations.read",
    "declarations.pre_review",
    "declarations.decide",
    "agreements.write",
    "codes.map",
    "codes.read",
    "merges.propose",
    "merges.sign",
    "merges.read",
    "plans.file",
    "plans.read",
    "plans.review",
    "plans.progress",
    "windows.read",
    "cases.read",
    "cases.decide",
    "views.rebuild",
    "transactions.publish",
    "tiers.read",
    "evidence.read",
    "periods.close",
    "dead_letters.read",
    "dead_letters.replay",
    "consumers.rewind",
    "suspense.read",
    "suspense.decide",
    "ops.progress",
    "units.read",
    "staff.read",
]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)


class Scope(Enum):
    """How far a role carries in an operation."""

    COVERED = "the units that the grant covers"
    OWN = "what is bound to the person, within the units that the grant covers"
    WHOLE = "the whole organisation; only a grant on its root counts"


@dataclass(frozen=True, slots=True)
class Forbidden(Refusal):
    """None of the caller's roles may do this; `needed` are those that may."""

    operation: Operation
    needed: tuple[Party, ...]
    code: ClassVar[str] = "forbidden"
    kind: ClassVar[Kind] = "forbidden"

    def sentence(self) -> str:
        return "forbidden_role"

    def members(self) -> Mapping[str, Any]:
        return {"operation": self.operation}


@dataclass(frozen=True, slots=True)
class OutOfScope(Refusal):
    """The caller's role may do this, but not for this unit or this customer."""

    operation: Operation
    code: ClassVar[str] = "out_of_scope"
    kind: ClassVar[Kind] = "forbidden"


NotPermitted = Forbidden | OutOfScope


def _all(scope: Scope, *roles: Party) -> dict[Party, Scope]:
    return dict.fromkeys(roles, scope)


_READERS: Final[Mapping[Party, Scope]] = {
    "manager": Scope.OWN,
    **_all(
        Scope.COVERED,
        "reviewer",
        "centre",
        "steward",
        "approver",
        "auditor",
        "province",
        "national",
    ),
}

TABLE: Final[Mapping[Operation, Mapping[Party, Scope]]] = {
    "customers.import": _all(Scope.COVERED, "centre"),
    "customers.read": _READERS,
    "customers.declare": _all(Scope.COVERED, "manager", "reviewer", "centre"),
    "declarations.read": _READERS,
    "declarations.pre_review": _all(Scope.COVERED, "reviewer"),
    "declarations.decide": _all(Scope.COVERED, "centre"),
    "agreements.write": _all(Scope.COVERED, "centre"),
    "codes.map": _all(Scope.COVERED, "steward"),
    "codes.read": _all(Scope.COVERED, "steward", "centre", "auditor", "province", "national"),
    "merges.propose": _all(Scope.COVERED, "steward", "centre"),
    "merges.sign": _all(Scope.COVERED, "approver"),
    "merges.read": _all(Scope.COVERED, "steward", "centre", "approver", "auditor", "province", "national"),
    "plans.file": _all(Scope.COVERED, "manager", "reviewer", "centre"),
    "plans.read": _READERS,
    "plans.review": _all(Scope.COVERED, "centre"),
    "plans.progress": {"manager": Scope.OWN, **_all(Scope.COVERED, "reviewer", "centre")},
    # Who holds which customer until when is published inside the whole organisation (S3 art.12(2)): a role anywhere
    # suffices, and lists of it are not narrowed.
    "windows.read": {
        "manager": Scope.COVERED,
        **_all(Scope.COVERED, *(r for r in _READERS if r != "manager")),
    },
    "cases.read": _all(Scope.COVERED, "centre", "auditor", "province", "national"),
    "cases.decide": _all(Scope.COVERED, "centre"),
    "views.rebuild": _all(Scope.WHOLE, "steward", "centre"),
    # What is published is asked about item by item (`permit_publishing`).
    "transactions.publish": _all(Scope.COVERED, "service:counter", "steward"),
    "tiers.read": {**_READERS, **_all(Scope.COVERED, "service:subscriber")},
    # The bookings behind a tier are a customer's trade with the post, which no subscriber needs.
    "evidence.read": _READERS,
    "periods.close": _all(Scope.WHOLE, "steward", "centre"),
    "dead_letters.read": _all(Scope.WHOLE, "steward", "centre", "auditor"),
    "dead_letters.replay": _all(Scope.WHOLE, "steward", "centre"),
    "consumers.rewind": _all(Scope.WHOLE, "steward", "centre"),
    "suspense.read": _all(Scope.COVERED, "steward", "centre", "auditor", "province", "national"),
    "suspense.decide": _all(Scope.COVERED, "steward", "centre"),
    "ops.progress": _all(Scope.WHOLE, "service:internal"),
    "units.read": {
        "manager": Scope.COVERED,
        **_all(
            Scope.COVERED,
            "reviewer",
            "centre",
            "steward",
            "approver",
            "auditor",
            "province",
            "national",
            "admin",
            "service:counter",
            "service:subscriber",
            "service:internal",
        ),
    },
    # Whoever works with others' acts reads who did them: names, offices and roles within one's own units.
    "staff.read": {
        "manager": Scope.COVERED,
        **_all(
            Scope.COVERED,
            "reviewer",
            "centre",
            "steward",
            "approver",
            "auditor",
            "province",
            "national",
            "admin",
        ),
    },
}
"""Operation → role or kind of machine → how far it carries. Who is not named may not."""


LINE_WIDE: Final[frozenset[Operation]] = frozenset(
    ("customers.read", "tiers.read", "evidence.read", "suspense.read")
)
"""What a professional unit's people may do over the whole part of the tree that their line extends over."""


def _path_of(grant: RoleGrant, operation: Operation) -> str:
    return grant.line_path if operation in LINE_WIDE else grant.path


def permit(
    principal: Principal,
    operation: Operation,
    unit_path: str | None = None,
    bound_to: tuple[str | None, ...] = (),
) -> NotPermitted | None:
    """None when the principal may, else why not.

    `unit_path` is the unit that what is touched belongs to, `bound_to` its managers. Without a `unit_path`
    the question is whether the principal may do this anywhere: right for lists, which the caller then narrows
    to `reach`. What belongs to no unit anybody knows (a held transaction of an unknown code) is asked about
    with the root's path.
    """
    scopes = TABLE[operation]
    grants = [grant for grant in principal.roles if grant.party in scopes]
    if not grants:
        return Forbidden(operation, tuple(scopes))
    for grant in grants:
        if _carries(grant, scopes[grant.party], operation, principal.user, unit_path, bound_to):
            return None
    return OutOfScope(operation)


def covering(principal: Principal, operation: Operation, unit_path: str) -> RoleGrant | None:
    """The grant by which the principal may do this to what belongs to a unit, the widest where there are several."""
    scopes = TABLE[operation]
    grants = [
        grant
        for grant in principal.roles
        if (scope := scopes.get(grant.party)) is not None
        and _carries(grant, scope, operation, principal.user, unit_path, (principal.user,))
    ]
    return min(grants, key=lambda grant: grant.path.count("/"), default=None)


def everywhere(principal: Principal, operation: Operation) -> bool:
    """Whether the principal may do this to what belongs to any unit at all."""
    return any(grant.of_everything and grant.party in TABLE[operation] for grant in principal.roles)


@dataclass(frozen=True, slots=True)
class Sending:
    """A transaction that somebody wants to publish: in whose name, and the units that it concerns as far as anybody knows
    them, the counter's and the customer's."""

    source: str
    counter_id: str
    counter_path: str | None
    customer_path: str | None


def permit_publishing(principal: Principal, sending: Sending) -> str | None:
    """None where one grant lets the principal publish this, else what stands against it: `role`, the field `source` or
    `counter_id` that the grant does not name, or `unit`.

    What concerns no unit that anybody knows is published by a grant on the root, or by one that names the counter.
    """
    grants = [grant for grant in principal.roles if grant.party in TABLE["transactions.publish"]]
    against = "role"
    for grant in grants:
        paths = [path for path in (sending.counter_path, sending.customer_path) if path is not None]
        if not (all(map(grant.covers, paths)) if paths else grant.of_everything or grant.counters):
            against = "unit" if against == "role" else against
            continue
        field = foreign(grant.sources, grant.counters, sending.source, sending.counter_id)
        if field is None:
            return None
        against = field
    return against


def _carries(
    grant: RoleGrant,
    scope: Scope,
    operation: Operation,
    user: str,
    unit_path: str | None,
    bound_to: tuple[str | None, ...],
) -> bool:
    if scope is Scope.WHOLE:
        return grant.of_everything
    if unit_path is None:
        return True
    if not covers(_path_of(grant, operation), unit_path):
        return False
    return scope is not Scope.OWN or user in bound_to


@dataclass(frozen=True, slots=True)
class Reach:
    """What a list may show: everything under `paths`, and what is bound to `own_user` under `own_paths`. Where `lines` is
    not None, what belongs to a line is shown for these pairs of path and line alone."""

    paths: tuple[str, ...]
    own_user: str
    own_paths: tuple[str, ...]
    lines: tuple[tuple[str, str], ...] | None = None


def reach(principal: Principal, operation: Operation) -> Reach:
    """The part of the organisation that a list of this operation may show. Paths inside one another are left
    in.
    """
    scopes = TABLE[operation]
    paths: list[str] = []
    own_paths: list[str] = []
    lines: list[tuple[str, str]] = []
    bound = False
    for grant in principal.roles:
        scope = scopes.get(grant.party)
        if scope is Scope.COVERED or (scope is Scope.WHOLE and grant.of_everything):
            path = _path_of(grant, operation)
            paths.append(path)
            bound = bound or bool(grant.lines)
            lines.extend((path, line) for line in grant.lines or LINES)
        elif scope is Scope.OWN:
            own_paths.append(grant.path)
    return Reach(
        tuple(dict.fromkeys(paths)),
        principal.user,
        tuple(dict.fromkeys(own_paths)),
        tuple(dict.fromkeys(lines)) if bound else None,
    )


def lines_shown(principal: Principal, operation: Operation, unit_path: str) -> frozenset[str] | None:
    """The lines that the principal sees of what belongs to a unit; None means all of them."""
    pairs = reach(principal, operation).lines
    if pairs is None:
        return None
    shown = frozenset(line for path, line in pairs if covers(path, unit_path))
    return None if shown >= set(LINES) else shown
