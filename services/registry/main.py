"""Composition root of the registry: the only file that knows every part."""

from __future__ import annotations

from services.registry.adapters.declaration_files import DATA, read_industries, read_time_limits
from services.registry.adapters.declaration_reads import DeclarationReads
from services.registry.adapters.files import read_configuration
from services.registry.adapters.mappings import CounterCodeReads
from services.registry.adapters.merge_reads import MergeReads
from services.registry.adapters.read_models import ReadModels
from services.registry.entrypoints import (
    agreements,
    counter_codes,
    declaration_timers,
    declarations,
    delegations,
    http,
    loading,
    merges,
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

    async def organisation() -> str | None:
        return None if loaded else "the organisation is not loaded yet"

    declaration_reads = DeclarationReads(reader, platform.clock)
    router = http.build_router(work, ReadModels(reader), rules, lambda: loaded)
    router.include_router(agreements.build_router(work))
    router.include_router(counter_codes.build_router(work, CounterCodeReads(reader), rules))
    router.include_router(merges.build_router(work, MergeReads(reader)))
    return Service(
        platform,
        title="keypost registry",
        timers={**timers.HANDLERS, **declaration_timers.handlers(desks)},
        routers=[
            router,
            declarations.router,
            delegations.router,
            dead_letter_routes.routes(work),
        ],
        readiness={"organisation": organisation},
        state={"declarations": Parts(work, desks, declaration_reads, lambda: loaded)},
        on_start=[load],
    )


def main() -> None:
    """`python -m services.registry [serve|migrate]`."""
    run("registry", build, RegistrySettings)
