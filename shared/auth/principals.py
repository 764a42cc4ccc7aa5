"""Who calls: a person or a machine with its roles, each role on a unit and everything below it
(00-overview).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from shared.kernel.units import covers

Role = Literal[
    "manager",
    "reviewer",
    "centre",
    "steward",
    "approver",
    "auditor",
    "province",
    "national",
    "admin",
    "service",
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role on a unit. `path` is the unit's path such as `/CN/32/3205`; `lines` bounds it, empty means every
    line.
    """

    role: Role
    unit: str
    path: str
    lines: tuple[str, ...] = ()

    def covers(self, unit_path: str) -> bool:
        """Whether a unit is the grant's own or below it."""
        return covers(self.path, unit_path)

    @property
    def of_everything(self) -> bool:
        """Whether the grant is on the root of the tree."""
        return "/" not in self.path.strip("/")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of an operation. `user` is the stable name that records keep; `name` is for people to
    read.
    """

    user: str
    name: str
    roles: tuple[RoleGrant, ...]

    def holds(self, role: Role) -> bool:
        return any(grant.role == role for grant in self.roles)
