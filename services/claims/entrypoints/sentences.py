"""Refusals as problems: a stable code, who and until when as members, and a sentence in both languages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from services.claims.domain import refusals as r
from services.claims.domain.days import SHANGHAI
from services.claims.domain.festivals import NAMES
from services.claims.handlers.ports import KnownUnit
from shared.contracts.fields import printed_instant
from shared.problems import Problem

STATES: Final[dict[str, tuple[str, str]]] = {
    "draft": ("草稿", "a draft"),
    "submitted": ("已报备待审", "waiting for review"),
    "registered": ("已登记备案", "on file"),
    "active": ("独家开发期内", "in its exclusive window"),
    "settling": ("独家开发期已满，结算中", "settling"),
    "succeeded": ("开发成功", "a success"),
    "expired": ("独家开发期已过", "expired"),
    "withdrawn": ("已撤回", "withdrawn"),
    "refused": ("未予登记", "refused"),
}


def problem_of(refusal: r.Refusal, holder: KnownUnit | None = None) -> Problem:
    """The answer to a refused command. `holder` is the unit that a `WindowHeld` names."""
    match refusal:
        case r.WindowHeld():
            return _held(refusal, holder)
        case r.CoolingDown():
            return Problem(
                409,
                "cooling_down",
                f"该机构的独家开发期已过而未签约，{_zh(refusal.until)} 之前不得再次报备该客户。",
                f"This unit lost the customer and cannot claim it again before {_en(refusal.until)}.",
                until=printed_instant(refusal.until),
                lost_plan=refusal.lost_plan,
            )
        case r.AlreadyFiled():
            return Problem(
                409,
                "already_filed",
                "同一机构、同一客户经理对该客户已有待审的开发预案。",
                "The same unit and manager already have a plan for this customer under review.",
                plan_id=refusal.plan_id,
            )
        case r.WrongState():
            return _wrong_state(refusal)
        case r.WindowOver():
            return Problem(
                409,
                "window_over",
                f"独家开发期已于 {_zh(refusal.ended_at)} 结束，不能再办理。",
                f"The exclusive window ended at {_en(refusal.ended_at)}; its holder can no longer act.",
                ended_at=printed_instant(refusal.ended_at),
            )
        case r.OutsideSeason():
            return _outside(refusal)
        case r.FestivalNotReckoned(festival, year):
            return Problem(
                422,
                "festival_not_reckoned",
                f"农历推算不到 {year} 年，无法确定该年{NAMES[festival][0]}的日期，不能受理该年的节日独家开发期。",
                f"The lunar calendar does not reach {year}, so nobody knows the day of {NAMES[festival][1]} in that year; "
                "a festival window cannot be granted there.",
                festival=festival,
                year=year,
            )
        case r.NotSignificant():
            return Problem(
                409,
                "not_significant",
                "只有经中心认定有显著进展的独家开发期才能延长。",
                "Only a window whose progress the centre judged significant can be extended.",
            )
        case r.AlreadyExtended():
            return Problem(
                409,
                "already_extended",
                f"独家开发期至多延长 {refusal.extensions_max} 次，已延长至 {_zh(refusal.until)}。",
                f"A window is extended {refusal.extensions_max} time(s) at most; this one runs until "
                f"{_en(refusal.until)} already.",
                until=printed_instant(refusal.until),
            )
        case r.BadExtension():
            return Problem(
                422,
                "bad_extension",
                f"可延长至 {refusal.first} 至 {refusal.last} 之间的某一天。",
                f"It can be extended to a day from {refusal.first} to {refusal.last}.",
                first=refusal.first.isoformat(),
                last=refusal.last.isoformat(),
            )
        case r.OpensTooEarly():
            return Problem(
                422,
                "opens_too_early",
                "独家开发期不能从已过去的日期开始。",
                "A window cannot open on a day that is over.",
                today=refusal.today.isoformat(),
            )
        case r.NotFirst():
            return Problem(
                422,
                "reason_required",
                "按公布的规则，另有预案排在前面；如不按排名登记，须说明理由。",
                "By the published rules other plans go first; registering this one needs a reason.",
                before=list(refusal.before),
            )
    return _plain(refusal)


def _plain(refusal: r.Refusal) -> Problem:
    match refusal:
        case r.UnknownUnit():
            return Problem(
                422,
                "unknown_unit",
                "没有这个机构，或该机构已撤销。",
                "There is no such unit, or it is closed.",
            )
        case r.UnknownCustomer():
            return Problem(
                422,
                "unknown_customer",
                "没有这个客户；新赋码的客户需稍候片刻。",
                "There is no such customer; one that has just got its code is known in a moment.",
            )
        case r.CustomerGone() if refusal.merged_into is not None:
            return Problem(
                409,
                "merged_into",
                f"该客户已并入 {refusal.merged_into}，请以该代码办理。",
                f"This customer was merged into {refusal.merged_into}; use that code.",
                merged_into=refusal.merged_into,
            )
        case r.CustomerGone():
            return Problem(
                409,
                "customer_not_active",
                "该客户已停用。",
                "This customer is no longer active.",
                status_of_customer=refusal.status,
            )
        case r.BadCreditCode():
            return Problem(
                422,
                "bad_credit_code",
                "统一社会信用代码不正确。",
                "This is not a valid credit code.",
            )
        case r.OwnRequest():
            return Problem(
                403,
                "own_request",
                "不得审批自己的申请。",
                "Nobody decides their own request.",
            )
        case r.CaseDecided():
            return Problem(
                409,
                "already_decided",
                f"{refusal.decided_by} 已于 {_zh(refusal.decided_at)} 作出决定。",
                f"{refusal.decided_by} decided this at {_en(refusal.decided_at)}.",
                decision=refusal.decision,
                decided_by=refusal.decided_by,
                decided_at=printed_instant(refusal.decided_at),
            )
    return unknown_plan()


def unknown_plan() -> Problem:
    """404, for a plan outside the caller's scope as for one that does not exist."""
    return Problem(404, "unknown_plan", "没有这个开发预案。", "There is no such plan.")


