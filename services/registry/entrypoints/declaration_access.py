"""Whose turn it is with a declaration, and who sees its contacts as they are (REG-2, REG-3; S3 art.19)."""

from __future__ import annotations

from services.registry.adapters.declarations import PostgresDelegations
from services.registry.domain.declarations import Declaration, Terms
from shared.auth.policy import TABLE, permit
from shared.auth.principals import Principal
from shared.messaging.work import Work


async def deputised_by(work: Work, found: Declaration, caller: Principal, terms: Terms) -> list[str]:
    """The people in whose place the caller decides about it today."""
    roles = tuple(TABLE["declarations.decide"])
    given = await PostgresDelegations(work).in_force(caller.user, found.deciding_path, terms.today, roles)
    return [each.from_user for each in given]


def pre_reviews(found: Declaration, caller: Principal, terms: Terms) -> bool:
    """Whether the caller pre-reviews where it waits. At a centre the second person may be any who decides there."""
    unit = terms.units[found.pre_review_unit or found.deciding_unit]
    decides = unit.centre and permit(caller, "declarations.decide", unit.path) is None
    return decides or permit(caller, "declarations.pre_review", unit.path) is None


async def sees_contacts(work: Work, found: Declaration, caller: Principal, terms: Terms) -> bool:
    """Names, telephone numbers, e-mail and other addresses are for the declarer, the customer's managers, and those who
    must pre-review or decide it now; for everybody else they are masked, and always for a machine."""
    if caller.holds("service"):
        return False
    managers = (found.content.manager_a, found.content.manager_b)
    if caller.user == found.declarer or (
        caller.user in managers and permit(caller, "declarations.read", found.unit_path, managers) is None
    ):
        return True
    if found.waiting_for == "pre_review":
        return pre_reviews(found, caller, terms)
    return found.waiting_for == "centre" and (
        permit(caller, "declarations.decide", found.deciding_path) is None
        or bool(await deputised_by(work, found, caller, terms))
    )
