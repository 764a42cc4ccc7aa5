"""Which declarations somebody may know of, whose turn it is with one, and who sees its contacts as they are (REG-2, REG-3;
S3 art.19)."""

from __future__ import annotations

from services.registry.domain.declaration_refusals import (
    AlreadyDecided,
    NotDeclarer,
    OwnRequest,
    UnknownDeclaration,
)
from services.registry.domain.declarations import DECIDED, Declaration
from services.registry.handlers.declaration_ports import Desk
from shared.auth.policy import TABLE, permit
from shared.kernel.refusals import BrokenFields, Fault, Refusal


async def visible(id: str, desk: Desk) -> Declaration | UnknownDeclaration:
    """A declaration, locked, that the caller may know of."""
    found = await desk.declarations.locked(id) if "\x00" not in id else None
    if found is None:
        return UnknownDeclaration()
    # Who declared it and has moved away since reads it no more.
    own = (found.content.manager_a, found.content.manager_b, found.declarer)
    paths = (found.deciding_path, *(() if found.pre_review_path is None else (found.pre_review_path,)))
    seen = (
        permit(desk.caller, "declarations.read", found.unit_path, own) is None
        or any(permit(desk.caller, "declarations.read", path) is None for path in paths)
        or bool(await deputised_by(found, desk))
    )
    return found if seen else UnknownDeclaration()


async def own(id: str, desk: Desk) -> Declaration | UnknownDeclaration | NotDeclarer | AlreadyDecided:
    """A declaration, locked, of the caller's own that is not decided."""
    found = await visible(id, desk)
    if isinstance(found, Refusal):
        return found
    if found.declarer != desk.caller.user:
        return NotDeclarer()
    return already_decided(found) or found


def already_decided(found: Declaration) -> AlreadyDecided | None:
    """Told whatever version was meant, and before any question of versions."""
    if found.state not in DECIDED:
        return None
    return AlreadyDecided(found.state, found.decided_by, found.decided_at, found.customer_code)


def undecided_by_another(found: Declaration, desk: Desk) -> OwnRequest | AlreadyDecided | None:
    """None where the caller did not declare it and nobody has decided it."""
    return OwnRequest() if found.declarer == desk.caller.user else already_decided(found)


def commented(needed: bool, comment: str | None) -> BrokenFields | None:
    """Whoever returns or rejects says why."""
    if needed and not (comment or "").strip():
        return BrokenFields((Fault("/comment", "missing_comment"),))
    return None


async def deputised_by(found: Declaration, desk: Desk) -> list[str]:
    """The people in whose place the caller decides about it today."""
    roles = tuple(TABLE["declarations.decide"])
    given = await desk.delegations.in_force(desk.caller.user, found.deciding_path, desk.terms.today, roles)
    return [each.from_user for each in given]


def pre_reviews(found: Declaration, desk: Desk) -> bool:
    """Whether the caller pre-reviews where it waits. At a centre the second person may be any who decides there."""
    unit = desk.terms.units[found.pre_review_unit or found.deciding_unit]
    decides = unit.centre and permit(desk.caller, "declarations.decide", unit.path) is None
    return decides or permit(desk.caller, "declarations.pre_review", unit.path) is None


async def sees_contacts(found: Declaration, desk: Desk) -> bool:
    """Names, telephone numbers, e-mail and other addresses are for the declarer, the customer's managers, and those who
    must pre-review or decide it now; for everybody else they are masked, and always for a machine."""
    caller = desk.caller
    if caller.holds("service"):
        return False
    managers = (found.content.manager_a, found.content.manager_b)
    if caller.user == found.declarer or (
        caller.user in managers and permit(caller, "declarations.read", found.unit_path, managers) is None
    ):
        return True
    if found.waiting_for == "pre_review":
        return pre_reviews(found, desk)
    return found.waiting_for == "centre" and (
        permit(caller, "declarations.decide", found.deciding_path) is None
        or bool(await deputised_by(found, desk))
    )
