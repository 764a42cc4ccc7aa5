"""Command: make the organisation, the staff and the code schemes what their files say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.registry.domain.codes import CodeScheme
from services.registry.domain.customers import Fact
from services.registry.domain.organisation import StaffMember, Unit, build_tree, changes
from services.registry.handlers.messages import publish_customer, publish_unit
from services.registry.handlers.ports import Customers, Organisations, Publish

BY = "service:registry"


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file of an instance's configuration: what identifies its content, and its declared version."""

    name: str
    sha256: str
    version: int


class SchemeEdited(ValueError):
    """A code scheme that codes were issued under stands in the file with another structure."""


async def load_organisation(
    file: LoadedFile,
    units: Sequence[Unit],
    *,
    now: datetime,
    today: date,
    customers: Customers,
    organisations: Organisations,
    publish: Publish,
) -> int:
    """Applies the units of a file; how many changed. The same file again changes nothing.

    A unit that moves takes its customers' scope and city group with it, so their states are told anew.
    """
    await organisations.lock()
    if await organisations.file_hash(file.name) == file.sha256:
        return 0
    known = (await organisations.load()).units
    changed = changes(known, build_tree(units), today)
    versions = await organisations.store_units(changed)
    await organisations.record_file(file.name, file.sha256, file.version, len(changed))
    for unit in changed:
        publish_unit(publish, unit, versions[unit.code])
    moved = [
        unit.code
        for unit in changed
        if (before := known.get(unit.code)) is not None
        and (before.path, before.city_group) != (unit.path, unit.city_group)
    ]
    if moved:
        now_units = (await organisations.load()).units
        for customer in await customers.of_units(moved):
            after = replace(customer, version=customer.version + 1)
            await customers.store(after, now_units, BY)
            publish_customer(publish, after, (Fact("updated"),), now_units, BY, now)
    return len(changed)


async def load_staff(file: LoadedFile, staff: Sequence[StaffMember], *, organisations: Organisations) -> int:
    """Applies the people and roles of a file; how many people changed."""
    await organisations.lock()
    if await organisations.file_hash(file.name) == file.sha256:
        return 0
    changed = await organisations.store_staff(staff)
    await organisations.record_file(file.name, file.sha256, file.version, changed)
    return changed


async def load_code_schemes(schemes: Sequence[CodeScheme], *, organisations: Organisations) -> None:
    """Records the code schemes. Raises SchemeEdited rather than let a scheme in use mean something else."""
    await organisations.lock()
    for scheme in schemes:
        if not await organisations.store_scheme(scheme):
            raise SchemeEdited(f"Code scheme {scheme.id} was edited; add a new one instead.")
