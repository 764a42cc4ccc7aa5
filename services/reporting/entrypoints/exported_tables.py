"""The tables that can be taken away as files: their columns in two languages, and where their rows come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from services.reporting.adapters.read_models import (
    CustomerFilter,
    DeadLetterFilter,
    DeclarationFilter,
    MovementFilter,
    Page,
    PlanFilter,
    ReadModels,
    RevenueFilter,
    Row,
    SuspenseFilter,
)
from services.reporting.adapters.sheets import Cell, Money
from shared.auth.policy import Operation
from shared.auth.principals import Principal
from shared.clock import SHANGHAI
from shared.texts import Language

Asked = Mapping[str, Any]
"""The filters of the request by name; those without a value are not there."""
FetchPage = Callable[[ReadModels, Principal, Asked, str | None, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Column:
    """`of` takes the cell out of a row."""

    zh: str
    en: str
    of: Callable[[Row, Language], Cell]

    def title(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Exported:
    """One table: who may have it, its columns, its rows page by page."""

    operation: Operation
    columns: Sequence[Column]
    page: FetchPage

    def cells(self, rows: Sequence[Row], language: Language) -> list[list[Cell]]:
        return [[column.of(row, language) for column in self.columns] for row in rows]


def _plain(name: str, zh: str, en: str) -> Column:
    return Column(zh, en, lambda row, _: row[name])


def _money(name: str, zh: str, en: str) -> Column:
    return Column(zh, en, lambda row, _: None if row[name] is None else Money(row[name]))


def _named(name: str, zh: str, en: str) -> Column:
    """A name that a row has in both languages."""
    return Column(zh, en, lambda row, language: row[f"{name}_{'en' if language == 'en' else 'zh'}"])


def _joined(name: str, zh: str, en: str, of: Callable[[Any], str]) -> Column:
    return Column(zh, en, lambda row, _: [of(one) for one in row[name]])


CODE: Final = _plain("customer_code", "客户代码", "Customer code")
NAME: Final = _plain("name", "名称", "Name")
USCC: Final = _plain("uscc", "统一社会信用代码", "Credit code")
UNIT: Final = _plain("unit_code", "机构代码", "Unit code")
UNIT_NAME: Final = _named("unit_name", "机构", "Unit")
UNIT_PATH: Final = _plain("unit_path", "机构路径", "Unit path")
MANAGERS: Final = (_plain("manager_a", "A角", "Manager A"), _plain("manager_b", "B角", "Manager B"))
STATE: Final = _plain("state", "状态", "State")
REASON: Final = _plain("reason", "原因", "Reason")
LINE: Final = _plain("line", "专业", "Line")
LINES: Final = _plain("lines", "专业", "Lines")
AMOUNT: Final = _money("amount_fen", "金额（元）", "Amount (yuan)")
EXPECTED: Final = _money("expected_revenue_fen", "预计年收入（元）", "Expected yearly revenue (yuan)")
SUBMITTED: Final = _plain("submitted_at", "提交时间", "Submitted at")
DUE: Final = _plain("due_at", "时限", "Due at")
DECIDED_AT: Final = _plain("decided_at", "决定时间", "Decided at")
DECIDED_BY: Final = _plain("decided_by", "决定人", "Decided by")
OPENS: Final = _plain("opens_at", "独家开发期开始", "Window opens")
ENDS: Final = _plain("ends_at", "独家开发期截止", "Window ends")


def _page_of(method: Callable[..., Awaitable[Page]], filter_of: Any) -> FetchPage:
    """Pages of a list of `ReadModels`, its filter made of what was asked."""
    names = filter_of.__slots__

    async def page(read: ReadModels, caller: Principal, asked: Asked, cursor: str | None, limit: int) -> Page:
        # An export of one state of a list that shows one by default asks for it; `all` lifts it.
        narrowed = {name: asked[name] for name in names if name in asked}
        if narrowed.get("state") == "all":
            narrowed["state"] = None
        return await method(read, caller, filter_of(**narrowed), cursor, limit)

    return page


async def _windows(read: ReadModels, caller: Principal, asked: Asked, cursor: str | None, limit: int) -> Page:
    """Without days all that are in force or settling, page by page; with them what touches those days, past ones too."""
    if "from" not in asked and "to" not in asked:
        return await read.current_windows(caller, asked.get("unit"), cursor, limit)
    return await read.windows(
        caller, _begin(asked.get("from")), _begin(asked.get("to")), asked.get("unit")
    ), None


def _begin(day: Any) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


TABLES: Final[Mapping[str, Exported]] = {
    "customers": Exported(
        "customers.read",
        (
            CODE,
            NAME,
            USCC,
            _plain("kind", "类别", "Kind"),
            _plain("status", "状态", "Status"),
            _plain("merged_into", "并入", "Merged into"),
            UNIT,
            UNIT_NAME,
            _plain("division", "行政区划", "Division"),
            _plain("industry", "行业", "Industry"),
            *MANAGERS,
            _plain("registered_at", "注册时间", "Registered at"),
            _joined("agreements", "有效协议", "Agreements in force", lambda one: str(one["agreement_no"])),
            _joined("tiers", "客户级别", "Tiers", lambda one: f"{one['scheme']}: {one['tier']}"),
        ),
        _page_of(ReadModels.customers, CustomerFilter),
    ),
    "movements": Exported(
        "tiers.read",
        (
            CODE,
            NAME,
            UNIT_PATH,
            _plain("scheme", "分级标准", "Scheme"),
            _plain("scheme_version", "标准版本", "Scheme version"),
            _plain("version", "序号", "Version"),
            _plain("from_tier", "原级别", "From"),
            _plain("to_tier", "新级别", "To"),
            _plain("direction", "方向", "Direction"),
            REASON,
            _plain("effective_on", "生效日期", "Effective on"),
            _plain("period", "周期", "Period"),
            _money("total_fen", "周期内收入（元）", "Revenue of the period (yuan)"),
            _plain("key_account", "大客户", "Key account"),
            DECIDED_AT,
        ),
        _page_of(ReadModels.movements, MovementFilter),
    ),
    "revenue": Exported(
        "customers.read",
        (
            CODE,
            NAME,
            UNIT_PATH,
            _plain("year", "年", "Year"),
            _plain("month", "月", "Month"),
            LINE,
            AMOUNT,
            _plain("pieces", "业务量", "Pieces"),
            _plain("transactions", "笔数", "Transactions"),
        ),
        _page_of(ReadModels.revenue_rows, RevenueFilter),
    ),
    "declarations": Exported(
        "declarations.read",
        (
            _plain("declaration_id", "申报编号", "Declaration"),
            STATE,
            NAME,
            USCC,
            UNIT,
            UNIT_NAME,
            _plain("declarer", "申报人", "Declarer"),
            _plain("expected_lines", "预计专业", "Expected lines"),
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _plain("arrived_at", "到达市局中心时间", "Arrived at the centre"),
            _plain("waiting_for", "待办方", "Waiting for"),
            DUE,
            _plain("breached_at", "超时时间", "Breached at"),
            DECIDED_AT,
            DECIDED_BY,
            CODE,
        ),
        _page_of(ReadModels.declarations, DeclarationFilter),
    ),
    "plans": Exported(
        "plans.read",
        (
            _plain("plan_id", "预案编号", "Plan"),
            STATE,
            _plain("kind", "类别", "Kind"),
            CODE,
            USCC,
            NAME,
            UNIT,
            UNIT_NAME,
            LINES,
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _plain("reviewed_at", "审核时间", "Reviewed at"),
            _plain("reviewed_by", "审核人", "Reviewed by"),
            OPENS,
            ENDS,
            _plain("stage", "进展阶段", "Stage"),
            _plain("closed_at", "结束时间", "Closed at"),
            _plain("agreement_no", "协议号", "Agreement"),
        ),
        _page_of(ReadModels.plans, PlanFilter),
    ),
    "windows": Exported(
        "windows.read",
        (
            CODE,
            USCC,
            NAME,
            STATE,
            _plain("kind", "类别", "Kind"),
            UNIT,
            UNIT_NAME,
            LINES,
            *MANAGERS,
            OPENS,
            ENDS,
            _plain("last_day", "最后一日", "Last day"),
        ),
        _windows,
    ),
    "suspense": Exported(
        "suspense.read",
        (
            CODE,
            _plain("source", "来源", "Source"),
            _plain("id", "交易编号", "Transaction"),
            STATE,
            REASON,
            _plain("counter_id", "网点", "Counter"),
            LINE,
            _plain("kind", "类别", "Kind"),
            AMOUNT,
            _plain("business_date", "营业日期", "Business date"),
            _plain("held_at", "挂起时间", "Held since"),
            _plain("age_days", "挂起天数", "Days held"),
            _plain("changed_at", "最近变动时间", "Last changed at"),
            _plain("booked_for", "入账客户", "Booked for"),
            DECIDED_BY,
            UNIT_PATH,
        ),
        _page_of(ReadModels.suspense, SuspenseFilter),
    ),
    "dead-letters": Exported(
        "dead_letters.read",
        (
            _plain("service", "服务", "Service"),
            REASON,
            _plain("detail", "说明", "Detail"),
            STATE,
            _plain("origin_topic", "主题", "Topic"),
            _plain("origin_partition", "分区", "Partition"),
            _plain("origin_offset", "位移", "Offset"),
            _plain("failed_at", "失败时间", "Failed at"),
            CODE,
            _plain("counter_id", "网点", "Counter"),
            LINE,
            AMOUNT,
            DECIDED_BY,
            DECIDED_AT,
        ),
        _page_of(ReadModels.dead_letters, DeadLetterFilter),
    ),
}
