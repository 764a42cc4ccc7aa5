"""Who may decide in another's place, and on which days."""

from __future__ import annotations

from datetime import date

import pytest

from services.registry.domain.delegating import Term, deputy_faults
from services.registry.domain.organisation import StaffMember, Unit

pytestmark = pytest.mark.req("REG-3")

TODAY = date(2026, 3, 9)
CITY = Unit("3205", "苏州市", "Suzhou", "city", "32")
ROLES = ("centre",)


def member(user: str, unit: str | None, office: str, *roles: str) -> StaffMember:
    return StaffMember(user, user, user, unit, office, tuple((role, "3205") for role in roles))


@pytest.mark.parametrize(
    ("first", "last", "codes"),
    [
        (TODAY, TODAY, []),
        (date(2026, 3, 8), TODAY, ["in_the_past"]),
        (TODAY, date(2026, 3, 8), ["ends_before_begin"]),
        (TODAY, date(2026, 5, 9), []),  # the 62nd day
        (TODAY, date(2026, 5, 10), ["too_long"]),
        (date(1, 1, 1), TODAY, ["day_out_of_range"]),
        (date(2199, 12, 31), date(2200, 1, 1), ["day_out_of_range"]),
        (date(2199, 12, 31), date(2199, 12, 31), []),
    ],
)
def test_the_days_begin_today_or_later_and_are_few(first: date, last: date, codes: list[str]) -> None:
    assert [fault.code for fault in Term(first, last, TODAY, 62).faults()] == codes


@pytest.mark.parametrize(
    ("deputy", "codes"),
    [
        (member("second", "3205", "business", "centre"), []),
        (member("second", "3205", "centre", "approver"), []),  # of the same office
        (member("second", "3205", "sales", "manager"), ["not_of_the_unit"]),
        (member("second", "320583", "centre", "centre"), ["not_of_the_unit"]),
        (member("second", None, "centre", "centre"), ["not_of_the_unit"]),
        (member("first", "3205", "centre", "centre"), ["same_user"]),
        (None, ["unknown_user"]),
    ],
)
def test_a_deputy_is_of_the_unit_with_a_deciding_role_or_of_the_same_office(
    deputy: StaffMember | None, codes: list[str]
) -> None:
    found = deputy_faults("first", deputy, CITY, ("3205", "centre"), ROLES)
    assert [fault.code for fault in found] == codes


def test_the_office_of_somebody_posted_elsewhere_names_nobody() -> None:
    deputy = member("second", "3205", "centre", "approver")
    for office in (("CN", "centre"), None):
        (fault,) = deputy_faults("first", deputy, CITY, office, ROLES)
        assert fault.code == "not_of_the_unit"
    (fault,) = deputy_faults("first", deputy, None, None, ROLES)
    assert (fault.pointer, fault.code) == ("/unit_code", "unknown_unit")
