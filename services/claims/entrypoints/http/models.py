"""Plans, windows and cases as HTTP shows them, and the bodies of the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from services.claims.domain.festivals import Festival
from services.claims.domain.plans import Alternative, Kind, Phase, Plan
from services.claims.handlers.file_plan import FilePlan
from services.claims.handlers.ports import Case, Subject
from services.claims.handlers.review_plan import Ranking
from shared.contracts.claims_v1 import Stage
from shared.contracts.counter_v1 import Line
from shared.contracts.fields import Code, Count, Day, Figure, Instant, Part, Text, amount
from shared.http_fields import StatedDay
from shared.kernel.days import LAST_DAY
from shared.money import AMOUNT_PATTERN
from shared.texts import word

Filter = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Long = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Item = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Evidence = Annotated[
    list[Item], Field(max_length=50, description="What proves it: documents, addresses, words.")
]
Yuan = Annotated[
    int,
    BeforeValidator(lambda value: amount(value, "the value")),
    WithJsonSchema({"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"}),
]
"""Fen of an amount that is sent as a decimal string in yuan. A JSON number is refused: nobody could say which it was."""
Lines = Annotated[list[Line], Field(max_length=8)]


OpeningDay = Annotated[StatedDay, Field(le=date(LAST_DAY.year - 1, 12, 31))]
"""A day on which a window may open: a year before the last day that can be named, so that its end and settling can be too."""


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class ProspectIn(_In):
    """A customer that has no code yet."""

    uscc: Annotated[str, Field(max_length=64)]
    name: Text


class ComparedIn(_In):
    """One of several services that fit, for comparison."""

    service: Text
    margin: Yuan | None = None
    cost: Yuan | None = None
    quality: Item | None = None

    def alternative(self) -> Alternative:
        return Alternative(self.service, self.margin, self.cost, self.quality)


class PlanIn(_In):
    """A development plan. Either `customer_code` or `prospect` says for whom it is."""

    customer_code: Code | None = None
    prospect: ProspectIn | None = None
    unit_code: Code
    kind: Kind = "regular"
    festival: Festival | None = Field(
        default=None, description="Which festival; for the kind `festival` only."
    )
    lines: Lines = []
    plan_text: Long
    expected_yearly_revenue: Yuan | None = Field(default=None, description="Yuan a year.")
    expected_margin: Yuan | None = Field(default=None, description="Yuan a year.")
    comparison: Annotated[list[ComparedIn], Field(max_length=20)] = []
    files: Annotated[list[Item], Field(max_length=50)] = []
    manager_a: Text
    manager_b: Text | None = None
    opens_on: OpeningDay | None = Field(
        default=None,
        description="The day on which the window should open; without it, or once it is over, at once.",
    )
    queue: StrictBool = Field(default=False, description="Wait where another unit's window is in force.")
    submit: StrictBool = Field(default=True, description="Hand it in at once; else it is a draft.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.customer_code is None) == (self.prospect is None):
            raise ValueError("either customer_code or prospect")
        if (self.kind == "festival") != (self.festival is not None):
            raise ValueError("festival goes with the kind festival")
        return self

    def command(self) -> FilePlan:
        return FilePlan(
            unit_code=self.unit_code,
            customer_code=self.customer_code,
            prospect_uscc=None if self.prospect is None else self.prospect.uscc,
            prospect_name=None if self.prospect is None else self.prospect.name,
            kind=self.kind,
            festival=self.festival,
            lines=tuple(dict.fromkeys(self.lines)),
            plan_text=self.plan_text,
            expected_revenue_fen=self.expected_yearly_revenue,
            expected_margin_fen=self.expected_margin,
            comparison=tuple(one.alternative() for one in self.comparison),
            files=tuple(self.files),
            manager_a=self.manager_a,
            manager_b=self.manager_b,
            opens_on=self.opens_on,
            may_queue=self.queue,
            hand_in=self.submit,
        )


class PlanChangeIn(_In):
    """What a draft shall say from now on; members left out stay as they are."""

    lines: Lines | None = None
    plan_text: Long | None = None
    expected_yearly_revenue: Yuan | None = None
    expected_margin: Yuan | None = None
    comparison: Annotated[list[ComparedIn], Field(max_length=20)] | None = None
    files: Annotated[list[Item], Field(max_length=50)] | None = None
    manager_a: Text | None = None
    manager_b: Text | None = None
    opens_on: OpeningDay | None = None
    queue: StrictBool | None = None

    def changes(self) -> dict[str, Any]:
        """The fields of the plan that change. What may not be empty stays where null was sent."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        renamed = {
            "expected_yearly_revenue": "expected_revenue_fen",
            "expected_margin": "expected_margin_fen",
            "queue": "may_queue",
        }
        changes: dict[str, Any] = {}
        for name, value in given.items():
            if value is None and name in ("lines", "plan_text", "comparison", "files", "manager_a", "queue"):
                continue
            if name == "comparison":
                value = tuple(one.alternative() for one in value)
            elif isinstance(value, list):
                value = tuple(value)
            changes[renamed.get(name, name)] = value
        return changes


