"""The shapes of declarations over HTTP: what is sent, and what is shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from shared.contracts.counter_v1 import Line
from shared.money import AMOUNT_PATTERN

Cell = Annotated[str | None, Field(max_length=1000)]
"""It only bounds the size of a request; the rules of each field are asked afterwards and answered all at once."""
Comment = Annotated[str | None, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class ContactIn(BaseModel):
    """A person at the customer."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=1000)]
    position: Cell = None
    phone: Cell = None
    email: Cell = None


class DeclarationFields(BaseModel):
    """What is said about a customer. Managers are user names, or names of staff that nobody else has."""

    model_config = ConfigDict(extra="forbid")

    name: Cell = None
    uscc: Cell = Field(default=None, description="Unified social credit code, GB 32100-2015.")
    nature: Cell = None
    industry: Cell = Field(default=None, description="A category of GB/T 4754-2017 by its code or name.")
    address: Cell = None
    division: Cell = Field(default=None, description="Administrative division, GB/T 2260.")
    contacts: Annotated[list[ContactIn], Field(max_length=100)] = []
    expected_lines: Annotated[list[Line], Field(max_length=8)] = []
    expected_yearly_revenue: Annotated[str | None, Field(pattern=f"^{AMOUNT_PATTERN}$")] = Field(
        default=None, description="Yuan a year, such as `120000.00`."
    )
    manager_a: Cell = None
    manager_b: Cell = None
    unit_code: Cell = Field(default=None, description="The unit that the customer is declared for.")
    comment: Comment = None


class DeclarationIn(DeclarationFields):
    """A declaration, of which `name` and `unit_code` are needed. A rehearsal takes the same."""

    submit: StrictBool = Field(default=True, description="False keeps it as a draft.")


class CommentIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    comment: Comment = None


class PreReviewIn(BaseModel):
    """`return` and `reject` need a comment."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["pass", "return", "reject"]
    comment: Comment = None


class DecideIn(BaseModel):
    """`return` and `reject` need a comment. Managers named here are bound instead of those proposed."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "return", "reject"]
    comment: Comment = None
    manager_a: Cell = None
    manager_b: Cell = None


class ContactOut(BaseModel):
    name: str
    position: str | None
    phone: str | None
    email: str | None


class LimitOut(BaseModel):
    """The time limit of whoever has it now. Hours are counted as `mode` says; negative ones are over the limit."""

    stage: Literal["pre_review", "centre"]
    mode: Literal["clock", "working"]
    warn_at: datetime | None
    due_at: datetime | None = Field(description="Null while the limit does not run.")
    warned_at: datetime | None
    breached_at: datetime | None
    escalated_to: str | None
    hours_left: float


class StepOut(BaseModel):
    """One step of the record. `sha256` covers the step and the one before it."""

    ordinal: int
    step: str
    person: str
    acted_for: str | None
    at: datetime
    comment: str | None
    version: int
    sha256: str


class SimilarOut(BaseModel):
    """A customer or declaration that shares a sign. What lies outside your scope says only which unit holds it."""

    kind: Literal["customer", "declaration"]
    signs: list[Literal["name", "address", "phone"]]
    unit_code: str
    masked: bool
    id: str | None = None
    name: str | None = None
    uscc: str | None = None
    address: str | None = None
    state: str | None = None


class DeclarationBrief(BaseModel):
    """A declaration in a list. `version` is also its ETag."""

    id: str
    declaration_id: str = Field(description="The same as `id`, under the name that events give it.")
    version: int
    state: Literal["draft", "submitted", "pre_reviewed", "approved", "rejected", "returned", "withdrawn"]
    waiting_for: Literal["declarer", "pre_review", "centre"] | None
    declared_by: Literal["manager", "unit"]
    declarer: str
    name: str
    uscc: str | None
    expected_lines: list[str]
    expected_yearly_revenue: str | None
    manager_a: str | None
    manager_b: str | None
    unit_code: str
    unit_path: str
    pre_review_unit: str | None
    deciding_unit: str
    created_at: datetime
    submitted_at: datetime | None
    arrived_at: datetime | None
    pre_review_overdue_at: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    decided_for: str | None
    decision_seconds: int | None
    customer_code: str | None
    changed_at: datetime
    limit: LimitOut | None


