"""Composition root of the registry: the only file that knows every part."""

from __future__ import annotations

from services.registry.adapters.declaration_files import DATA, read_industries, read_time_limits
from services.registry.adapters.declaration_reads import DeclarationReads
from services.registry.adapters.files import read_configuration
from services.registry.entrypoints import (
    acting,
    agreements,
    counter_codes,
    customers,
    declaration_timers,
    declarations,
    delegations,
    imports,
    loading,
    merges,
    organisation,
    timers,
)
from services.registry.entrypoints.declaration_desk import Desks, Parts
from services.registry.settings import RegistrySettings
from shared import dead_letter_routes
from shared.lifecycle import run
from shared.service import Platform, Service


def build(platform: Platform) -> Service:
    """The service from its platform."""
    settings = platform.settings
    folder = settings.data_folder if isinstance(settings, RegistrySettings) else None
    configuration = read_configuration(folder) if folder else read_configuration()
    work, reader, rules = platform.unit_of_work, platform.reader, configuration.rules
    desks = Desks(rules, read_time_limits(folder or DATA), read_industries(folder or DATA))
    loaded = False

    async def load() -> None:
        nonlocal loaded
        await loading.load_files(configuration, work)
        await declaration_timers.follow_organisation(work, desks)
        loaded = True

    async def not_loaded() -> str | None:
        return None if loaded else "the organisation is not loaded yet"

    declaration_reads = DeclarationReads(reader, platform.clock)
    return Service(
        platform,
        title="keypost registry",
        timers={**timers.HANDLERS, **declaration_timers.handlers(desks)},
        routers=[
            imports.router,
            customers.router,
            organisation.router,
            agreements.router,
            counter_codes.router,
            merges.router,
            declarations.router,
            delegations.router,
            dead_letter_routes.routes(work),
        ],
        readiness={"organisation": not_loaded},
        state={
            "acts": acting.acts(work, rules),
            "declarations": Parts(work, desks, declaration_reads, lambda: loaded),
            "reader": reader,
            "organisation_loaded": lambda: loaded,
        },
        on_start=[load],
    )


def main() -> None:
    """`python -m services.registry [serve|migrate]`."""
    run("registry", build, RegistrySettings)
