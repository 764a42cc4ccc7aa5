"""`problem.<code>`: the sentences of refusals about transactions, tiers, closes and held transactions."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "problem.year_not_over": (
        "{year} 年尚未结束，不能结账。",
        "The year {year} is not over and cannot be closed.",
    ),
    "problem.earlier_year_open": (
        "{year} 年有用邮记录且尚未结账，请先结 {year} 年。",
        "The year {year} has bookings and is still open; close it first.",
    ),
    "problem.not_closed": ("{period} 尚未结账。", "{period} has not been closed."),
    "problem.no_quarterly_scheme": (
        "现行分级标准均不按季度评定，无需季度结账。",
        "No scheme in force is evaluated by quarter, so there is no quarter to close.",
    ),
    "problem.bad_period": ("结账期应为年份，如 2011。", "The period is a year such as 2011."),
    "problem.not_in_suspense_number": (
        "没有编号为 {number} 的待处理交易，或不在您的机构范围内。",
        "There is no transaction {number} in suspense within your scope.",
    ),
    "problem.already_decided_suspense": (
        "编号 {number} 的待处理交易已经入账或已处理。",
        "Transaction {number} has been booked or decided already.",
    ),
    "problem.not_for_reason": (
        "因“{reason:held}”暂挂的交易不能作“{decision}”处理，可选：{allowed}。",
        "A transaction held for “{reason:held}” cannot be decided “{decision}”; possible: {allowed}.",
    ),
    "problem.unknown_scheme": ("没有分级标准“{scheme}”。", "There is no scheme “{scheme}”."),
    "problem.unknown_customer_code": (
        "登记中没有代码“{customer_code}”，或不在您的机构范围内。",
        "No customer with the code “{customer_code}” is known within your scope.",
    ),
    "problem.bad_cursor_feed": ("游标无效。", "The cursor is not one that this feed gave out."),
    "problem.not_json_array": (
        "请求内容不是有效的 JSON 数组。",
        "The body is not a valid JSON array.",
    ),
    "problem.too_many_items": (
        "一次最多提交 {items_max} 笔交易。",
        "One call takes {items_max} transactions at most.",
    ),
}