class DeclarationOut(DeclarationBrief):
    """A declaration with all that it says, its record, and who may be the same customer."""

    nature: str | None
    industry: str | None
    address: str | None
    division: str | None
    contacts: list[ContactOut]
    contacts_masked: bool = Field(
        description="Contacts and address are shown in part only; whole to the declarer, the managers, and whose turn it is."
    )
    steps: list[StepOut]
    similar: list[SimilarOut]


class DeclarationsOut(BaseModel):
    items: list[DeclarationBrief]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


class EvidenceStepOut(StepOut):
    content: dict[str, Any] | None


class EvidenceOut(BaseModel):
    """The record of a declaration as evidence: every step with what the declaration said, and the chain of seals. Seals are
    over contacts and addresses as they are, also where these are shown masked."""

    declaration_id: str
    first_seal: str
    last_seal: str | None
    intact: bool
    exported_at: datetime
    exported_by: str
    contacts_masked: bool
    steps: list[EvidenceStepOut]


class FaultOut(BaseModel):
    pointer: str
    code: str
    detail: str


class UnitNameOut(BaseModel):
    unit_code: str
    name_zh: str
    name_en: str


class PersonOut(BaseModel):
    user: str
    name_zh: str
    name_en: str


class WouldBeCodeOut(BaseModel):
    """The form of the code that an approval would give: n stands for a digit of the serial, c for the check digit."""

    scheme: str
    label_zh: str
    label_en: str
    division: str
    form: str


class BlockOut(BaseModel):
    """Why the declaration would be refused; the holder is named by its unit alone outside your scope."""

    code: Literal["duplicate_credit_code", "declared_earlier"]
    holder_unit: str
    holder_name_zh: str
    holder_name_en: str
    customer_code: str | None = None
    declaration_id: str | None = None
    name: str | None = None


class RehearsalOut(BaseModel):
    """What would happen if this were handed in now. Nothing is kept."""

    acceptable: bool
    missing: list[str] = Field(description="Fields without which it cannot be declared.")
    advised: list[str] = Field(description="Fields that nothing is refused for, and that deciders ask for.")
    errors: list[FaultOut]
    blocks: list[BlockOut]
    similar: list[SimilarOut]
    declared_by: Literal["manager", "unit"] | None
    pre_review_unit: UnitNameOut | None
    deciding_unit: UnitNameOut | None
    deciders: list[PersonOut]
    mode: Literal["clock", "working"] | None
    pre_review_due_at: datetime | None
    decided_by_at: datetime | None = Field(
        description="By when the centre decides at the latest, if a pre-review takes all of its time."
    )
    would_be_code: WouldBeCodeOut | None


class DecisionTimesOfUnitOut(BaseModel):
    """Counted time, without the time at the declarer; working hours where the unit counts those."""

    unit_code: str
    count: int
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None
    within_limit: int
    breached: int


class DecisionTimesOut(BaseModel):
    unit: str | None
    from_on: date
    to_on: date
    count: int
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None
    within_limit: int
    breached: int
    open: int = Field(description="At a centre now.")
    open_breached: int
    by_unit: list[DecisionTimesOfUnitOut]


class DelegationIn(BaseModel):
    """`to_user` decides for the unit on these days, both included."""

    model_config = ConfigDict(extra="forbid")

    to_user: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
    unit_code: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
    from_on: date
    to_on: date


class DelegationOut(BaseModel):
    id: str
    from_user: str
    to_user: str
    unit_code: str
    from_on: date
    to_on: date
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    version: int


class DelegationsOut(BaseModel):
    items: list[DelegationOut]
    next_cursor: str | None
