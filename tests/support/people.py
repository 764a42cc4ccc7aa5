"""The made-up people and businesses of stories and races: who acts for which unit, and credit codes that are valid."""

from __future__ import annotations

from stdnum.cn import uscc

MANAGER = "manager"
"""Of Suzhou; their post is in Kunshan."""
COUNTY_REVIEWER = "reviewer-kunshan"
CENTRE = "centre"
OTHER_CENTRE = "centre-nanjing"
STEWARD = "steward"
APPROVERS = ("approver", "approver-business", "approver-supervision")
OPERATOR = "operator"
COUNTY = "320583"
"""Kunshan, a county of Suzhou."""
CITY = "3205"
PROVINCE = "32"

SUZHOU_COUNTIES = (
    "320505", "320506", "320507", "320508", "320509", "320576", "320581", "320582", "320583", "320585",
)  # fmt: skip


def path_of(unit: str) -> str:
    """The path of a unit of Jiangsu, whose codes begin with those of the units above."""
    steps = dict.fromkeys(("CN", unit[:2], unit[:4], unit))
    return "".join(f"/{step}" for step in steps)


def credit_code(number: int, division: str = "320583") -> str:
    """A valid unified social credit code that differs by number, below 10^9."""
    body = f"91{division}MA{number:07d}"[:17]
    return body + uscc.calc_check_digit(body)
