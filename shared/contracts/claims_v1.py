"""What claims tells, version 1: plans, the windows they got, and what happened to both.

Who holds which customer until when is published inside the whole organisation; what a plan says is not, and
is in none of these messages (S3 art.12(2)).
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from shared.contracts import topics
from shared.contracts.counter_v1 import Line
from shared.contracts.envelope import Message
from shared.contracts.fields import Code, Count, Day, Figure, Instant, Text

SOURCE: Final = "/claims"

PlanKind = Literal["regular", "festival"]
PlanPhase = Literal[
    "draft",
    "submitted",
    "registered",
    "active",
    "settling",
    "succeeded",
    "expired",
    "withdrawn",
    "refused",
]
Stage = Literal["contact", "proposal", "negotiation", "trial", "contract"]


class PlanState(Message):
    """State of one development plan and of its window, without the plan's content (CLM-1 to CLM-3)."""

    TYPE: ClassVar[str] = "keypost.claims.plan-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.PLANS

    plan_id: Text
    version: Count = Field(description="Counts 1, 2, 3 … per plan, without gaps.")
    state: PlanPhase
    kind: PlanKind
    customer_code: Code | None = Field(default=None, description="Null while the prospect has no code.")
    uscc: Text | None = None
    name: Text = Field(description="The customer or prospect.")
    unit_code: Code = Field(description="The unit that filed it and holds the window.")
    unit_path: Text
    reviewing_unit: Code = Field(description="The centre that reviews it.")
    lines: tuple[Line, ...] = ()
    expected_revenue_fen: Figure | None = Field(
        default=None, alias="expected_revenue", description="Yuan a year, as the unit expects."
    )
    manager_a: Text | None = None
    manager_b: Text | None = None
    queued: bool = Field(default=False, description="It waits for the release of another's window.")
    submitted_at: Instant | None = None
    due_at: Instant | None = Field(default=None, description="When the review is due; null while none runs.")
    breached_at: Instant | None = Field(default=None, description="When the review's time limit ended.")
    reviewed_at: Instant | None = None
    reviewed_by: Text | None = None
    opens_at: Instant | None = Field(default=None, description="When the window opened.")
    ends_at: Instant | None = Field(
        default=None, description="The window's true end: 24:00 Asia/Shanghai of the last day; exclusive."
    )
    settled_at: Instant | None = Field(default=None, description="When settling ends; exclusive.")
    rule_version: Count | None = Field(default=None, description="The rules that the window opened under.")
    stage: Stage | None = Field(default=None, description="The last progress reported.")
    progressed_at: Instant | None = None
    significant: bool = Field(default=False, description="The centre judged the progress significant.")
    extended_until: Instant | None = None
    closed_at: Instant | None = Field(
        default=None, description="When it succeeded, expired or was withdrawn."
    )
    agreement_no: Text | None = Field(default=None, description="The agreement that made it a success.")
    as_of: Instant

    @property
    def key(self) -> str:
        return self.plan_id

    @property
    def event_id(self) -> str:
        """The id of the event that carries this state."""
        return f"plan|{self.plan_id}|{self.version}"


class WindowState(Message):
    """The window of a customer, in force or settling. A record without a value (a tombstone) says that it has none.

    The key is the customer code; of a prospect without one it is `uscc:` and its credit code.
    """

    TYPE: ClassVar[str] = "keypost.claims.window-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.WINDOWS

    window_key: Text = Field(description="The record's key.")
    customer_code: Code | None = None
    uscc: Text | None = None
    name: Text
    state: Literal["active", "settling"]
    plan_id: Text
    version: Count = Field(description="The version of the plan that this state came with.")
    unit_code: Code = Field(description="The unit that holds it.")
    unit_path: Text
    manager_a: Text | None = None
    manager_b: Text | None = None
    kind: PlanKind
    lines: tuple[Line, ...] = ()
    opens_at: Instant
    ends_at: Instant = Field(description="24:00 Asia/Shanghai of the last day; exclusive.")
    last_day: Day
    settled_at: Instant = Field(description="When settling ends unless an agreement arrives; exclusive.")
    as_of: Instant

    @property
    def key(self) -> str:
        return self.window_key

    @property
    def event_id(self) -> str:
        """The id of the event that carries this state."""
        return f"window|{self.plan_id}|{self.version}"


ClaimsHappening = Literal[
    "plan_submitted",
    "plan_queued",
    "plan_registered",
    "plan_refused",
    "plan_withdrawn",
    "review_overdue",
    "window_opened",
    "window_ending",
    "window_silent",
    "guidance_missing",
    "progress_reported",
    "progress_judged",
    "window_extended",
    "window_settling",
    "window_succeeded",
    "window_expired",
    "window_withdrawn",
    "window_released",
    "case_opened",
    "case_decided",
]


class ClaimsEvent(Message):
    """Something that happened to a plan or a window. Readers pass over kinds of `event` that they do not know."""

    TYPE: ClassVar[str] = "keypost.claims.claims-event.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.CLAIMS_EVENTS

    event: ClaimsHappening
    plan_id: Text | None = None
    plan_version: Count | None = None
    subject: Text = Field(description="The customer code, or `uscc:` and the credit code of a prospect.")
    customer_code: Code | None = None
    unit_code: Code | None = Field(default=None, description="The unit that holds or filed it.")
    happened_at: Instant = Field(
        description="The true time: of an expiry the end of the window, however late the service noticed."
    )
    by: Text = Field(description="The user, or `service:claims` for what happens by itself.")
    ends_at: Instant | None = None
    agreement_no: Text | None = None
    development_unit: Code | None = Field(
        default=None, description="Of a success: the unit that revenue is attributed to."
    )
    lead: Literal["A", "B"] | None = Field(default=None, description="Of a success: who leads from now on.")
    stage: Stage | None = None
    case: Literal["late_agreement", "foreign_agreement", "merged_windows"] | None = None
    reason: Text | None = None

    @property
    def key(self) -> str:
        return self.subject