def _held(refusal: r.WindowHeld, holder: KnownUnit | None) -> Problem:
    zh = refusal.holder_unit if holder is None else holder.name_zh
    en = refusal.holder_unit if holder is None else holder.name_en
    return Problem(
        409,
        "window_held",
        f"{zh}（{refusal.holder_unit}）正在独家开发该客户，至 {_zh(refusal.until)} 为止，"
        f"结算等待至 {_zh(refusal.barred_until)}；可以排队等候。",
        f"{en} ({refusal.holder_unit}) holds the exclusive right to this customer until {_en(refusal.until)}; it "
        f"settles until {_en(refusal.barred_until)}. A plan may queue.",
        holder_unit=refusal.holder_unit,
        holder_name_zh=zh,
        holder_name_en=en,
        until=printed_instant(refusal.until),
        barred_until=printed_instant(refusal.barred_until),
        queue_possible=refusal.queue_possible,
        holder_plan=refusal.plan_id,
    )


def _wrong_state(refusal: r.WrongState) -> Problem:
    zh, en = STATES[refusal.state]
    if refusal.decided_by is not None and refusal.decided_at is not None:
        return Problem(
            409,
            "already_decided",
            f"{refusal.decided_by} 已于 {_zh(refusal.decided_at)} 审核：{zh}。",
            f"{refusal.decided_by} reviewed this at {_en(refusal.decided_at)}: it is {en}.",
            state=refusal.state,
            decided_by=refusal.decided_by,
            decided_at=printed_instant(refusal.decided_at),
        )
    return Problem(
        409,
        "wrong_state",
        f"预案当前为“{zh}”，不能这样办理。",
        f"The plan is {en}; this cannot be done now.",
        state=refusal.state,
        needed=list(refusal.needed),
    )


def _outside(refusal: r.OutsideSeason) -> Problem:
    zh, en = NAMES[refusal.festival]
    known = refusal.season_first is not None and refusal.season_last is not None
    return Problem(
        409,
        "outside_season",
        f"{zh}独家开发期（{_day(refusal.first_day)} 至 {_day(refusal.last_day)}）未涉及节日时段"
        + (f"；下一时段为 {_day(refusal.season_first)} 至 {_day(refusal.season_last)}。" if known else "。"),
        f"A {en} window from {_day(refusal.first_day)} to {_day(refusal.last_day)} does not touch the season"
        + (
            f"; the next one lasts from {_day(refusal.season_first)} to {_day(refusal.season_last)}."
            if known
            else "."
        ),
        festival=refusal.festival,
        season_first=_day(refusal.season_first) or None,
        season_last=_day(refusal.season_last) or None,
    )


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _zh(instant: datetime) -> str:
    return f"{instant.astimezone(SHANGHAI):%Y年%m月%d日 %H:%M}"


def _en(instant: datetime) -> str:
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
