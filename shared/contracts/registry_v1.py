"""What the registry tells, version 1: the state of units and customers, and what happened to customers.

States are compacted: the latest record of a key says everything. None of it is personal data: managers appear
by their user names, customers are businesses. One transaction of the registry on a customer is one state
record, so that an import row (the code, its mapping and its agreement) takes effect downstream as one step.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from shared.contracts import topics
from shared.contracts.counter_v1 import Line
from shared.contracts.envelope import Message
from shared.contracts.fields import Code, Count, Day, Figure, Instant, Part, Text

SOURCE: Final = "/registry"

Level = Literal["national", "province", "city", "professional", "county", "outlet"]


class UnitState(Message):
    """State of one unit of the organisation tree."""

    TYPE: ClassVar[str] = "keypost.registry.unit-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.UNITS

    unit_code: Code
    version: Count = Field(
        default=0, description="Counts the states of the unit; of two states the higher one holds."
    )
    name_zh: Text
    name_en: Text
    level: Level
    parent: Code | None = Field(
        default=None, description="The unit above; null for the national office alone."
    )
    path: Text = Field(description="Codes from the root down to this unit, as in /CN/32/3205.")
    lines: tuple[Line, ...] = Field(default=(), description="The lines of a professional unit, else empty.")
    division: Text | None = Field(default=None, description="Administrative division, GB/T 2260.")
    city_group: int | None = Field(default=None, description="1-3, used by some schemes; null means none.")
    valid_from: Day | None = None
    valid_to: Day | None = Field(default=None, description="The last day; null while the unit exists.")

    @property
    def key(self) -> str:
        return self.unit_code


class CounterCode(Part):
    """A counter-local code that means this customer, with the business dates for which it does."""

    code: Code
    valid_from: Day | None = Field(default=None, description="Null: it has always held.")
    valid_to: Day | None = Field(default=None, description="The last day; null while it holds.")
    unit_code: Code | None = Field(
        default=None, description="It holds for the counters of this unit alone; null: of every unit."
    )
    counter_id: Code | None = Field(
        default=None,
        description="It holds for this counter alone, before what holds for a unit; null: for every one.",
    )


class AgreementState(Part):
    """An agreement of the customer. It is in force from the record of its signing to the record of its
    end.
    """

    agreement_no: Text
    signed_on: Day
    ends_on: Day | None = Field(default=None, description="The agreed last day; null when open-ended.")
    lines: tuple[Line, ...] = Field(default=(), description="The lines it covers; empty means all.")
    state: Literal["in_force", "ended"]
    ended_on: Day | None = Field(default=None, description="The day on which it did end.")
    unit_code: Code | None = Field(
        default=None, description="The unit that signed it; null where nobody said, as in an imported book."
    )
    recorded_at: Instant = Field(description="When the registry recorded its signing.")


class CustomerState(Message):
    """State of one customer with its counter codes and agreements."""

    TYPE: ClassVar[str] = "keypost.registry.customer-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.CUSTOMERS

    customer_code: Code
    version: Count = Field(description="Counts 1, 2, 3 … per customer, without gaps.")
    name: Text
    uscc: Text | None = Field(default=None, description="Unified social credit code, GB 32100-2015.")
    kind: Literal["potential", "active"]
    status: Literal["active", "retired", "merged", "annulled"]
    merged_into: Code | None = Field(default=None, description="The survivor, where the status is merged.")
    unit_code: Code = Field(description="The unit responsible.")
    unit_path: Text = Field(description="The path of that unit, as in /CN/32/3205.")
    city_group: int | None = None
    division: Text | None = None
    industry: Text | None = Field(default=None, description="Category of GB/T 4754.")
    upstream_granted_by_province: bool = Field(
        default=False, description="Registered by a provincial unit as an upstream customer."
    )
    manager_a: Text | None = None
    manager_b: Text | None = None
    lead: Literal["A", "B"] = Field(
        default="A",
        description="Who leads: A until an agreement is signed, then B while one is in force (S1 art.11).",
    )
    registered_at: Instant
    aliases: tuple[Code, ...] = Field(
        default=(), description="Customers merged into this one: their codes mean it for ever."
    )
    counter_codes: tuple[CounterCode, ...] = ()
    agreements: tuple[AgreementState, ...] = ()
    as_of: Instant = Field(description="When this state was recorded.")

    @property
    def key(self) -> str:
        return self.customer_code

    @property
    def event_id(self) -> str:
        """The id of the event that carries this state."""
        return f"customer|{self.customer_code}|{self.version}"


Happening = Literal[
    "declared",
    "approved",
    "rejected",
    "imported",
    "code_assigned",
    "code_adopted",
    "updated",
    "relocated",
    "merged",
    "retired",
    "code_mapped",
    "code_unmapped",
    "managers_bound",
    "agreement_signed",
    "agreement_changed",
    "agreement_ended",
    "annulled",
]


class CustomerEvent(Message):
    """Something that happened to a customer. Readers pass over kinds of `event` that they do not know."""

    TYPE: ClassVar[str] = "keypost.registry.customer-event.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.CUSTOMER_EVENTS

    customer_code: Code
    customer_version: Count = Field(description="The version of the customer's state that this led to.")
    event: Happening
    happened_at: Instant
    by: Text = Field(description="The user or the service that did it.")
    unit_code: Code | None = None
    counter_code: Code | None = Field(default=None, description="The code mapped or no longer mapped.")
    agreement_no: Text | None = None
    signed_on: Day | None = None
    ends_on: Day | None = Field(default=None, description="The agreed last day; null when open-ended.")
    ended_on: Day | None = None
    signing_unit: Code | None = Field(default=None, description="The unit that signed the agreement.")
    declaration_id: Text | None = Field(default=None, description="The declaration that led to this.")
    merged_into: Code | None = Field(default=None, description="The survivor, told of the alias.")
    alias: Code | None = Field(
        default=None, description="The customer merged into this one, told of the survivor."
    )

    @property
    def key(self) -> str:
        return self.customer_code

    def event_id(self, ordinal: int) -> str:
        """The id of the event; `ordinal` counts the events of one registry transaction on the customer from
        0.
        """
        return f"customer-event|{self.customer_code}|{self.customer_version}|{ordinal}"


DeclarationPhase = Literal[
    "draft", "submitted", "pre_reviewed", "approved", "rejected", "returned", "withdrawn"
]
WaitingFor = Literal["declarer", "pre_review", "centre"]


class DeclarationState(Message):
    """State of one declaration of a customer: who waits for whom until when, and how it ended (REG-1 to REG-3).

    Contacts, address and comments are not in it: they are read from the registry, by those who may.
    """

    TYPE: ClassVar[str] = "keypost.registry.declaration-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.DECLARATIONS

    declaration_id: Text
    version: Count = Field(description="Counts 1, 2, 3 … per declaration, without gaps.")
    state: DeclarationPhase
    declared_by: Literal["manager", "unit"] = Field(
        description="A manager's declaration (注册申请) is pre-reviewed; a unit's (注册申报) is not."
    )
    declarer: Text
    name: Text
    uscc: Text | None = None
    unit_code: Code = Field(description="The unit that the customer is declared for.")
    unit_path: Text
    pre_review_unit: Code | None = Field(default=None, description="Who pre-reviews; null where nobody does.")
    deciding_unit: Code = Field(description="The centre that decides.")
    deciding_path: Text
    expected_lines: tuple[Line, ...] = ()
    expected_revenue_fen: Figure | None = Field(
        default=None, alias="expected_revenue", description="Yuan a year, as the declarer expects."
    )
    manager_a: Text | None = None
    manager_b: Text | None = None
    submitted_at: Instant | None = None
    arrived_at: Instant | None = Field(default=None, description="When it arrived at the centre.")
    waiting_for: WaitingFor | None = Field(
        default=None, description="Whose turn it is; null when it is decided or withdrawn."
    )
    warn_at: Instant | None = Field(default=None, description="When the running time limit warns.")
    due_at: Instant | None = Field(
        default=None, description="When the running time limit ends; null while none runs."
    )
    warned_at: Instant | None = None
    breached_at: Instant | None = Field(
        default=None, description="When the centre's 48 hours ended undecided."
    )
    escalated_to: Code | None = Field(default=None, description="The unit above that was told of the breach.")
    decided_at: Instant | None = None
    decided_by: Text | None = None
    decision_seconds: Count | None = Field(
        default=None, description="Time the centre took, without the time at the declarer."
    )
    customer_code: Code | None = Field(default=None, description="The code assigned with the approval.")
    as_of: Instant

    @property
    def key(self) -> str:
        return self.declaration_id

    @property
    def event_id(self) -> str:
        """The id of the event that carries this state."""
        return f"declaration|{self.declaration_id}|{self.version}"


class RegistryAlert(Message):
    """Something a person should look at: a decision due soon or overdue, a range of codes running out."""

    TYPE: ClassVar[str] = "keypost.registry.alert.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.events_topic("registry")

    alert: Literal["decision_due_soon", "decision_overdue", "pre_review_overdue", "code_range_low"]
    subject: Text = Field(description="The declaration, or the division of the range.")
    unit_code: Code = Field(description="Whom it concerns.")
    escalated_to: Code | None = None
    due_at: Instant | None = None
    at: Instant

    @property
    def key(self) -> str:
        return self.subject
