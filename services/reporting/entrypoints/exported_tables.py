"""The tables that can be taken away as files: their columns in two languages, and where their rows come from.

A file is for people: what is a code in the contracts is a word in theirs. The titles of what can be imported are headings
that the import knows, and the words are words that it reads, so that an exported table can be imported again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from services.reporting.adapters.read_models import (
    AlertFilter,
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
from services.reporting.domain.refusals import MissingFilter
from shared.auth.policy import Operation
from shared.auth.principals import Principal
from shared.clock import SHANGHAI
from shared.problems import Problem
from shared.texts import Language, word

Asked = Mapping[str, Any]
"""The filters of the request by name; those without a value are not there."""
FetchPage = Callable[[ReadModels, Principal, Asked, str | None, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Column:
    """`of` takes the cell out of a row; `width` is in characters of a sheet."""

    zh: str
    en: str
    of: Callable[[Row, Language], Cell]
    width: int = 14

    def title(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Exported:
    """One table: its name, who may have it, its columns, its rows page by page."""

    zh: str
    en: str
    operation: Operation
    columns: Sequence[Column]
    page: FetchPage

    def title(self, language: Language) -> str:
        return self.en if language == "en" else self.zh

    def cells(self, rows: Sequence[Row], language: Language) -> list[list[Cell]]:
        return [[column.of(row, language) for column in self.columns] for row in rows]


def _plain(name: str, zh: str, en: str, width: int = 14) -> Column:
    return Column(zh, en, lambda row, _: row[name], width)


def _time(name: str, zh: str, en: str) -> Column:
    return _plain(name, zh, en, 20)


def _money(name: str, zh: str, en: str) -> Column:
    return Column(zh, en, lambda row, _: None if row[name] is None else Money(row[name]), 18)


def _named(name: str, zh: str, en: str) -> Column:
    """A name that a row has in both languages."""
    return Column(zh, en, lambda row, language: row[f"{name}_{'en' if language == 'en' else 'zh'}"], 20)


def _word(name: str, kind: str, zh: str, en: str) -> Column:
    """A code of the contracts in words; one that has none yet stays as it is."""
    return Column(
        zh, en, lambda row, language: None if row[name] is None else word(kind, row[name], language)
    )


def _words(name: str, kind: str, zh: str, en: str) -> Column:
    """Several of them."""
    return Column(zh, en, lambda row, language: [word(kind, one, language) for one in row[name] or ()], 20)


def _flag(name: str, zh: str, en: str) -> Column:
    def of(row: Row, language: Language) -> Cell:
        if row[name] is None:
            return None
        return ("yes" if row[name] else "no") if language == "en" else ("是" if row[name] else "否")

    return Column(zh, en, of, 10)


CODE: Final = _plain("customer_code", "客户代码", "Customer code", 18)
NAME: Final = _plain("name", "名称", "Name", 32)
USCC: Final = _plain("uscc", "统一社会信用代码", "Credit code", 22)
UNIT: Final = _plain("unit_code", "机构代码", "Unit code")
UNIT_NAME: Final = _named("unit_name", "机构", "Unit")
UNIT_PATH: Final = _plain("unit_path", "机构路径", "Unit path")
MANAGERS: Final = (_plain("manager_a", "A角", "Manager A"), _plain("manager_b", "B角", "Manager B"))
LINE: Final = _word("line", "line", "专业", "Line")
LINES: Final = _words("lines", "line", "专业", "Lines")
AMOUNT: Final = _money("amount_fen", "金额（元）", "Amount (yuan)")
EXPECTED: Final = _money("expected_revenue_fen", "预计年收入（元）", "Expected yearly revenue (yuan)")
SUBMITTED: Final = _time("submitted_at", "提交时间", "Submitted at")
DUE: Final = _time("due_at", "时限", "Due at")
DECIDED_AT: Final = _time("decided_at", "决定时间", "Decided at")
DECIDED_BY: Final = _plain("decided_by", "决定人", "Decided by")
OPENS: Final = _time("opens_at", "独家开发期开始", "Window opens")
ENDS: Final = _time("ends_at", "独家开发期截止", "Window ends")


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


def _tiers(row: Row, language: Language) -> Cell:
    return [
        f"{word('scheme', one['scheme'], language)}: {word('tier', one['tier'], language)}"
        for one in row["tiers"]
    ]


async def _matrix(
    read: ReadModels, caller: Principal, asked: Asked, _cursor: str | None, _limit: int
) -> Page:
    """The cells of one matrix; which one must be said."""
    if absent := [name for name in ("scheme", "from", "to") if name not in asked]:
        raise Problem(MissingFilter(absent))
    matrix = await read.tier_matrix(caller, asked["scheme"], asked["from"], asked["to"], asked.get("unit"))
    return matrix["cells"], None


TABLES: Final[Mapping[str, Exported]] = {
    "customers": Exported(
        "客户",
        "Customers",
        "customers.read",
        (
            CODE,
            NAME,
            USCC,
            _word("kind", "kind", "类别", "Kind"),
            _word("status", "status", "状态", "Status"),
            _plain("merged_into", "并入", "Merged into"),
            UNIT,
            UNIT_NAME,
            _plain("division", "行政区划", "Division"),
            _plain("industry", "行业", "Industry"),
            *MANAGERS,
            _time("registered_at", "注册时间", "Registered at"),
            Column(
                "有效协议",
                "Agreements in force",
                lambda row, _: [str(one["agreement_no"]) for one in row["agreements"]],
                20,
            ),
            Column("客户级别", "Tiers", _tiers, 32),
        ),
        _page_of(ReadModels.customers, CustomerFilter),
    ),
    "movements": Exported(
        "级别变动",
        "Tier changes",
        "tiers.read",
        (
            CODE,
            NAME,
            UNIT_PATH,
            _word("scheme", "scheme", "分级标准", "Scheme"),
            _plain("scheme_version", "标准版本", "Scheme version"),
            _plain("version", "序号", "Version"),
            _word("from_tier", "tier", "原级别", "From"),
            _word("to_tier", "tier", "新级别", "To"),
            _word("direction", "direction", "方向", "Direction"),
            _word("reason", "change", "原因", "Reason"),
            _plain("effective_on", "生效日期", "Effective on"),
            _plain("period", "周期", "Period"),
            _money("total_fen", "周期内收入（元）", "Revenue of the period (yuan)"),
            _flag("key_account", "大客户", "Key account"),
            DECIDED_AT,
        ),
        _page_of(ReadModels.movements, MovementFilter),
    ),
    "revenue": Exported(
        "用邮收入",
        "Revenue",
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
        "注册申报",
        "Declarations",
        "declarations.read",
        (
            _plain("declaration_id", "申报编号", "Declaration"),
            _word("state", "declaration", "状态", "State"),
            NAME,
            USCC,
            UNIT,
            UNIT_NAME,
            _plain("declarer", "申报人", "Declarer"),
            _words("expected_lines", "line", "预计专业", "Expected lines"),
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _time("arrived_at", "到达市局中心时间", "Arrived at the centre"),
            _word("waiting_for", "waiting", "待办方", "Waiting for"),
            DUE,
            _time("breached_at", "超时时间", "Breached at"),
            DECIDED_AT,
            DECIDED_BY,
            CODE,
        ),
        _page_of(ReadModels.declarations, DeclarationFilter),
    ),
    "plans": Exported(
        "开发预案",
        "Plans",
        "plans.read",
        (
            _plain("plan_id", "预案编号", "Plan"),
            _word("state", "plan", "状态", "State"),
            _word("kind", "plan_kind", "类别", "Kind"),
            CODE,
            USCC,
            NAME,
            UNIT,
            UNIT_NAME,
            LINES,
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _time("reviewed_at", "审核时间", "Reviewed at"),
            _plain("reviewed_by", "审核人", "Reviewed by"),
            OPENS,
            ENDS,
            _word("stage", "stage", "进展阶段", "Stage"),
            _time("closed_at", "结束时间", "Closed at"),
            _plain("agreement_no", "协议号", "Agreement"),
        ),
        _page_of(ReadModels.plans, PlanFilter),
    ),
    "windows": Exported(
        "独家开发期",
        "Windows",
        "windows.read",
        (
            CODE,
            USCC,
            NAME,
            _word("state", "plan", "状态", "State"),
            _word("kind", "plan_kind", "类别", "Kind"),
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
        "待处理交易",
        "Suspense",
        "suspense.read",
        (
            CODE,
            _plain("source", "来源", "Source"),
            _plain("id", "交易编号", "Transaction id", 28),
            _word("state", "held_state", "状态", "State"),
            _word("reason", "held", "原因", "Reason"),
            _plain("counter_id", "网点", "Counter"),
            LINE,
            _word("kind", "transaction", "类别", "Kind"),
            AMOUNT,
            _plain("business_date", "营业日期", "Business date"),
            _time("held_at", "挂起时间", "Held since"),
            _plain("age_days", "挂起天数", "Days held"),
            _time("changed_at", "最近变动时间", "Last changed at"),
            _plain("booked_for", "入账客户", "Booked for"),
            DECIDED_BY,
            UNIT_PATH,
        ),
        _page_of(ReadModels.suspense, SuspenseFilter),
    ),
    "dead-letters": Exported(
        "无法处理的消息",
        "Dead letters",
        "dead_letters.read",
        (
            _word("service", "service", "服务", "Service"),
            _word("reason", "letter", "原因", "Reason"),
            _plain("detail", "说明", "Detail"),
            _word("state", "letter_state", "状态", "State"),
            _plain("origin_topic", "主题", "Topic"),
            _plain("origin_partition", "分区", "Partition"),
            _plain("origin_offset", "位移", "Offset"),
            _time("failed_at", "失败时间", "Failed at"),
            CODE,
            _plain("counter_id", "网点", "Counter"),
            LINE,
            AMOUNT,
            DECIDED_BY,
            DECIDED_AT,
        ),
        _page_of(ReadModels.dead_letters, DeadLetterFilter),
    ),
    "tier-matrix": Exported(
        "级别变动矩阵",
        "Tier matrix",
        "tiers.read",
        (
            _word("from_tier", "tier", "原级别", "From"),
            _word("to_tier", "tier", "新级别", "To"),
            _plain("count", "客户数", "Customers"),
        ),
        _matrix,
    ),
    "alerts": Exported(
        "提醒",
        "Alerts",
        "declarations.read",
        (
            _word("alert", "alert", "提醒", "Alert"),
            NAME,
            CODE,
            _plain("subject", "对象", "Subject", 28),
            UNIT,
            UNIT_PATH,
            *MANAGERS,
            _plain("escalated_to", "上报机构", "Escalated to"),
            DUE,
            _time("raised_at", "提醒时间", "Raised at"),
            _flag("open", "未了结", "Open"),
        ),
        _page_of(ReadModels.alerts, AlertFilter),
    ),
}
