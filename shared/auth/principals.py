"""Who calls: a person or a machine with its roles, each role on a unit and everything below it
(00-overview).

A machine holds the role `service`, and its grant says which kind of machine it is, because a counter system, a subscriber
and a part of this system have nothing in common but that nobody sits in front of them. A `service` of no kind proves a
name and may nothing else.
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
MachineKind = Literal["counter", "subscriber", "internal"]
"""A counter system publishes transactions, a subscriber reads tiers and their changes, an internal machine is a part of
this system and asks how far its services are."""
MACHINE_KINDS: Final[tuple[MachineKind, ...]] = get_args(MachineKind)
Party = Literal[
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
    "service:counter",
    "service:subscriber",
    "service:internal",
]
"""What the table of operations is asked about: a person's role, or a machine of one kind."""
PARTIES: Final[tuple[Party, ...]] = get_args(Party)
_MACHINES: Final[dict[MachineKind, Party]] = {
    "counter": "service:counter",
    "subscriber": "service:subscriber",
    "internal": "service:internal",
}


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role on a unit. `path` is the unit's path such as `/CN/32/3205`; `lines` are those of a professional unit and bound
    what its people see, empty means every line. `kind` is a machine's, and `sources` and `counters` are what it may speak
    for when it publishes; empty means all (see `kernel.senders`).
    """

    role: Role
    unit: str
    path: str
    lines: tuple[str, ...] = ()
    kind: MachineKind | None = None
    sources: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()

    @property
    def party(self) -> Party:
        return self.role if self.kind is None or self.role != "service" else _MACHINES[self.kind]

    def covers(self, unit_path: str) -> bool:
        """Whether a unit is the grant's own or below it."""
        return covers(self.path, unit_path)

    @property
    def line_path(self) -> str:
        """The part of the tree over which a professional unit's line extends: everything below the unit that it belongs
        to. Of any other grant its own path."""
        above = self.path.rstrip("/").rpartition("/")[0]
        return above if self.lines and above else self.path

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
