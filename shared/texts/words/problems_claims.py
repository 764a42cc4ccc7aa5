"""`problem.<code>`: the sentences of refusals about plans, windows and cases, and the words that they use."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "problem.window_held": (
        "{holder}（{holder_unit}）正在独家开发该客户，至 {until:instant} 为止，"
        "期满待核至 {barred_until:instant}；可以排队等候。",
        "{holder} ({holder_unit}) holds the exclusive right to this customer until {until:instant}; it settles until "
        "{barred_until:instant}. A plan may queue.",
    ),
    "problem.window_held_by_another": (
        "另有机构正在独家开发该客户。",
        "Another unit holds the exclusive right to this customer.",
    ),
    "problem.cooling_down": (
        "该机构的独家开发期已过而未签约，{until:instant} 之前不得再次报备该客户。",
        "This unit lost the customer and cannot claim it again before {until:instant}.",
    ),
    "problem.already_filed": (
        "同一机构、同一客户经理对该客户已有待审的开发预案。",
        "The same unit and manager already have a plan for this customer under review.",
    ),
    "problem.wrong_state": (
        "预案当前为“{state:plan_is}”，不能这样办理。",
        "The plan is {state:plan_is}; this cannot be done now.",
    ),
    "problem.already_decided_plan": (
        "{decided_by} 已于 {decided_at:instant} 审核：{state:plan_is}。",
        "{decided_by} reviewed this at {decided_at:instant}: it is {state:plan_is}.",
    ),
    "problem.already_decided_case": (
        "{decided_by} 已于 {decided_at:instant} 作出决定。",
        "{decided_by} decided this at {decided_at:instant}.",
    ),
    "problem.window_over": (
        "独家开发期已于 {ended_at:instant} 结束，不能再办理。",
        "The exclusive window ended at {ended_at:instant}; its holder can no longer act.",
    ),
    "problem.outside_season": (
        "{festival:festival}独家开发期（{first_day:date} 至 {last_day:date}）未涉及节日时段。",
        "A {festival:festival} window from {first_day:date} to {last_day:date} does not touch the season.",
    ),
    "problem.outside_season_next": (
        "{festival:festival}独家开发期（{first_day:date} 至 {last_day:date}）未涉及节日时段；"
        "下一时段为 {season_first:date} 至 {season_last:date}。",
        "A {festival:festival} window from {first_day:date} to {last_day:date} does not touch the season; the next one lasts "
        "from {season_first:date} to {season_last:date}.",
    ),
    "problem.festival_not_reckoned": (
        "农历推算不到 {year} 年，无法确定该年{festival:festival}的日期，不能受理该年的节日独家开发期。",
        "The lunar calendar does not reach {year}, so nobody knows the day of {festival:festival} in that year; "
        "a festival window cannot be granted there.",
    ),
    "problem.not_significant": (
        "只有经中心认定有显著进展的独家开发期才能延长。",
        "Only a window whose progress the centre judged significant can be extended.",
    ),
    "problem.already_extended": (
        "独家开发期至多延长 {extensions_max} 次，已延长至 {until:instant}。",
        "A window is extended {extensions_max} time(s) at most; this one runs until {until:instant} already.",
    ),
    "problem.bad_extension": (
        "可延长至 {first:date} 至 {last:date} 之间的某一天。",
        "It can be extended to a day from {first:date} to {last:date}.",
    ),
    "problem.opens_too_early": (
        "独家开发期不能从已过去的日期开始；今天是 {today:date}。",
        "A window cannot open on a day that is over; today is {today:date}.",
    ),
    "problem.reason_required": (
        "按公布的规则，另有 {before} 排在前面；如不按排名登记，须说明理由。",
        "By the published rules {before} go first; registering this one needs a reason.",
    ),
    "problem.unknown_unit": (
        "没有机构 {unit_code}，或该机构已撤销。",
        "There is no unit {unit_code}, or it is closed.",
    ),
    "problem.unknown_customer_yet": (
        "没有客户 {customer_code}；新赋码的客户需稍候片刻。",
        "There is no customer {customer_code}; one that has just got its code is known in a moment.",
    ),
    "problem.merged_into_claims": (
        "该客户已并入 {merged_into}，请以该代码办理。",
        "This customer was merged into {merged_into}; use that code.",
    ),
    "problem.customer_not_active": ("该客户已停用。", "This customer is no longer active."),
    "problem.bad_credit_code": ("统一社会信用代码不正确。", "This is not a valid credit code."),
    "problem.unknown_plan": ("没有这个开发预案。", "There is no such plan."),
    "problem.unknown_case": ("没有这个事项。", "There is no such case."),
    "problem.no_window": ("该客户目前没有独家开发期。", "Nobody holds an exclusive window of this customer."),
    "plan_is.draft": ("草稿", "a draft"),
    "plan_is.submitted": ("已报备待审", "waiting for review"),
    "plan_is.registered": ("已登记备案", "on file"),
    "plan_is.active": ("独家开发期内", "in its exclusive window"),
    "plan_is.settling": ("期满待核", "settling"),
    "plan_is.succeeded": ("开发成功", "a success"),
    "plan_is.expired": ("独家开发期已过", "expired"),
    "plan_is.withdrawn": ("已撤回", "withdrawn"),
    "plan_is.refused": ("未予备案", "refused"),
    "criterion.declaration": ("在先的有效申报", "earlier valid declaration"),
    "criterion.territory": ("属地单位", "territorial unit"),
    "criterion.benefit": ("预期效益", "expected benefit"),
}
