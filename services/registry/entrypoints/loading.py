"""At each start: the organisation, the staff and the code schemes become what their files say."""

from __future__ import annotations

import structlog

from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.files import Configuration
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.handlers.load_organisation import load_code_schemes, load_organisation, load_staff
from shared.clock import business_date
from shared.messaging.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)


async def load_files(configuration: Configuration, unit_of_work: UnitOfWork) -> None:
    """Applies all files in one transaction; files that were applied before change nothing."""
    async with unit_of_work.begin() as work:
        organisations = PostgresOrganisations(work)
        await load_code_schemes(configuration.rules.schemes, organisations=organisations)
        units = await load_organisation(
            configuration.organisation,
            configuration.units,
            now=work.now,
            today=business_date(work.now),
            customers=PostgresCustomers(work),
            organisations=organisations,
            publish=publisher(work),
        )
        staff = await load_staff(configuration.staff_file, configuration.staff, organisations=organisations)
    log.info("the organisation is loaded", units_changed=units, staff_changed=staff)
