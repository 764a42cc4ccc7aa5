"""The organisation tree, and what the shipped one holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.registry.adapters.files import read_configuration
from services.registry.domain.organisation import (
    BrokenOrganisation,
    Unit,
    assigning_division,
    build_tree,
    changes,
)
from shared.auth.development import PEOPLE
from shared.kernel.units import covers

ROOT = Unit("CN", "全国", "National", "national", None)
PROVINCE = Unit("32", "江苏", "Jiangsu", "province", "CN", "320000")
CITY = Unit("3205", "苏州", "Suzhou", "city", "32", "320500", city_group=2)
COUNTY = Unit("320581", "常熟", "Changshu", "county", "3205", "320581")
TODAY = date(2026, 1, 1)


def test_paths_and_groups_come_from_above() -> None:
    tree = build_tree([ROOT, PROVINCE, CITY, COUNTY])
    assert tree["320581"].path == "/CN/32/3205/320581"
    assert tree["320581"].city_group == 2
    assert tree["32"].city_group is None


@pytest.mark.parametrize(
    "units",
    [
        [ROOT, replace(PROVINCE, parent="99")],
        [ROOT, replace(PROVINCE, parent="3205"), CITY],
        [ROOT, PROVINCE, PROVINCE],
        [ROOT, replace(PROVINCE, parent=None)],
        [ROOT, replace(PROVINCE, level="region")],
        [ROOT, replace(PROVINCE, lines=("letters", "stamps"))],
    ],
)
def test_what_is_no_tree_is_refused(units: list[Unit]) -> None:
    with pytest.raises(BrokenOrganisation):
        build_tree(units)


def test_a_unit_left_out_is_closed_and_not_deleted() -> None:
    before = build_tree([ROOT, PROVINCE, CITY, COUNTY])
    changed = changes(before, build_tree([ROOT, PROVINCE, CITY]), TODAY)
    assert changed == [replace(before["320581"], valid_to=TODAY)]
    closed = {**before, "320581": changed[0]}
    assert changes(closed, build_tree([ROOT, PROVINCE, CITY]), date(2026, 5, 1)) == []


def test_the_same_tree_again_changes_nothing() -> None:
    tree = build_tree([ROOT, PROVINCE, CITY, COUNTY])
    assert changes(tree, build_tree([ROOT, PROVINCE, CITY, COUNTY]), TODAY) == []


@pytest.mark.req("PLT-13")
def test_a_grant_covers_its_unit_and_what_lies_below_and_no_namesake() -> None:
    assert covers("/CN/32", "/CN/32")
    assert covers("/CN/32", "/CN/32/3205")
    assert not covers("/CN/32", "/CN/321")
    assert not covers("/CN/32/3205", "/CN/32")


@pytest.mark.req("REG-4")
def test_codes_are_issued_in_the_range_of_the_city() -> None:
    tree = build_tree([ROOT, PROVINCE, CITY, COUNTY])
    assert [assigning_division(tree, code) for code in ("320581", "3205", "32", "CN")] == [
        "320500",
        "320500",
        "320000",
        None,
    ]


def test_the_shipped_organisation_is_a_whole_province() -> None:
    tree = build_tree(read_configuration().units)
    cities = [unit for unit in tree.values() if unit.level == "city"]
    assert len(cities) == 13
    assert tree["3205"].city_group is None
    assert {unit.city_group for unit in cities} == {None, 1, 2, 3}
    for parent in ("32", *(unit.code for unit in cities)):
        bureaus = [unit for unit in tree.values() if unit.level == "professional" and unit.parent == parent]
        assert len({unit.lines for unit in bureaus}) == 8
        assert tree[parent].centre
    assert all(unit.division for unit in tree.values() if unit.level != "national")


@pytest.mark.req("PLT-13")
def test_the_shipped_staff_is_who_the_development_issuer_knows() -> None:
    configuration = read_configuration()
    tree = build_tree(configuration.units)
    staff = {
        person.user: sorted((role, unit, tree[unit].path, tree[unit].lines) for role, unit in person.roles)
        for person in configuration.staff
    }
    issued = {
        person.user: sorted((grant.role, grant.unit, grant.path, grant.lines) for grant in person.roles)
        for person in PEOPLE
    }
    assert staff == issued