class WithdrawIn(_In):
    reason: Reason | None = None


class ReviewIn(_In):
    """The centre's decision; a refusal needs its reason, and so does a registration that departs from the ranking."""

    decision: Literal["register", "refuse"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.decision == "refuse" and self.reason is None:
            raise ValueError("a refusal needs a reason")
        return self


class ProgressIn(_In):
    stage: Stage
    note: Reason
    evidence: Evidence = []


class JudgeIn(_In):
    significant: StrictBool
    note: Reason = Field(description="The centre's guidance to the holder.")


class ExtendIn(_In):
    until: StatedDay = Field(description="The new last day.")
    reason: Reason
    evidence: Annotated[Evidence, Field(min_length=1)]


class DecideCaseIn(_In):
    decision: Literal["holder", "other", "dismissed"] = Field(
        description="To whom the customer's development is attributed: the window's holder, the other unit, or nothing "
        "comes of it."
    )
    reason: Reason


class ComparedOut(Part):
    service: str
    margin_fen: Figure | None = Field(default=None, alias="margin")
    cost_fen: Figure | None = Field(default=None, alias="cost")
    quality: str | None = None


class StepOut(Part):
    """Something that happened to the plan."""

    step: str
    person: str
    at: Instant
    stage: str | None = None
    reason: str | None = None
    note: str | None = None
    evidence: list[str]


class PlanSummary(Part):
    """A plan in a list."""

    plan_id: str
    version: int
    state: Phase
    kind: Kind
    festival: str | None = None
    customer_code: str | None = None
    uscc: str | None = None
    name: str
    unit_code: str
    unit_path: str
    reviewing_unit: str
    lines: list[str]
    expected_revenue_fen: Figure | None = Field(default=None, alias="expected_yearly_revenue")
    expected_margin_fen: Figure | None = Field(default=None, alias="expected_margin")
    manager_a: str
    manager_b: str | None = None
    queued: bool
    filed_by: str
    filed_at: Instant
    submitted_at: Instant | None = None
    due_at: Instant | None = Field(default=None, description="When the review is due.")
    breached_at: Instant | None = None
    reviewed_at: Instant | None = None
    reviewed_by: str | None = None
    opens_at: Instant | None = None
    ends_at: Instant | None = Field(default=None, description="24:00 of the last day; exclusive.")
    last_day: Day | None = None
    settled_at: Instant | None = None
    rule_version: int | None = None
    stage: str | None = None
    progressed_at: Instant | None = None
    significant: bool
    extended_until: Instant | None = None
    closed_at: Instant | None = None
    agreement_no: str | None = None
    changed_at: Instant


class PlanOut(PlanSummary):
    """A plan with everything it says. `version` is also its ETag."""

    plan_text: str
    comparison: list[ComparedOut]
    files: list[str]
    opens_on: Day | None = None
    queue: bool = Field(description="It may wait where another's window is in force.")
    review_reason: str | None = None
    guidance: str | None = None
    judged_at: Instant | None = None
    comparison_missing: bool = Field(
        description="Several services are concerned and none are compared (S1 art.12(3))."
    )
    steps: list[StepOut]


class Plans(Part):
    items: list[PlanSummary]
    next_cursor: str | None


class WindowOut(Part):
    """Who holds a customer until when; published to everybody inside."""

    plan_id: str
    window_key: str = Field(description="The customer code, or `uscc:` and the credit code of a prospect.")
    customer_code: str | None = None
    uscc: str | None = None
    name: str
    version: int
    state: Literal["registered", "active", "settling", "succeeded", "expired", "withdrawn"]
    unit_code: str
    unit_path: str
    unit_name_zh: str
    unit_name_en: str
    manager_a: str
    manager_b: str | None = None
    kind: Kind
    lines: list[str]
    opens_at: Instant
    ends_at: Instant
    last_day: Day
    settled_at: Instant = Field(description="Until then others are barred, unless it closes before.")
    closed_at: Instant | None = None
    rule_version: int


class Windows(Part):
    items: list[WindowOut]
    next_cursor: str | None


class RankedOut(Part):
    """A place in the ranking of plans that are pending together. Margins of other centres' plans are not shown."""

    place: int
    plan_id: str
    unit_code: str
    declared: bool = Field(
        description="The customer is registered for this unit (earlier valid declaration)."
    )
    territory: int = Field(
        description="Levels of the division (province, city, county) shared with the customer."
    )
    expected_margin: Figure | None = None
    submitted_at: Instant
    behind: str | None = Field(
        description="The criterion that puts it behind the one before; null between equals."
    )
    behind_zh: str | None
    behind_en: str | None


class RankingOut(Part):
    order: list[str]
    items: list[RankedOut]


class CaseOut(Part):
    """A matter for the centre. `version` is also its ETag."""

    case_id: str
    version: Count
    kind: Literal["late_agreement", "foreign_agreement", "merged_windows"]
    state: Literal["open", "decided"]
    customer_code: str | None = None
    name: str | None = None
    plan_id: str
    unit_path: str
    other_unit: str | None = None
    agreement_no: str | None = None
    evidence: dict[str, Any]
    opened_at: Instant
    decision: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: Instant | None = None


class Cases(Part):
    items: list[CaseOut]
    next_cursor: str | None


_SAME = tuple(
    name for name in PlanOut.model_fields if name in Plan.__dataclass_fields__ and name != "comparison"
)


def plan_out(plan: Plan, subject: Subject, steps: Sequence[Mapping[str, Any]]) -> PlanOut:
    """The resource of a plan."""
    values: dict[str, Any] = {name: getattr(plan, name) for name in _SAME}
    values.update(
        plan_id=plan.id,
        customer_code=subject.customer_code,
        uscc=subject.uscc,
        name=subject.name,
        lines=list(plan.lines),
        files=list(plan.files),
        last_day=plan.last_day,
        queue=plan.may_queue,
        due_at=plan.due_at if plan.state == "submitted" else None,
        comparison=[
            ComparedOut(
                service=one.service, margin_fen=one.margin_fen, cost_fen=one.cost_fen, quality=one.quality
            )
            for one in plan.comparison
        ],
        comparison_missing=len(plan.lines) > 1 and len(plan.comparison) < 2,
        steps=[
            StepOut(
                step=one["event"],
                person=one["person"],
                at=one["happened_at"],
                stage=one["stage"],
                reason=one["reason"],
                note=one["note"],
                evidence=list(one["evidence"]),
            )
            for one in steps
        ],
    )
    return PlanOut(**values)


def summary_of(row: Mapping[str, Any], last_day: date | None) -> PlanSummary:
    """A plan in a list, from a row that joins plan and subject."""
    values = {**row, "plan_id": row["id"], "last_day": last_day, "lines": list(row["lines"])}
    values["due_at"] = row["due_at"] if row["state"] == "submitted" else None
    return PlanSummary(**{name: values[name] for name in PlanSummary.model_fields})


def ranking_out(ranking: Ranking) -> RankingOut:
    """The resource of a ranking."""
    return RankingOut(
        order=list(ranking.order),
        items=[
            RankedOut(
                place=one.place,
                plan_id=one.candidate.plan_id,
                unit_code=one.candidate.unit_code,
                declared=one.candidate.declared,
                territory=one.candidate.territory,
                expected_margin=one.candidate.margin_fen,
                submitted_at=one.candidate.submitted_at,
                behind=one.behind,
                behind_zh=None if one.behind is None else word("criterion", one.behind, "zh-CN"),
                behind_en=None if one.behind is None else word("criterion", one.behind, "en"),
            )
            for one in ranking.places
        ],
    )


def case_out(case: Case, customer_code: str | None, name: str | None) -> CaseOut:
    """The resource of a case."""
    return CaseOut(
        case_id=case.id,
        version=case.version,
        kind=case.kind,
        state=case.state,  # type: ignore[arg-type]
        customer_code=customer_code,
        name=name,
        plan_id=case.plan_id,
        unit_path=case.unit_path,
        other_unit=case.other_unit,
        agreement_no=case.agreement_no,
        evidence=dict(case.evidence),
        opened_at=case.opened_at,
        decision=case.decision,
        reason=case.reason,
        decided_by=case.decided_by,
        decided_at=case.decided_at,
    )
