"""Changed data files are applied as changes, and told to those who need them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.registry.adapters.files import Configuration, read_configuration
from services.registry.entrypoints.loading import load_files
from services.registry.handlers.load_organisation import SchemeEdited
from shared.contracts.topics import CUSTOMERS, UNITS
from tests.integration.registry.conftest import Registry

pytestmark = pytest.mark.engines


def changed(configuration: Configuration) -> Configuration:
    """Suzhou gets a city group and a new name, one of its outlets is left out, and so is a person."""
    units = tuple(
        replace(unit, city_group=2, name_en="Suzhou centre") if unit.code == "3205" else unit
        for unit in configuration.units
        if unit.code != "32050002"
    )
    return replace(
        configuration,
        units=units,
        organisation=replace(configuration.organisation, sha256="1" * 64, version=2),
        staff=tuple(person for person in configuration.staff if person.user != "manager-b"),
        staff_file=replace(configuration.staff_file, sha256="1" * 64, version=2),
    )


async def test_a_changed_file_is_applied_once_and_tells_the_customers_it_touches(registry: Registry) -> None:
    await registry.results(
        [
            {"name": "县里", "customer_code": "3000000000001", "unit_code": "320581"},
            {"name": "别处", "customer_code": "3000000000002", "unit_code": "3201"},
        ]
    )
    configuration = changed(read_configuration())
    for _ in range(2):
        await load_files(configuration, registry.platform.unit_of_work)

    published = await registry.published(UNITS, "3205")
    assert [(each["city_group"], each["name_en"]) for each in published] == [
        (None, "Suzhou key-account centre"),
        (2, "Suzhou centre"),
    ]
    closed = await registry.published(UNITS, "32050002")
    assert [each["valid_to"] for each in closed] == [None, date(2026, 3, 9).isoformat()]
    states = await registry.published(CUSTOMERS, "3000000000001")
    assert [(each["version"], each["city_group"]) for each in states] == [(1, None), (2, 2)]
    assert len(await registry.published(CUSTOMERS, "3000000000002")) == 1
    history = await registry.sql("SELECT version FROM units_history WHERE code = '3205' ORDER BY version")
    assert [row.version for row in history] == [1, 2]
    staff = await registry.sql("SELECT active FROM staff WHERE user_name = 'manager-b'")
    assert [row.active for row in staff] == [False]


@pytest.mark.req("REG-4")
async def test_a_code_scheme_in_use_cannot_be_edited(registry: Registry) -> None:
    configuration = read_configuration()
    edited = tuple(replace(scheme, serial_digits=7) for scheme in configuration.rules.schemes)
    with pytest.raises(SchemeEdited):
        await load_files(
            replace(configuration, rules=replace(configuration.rules, schemes=edited)),
            registry.platform.unit_of_work,
        )
