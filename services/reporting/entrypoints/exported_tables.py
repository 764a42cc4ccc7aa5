"""The tables that can be taken away as files: their columns, and where their rows come from.

A file is for people: what is a code in the contracts is a word in theirs. The titles of what can be imported are headings
that the import knows, and the words are words that it reads, so that an exported table can be imported again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.alerts import AlertFilter, alerts
from services.reporting.adapters.reads.customers import CustomerFilter, customers
from services.reporting.adapters.reads.dead_letters import DeadLetterFilter, dead_letters
from services.reporting.adapters.reads.declarations import DeclarationFilter, declarations
from services.reporting.adapters.reads.movements import MovementFilter, movements, tier_matrix
from services.reporting.adapters.reads.plans import PlanFilter, plans
from services.reporting.adapters.reads.revenue import RevenueFilter, revenue_rows
from services.reporting.adapters.reads.rows import Row
from services.reporting.adapters.reads.suspense import SuspenseFilter, suspense
from services.reporting.adapters.reads.windows import current_windows, windows
from services.reporting.adapters.sheets import Cell, Money
from services.reporting.domain.refusals import MissingFilter
from shared.auth.policy import Operation
from shared.auth.principals import Principal
from shared.clock import SHANGHAI
from shared.listing import Page
from shared.problems import Problem
from shared.texts import CATALOGUE, Language, say, short, word

Asked = Mapping[str, Any]
"""The filters of the request by name; those without a value are not there."""
FetchPage = Callable[[Reads, Principal, Asked, str | None, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is that of its title in the catalogue; `of` takes the cell out of a row; `width` is in characters of a sheet."""

    name: str
    of: Callable[[Row, Language], Cell]
    width: int = 14

    @property
    def key(self) -> str:
        """The key of the title: what a form or a filter has a word for has the same one here, unless a sheet needs its own."""
        own = f"column.{self.name}"
        return own if own in CATALOGUE else f"field.{self.name}"

    def title(self, language: Language) -> str:
        return say(self.key, language)


@dataclass(frozen=True, slots=True)
class Exported:
    """One table: its name, who may have it, its columns, its rows page by page."""

    name: str
    operation: Operation
    columns: Sequence[Column]
    page: FetchPage

    def title(self, language: Language) -> str:
        return say(f"sheet.{self.name}", language)

    def cells(self, rows: Sequence[Row], language: Language) -> list[list[Cell]]:
        return [[column.of(row, language) for column in self.columns] for row in rows]


def _plain(name: str, width: int = 14) -> Column:
    return Column(name, lambda row, _: row[name], width)


def _time(name: str) -> Column:
    return _plain(name, 20)


def _money(name: str) -> Column:
    return Column(name, lambda row, _: None if row[name] is None else Money(row[name]), 18)


def _named(name: str) -> Column:
    """A name that a row has in both languages."""
    return Column(name, lambda row, language: row[f"{name}_{short(language)}"], 20)


def _word(name: str, kind: str) -> Column:
    """A code of the contracts in words; one that has none yet stays as it is."""
    return Column(name, lambda row, language: None if row[name] is None else word(kind, row[name], language))


def _words(name: str, kind: str) -> Column:
    """Several of them."""
    return Column(name, lambda row, language: [word(kind, one, language) for one in row[name] or ()], 20)


def _flag(name: str) -> Column:
    def of(row: Row, language: Language) -> Cell:
        return None if row[name] is None else word("flag", "yes" if row[name] else "no", language)

    return Column(name, of, 10)


CODE: Final = _plain("customer_code", 18)
NAME: Final = _plain("name", 32)
USCC: Final = _plain("uscc", 22)
UNIT: Final = _plain("unit_code")
UNIT_NAME: Final = _named("unit_name")
UNIT_PATH: Final = _plain("unit_path")
MANAGERS: Final = (_plain("manager_a"), _plain("manager_b"))
LINE: Final = _word("line", "line")
LINES: Final = _words("lines", "line")
AMOUNT: Final = _money("amount_fen")
EXPECTED: Final = _money("expected_revenue_fen")
SUBMITTED: Final = _time("submitted_at")
DUE: Final = _time("due_at")
DECIDED_AT: Final = _time("decided_at")
DECIDED_BY: Final = _plain("decided_by")
OPENS: Final = _time("opens_at")
ENDS: Final = _time("ends_at")


def _page_of(listed: Callable[..., Awaitable[Page]], filter_of: Any) -> FetchPage:
    """Pages of a list, its filter made of what was asked."""
    names = filter_of.__slots__

    async def page(views: Reads, caller: Principal, asked: Asked, cursor: str | None, limit: int) -> Page:
        # An export of one state of a list that shows one by default asks for it; `all` lifts it.
        narrowed = {name: asked[name] for name in names if name in asked}
        if narrowed.get("state") == "all":
            narrowed["state"] = None
        return await listed(views, caller, filter_of(**narrowed), cursor, limit)

    return page


async def _windows(views: Reads, caller: Principal, asked: Asked, cursor: str | None, limit: int) -> Page:
    """Without days all that are in force or settling, page by page; with them what touches those days, past ones too."""
    if "from" not in asked and "to" not in asked:
        return await current_windows(views, caller, asked.get("unit"), cursor, limit)
    return Page(
        await windows(views, caller, _begin(asked.get("from")), _begin(asked.get("to")), asked.get("unit")),
        None,
    )


def _begin(day: Any) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def _tiers(row: Row, language: Language) -> Cell:
    return [
        f"{word('scheme', one['scheme'], language)}: {word('tier', one['tier'], language)}"
        for one in row["tiers"]
    ]


async def _matrix(views: Reads, caller: Principal, asked: Asked, _cursor: str | None, _limit: int) -> Page:
    """The cells of one matrix; which one must be said."""
    if absent := [name for name in ("scheme", "from", "to") if name not in asked]:
        raise Problem(MissingFilter(absent))
    matrix = await tier_matrix(views, caller, asked["scheme"], asked["from"], asked["to"], asked.get("unit"))
    return Page(matrix["cells"], None)


TABLES: Final[Mapping[str, Exported]] = {
    "customers": Exported(
        "customers",
        "customers.read",
        (
            CODE,
            NAME,
            USCC,
            _word("kind", "kind"),
            _word("status", "status"),
            _plain("merged_into"),
            UNIT,
            UNIT_NAME,
            _plain("division"),
            _plain("industry"),
            *MANAGERS,
            _time("registered_at"),
            Column(
                "agreements",
                lambda row, _: [str(one["agreement_no"]) for one in row["agreements"]],
                20,
            ),
            Column("tiers", _tiers, 32),
        ),
        _page_of(customers, CustomerFilter),
    ),
    "movements": Exported(
        "movements",
        "tiers.read",
        (
            CODE,
            NAME,
            UNIT_PATH,
            _word("scheme", "scheme"),
            _plain("scheme_version"),
            _plain("version"),
            _word("from_tier", "tier"),
            _word("to_tier", "tier"),
            _word("direction", "direction"),
            _word("reason", "change"),
            _plain("effective_on"),
            _plain("period"),
            _money("total_fen"),
            _flag("key_account"),
            DECIDED_AT,
        ),
        _page_of(movements, MovementFilter),
    ),
    "revenue": Exported(
        "revenue",
        "customers.read",
        (
            CODE,
            NAME,
            UNIT_PATH,
            _plain("year"),
            _plain("month"),
            LINE,
            AMOUNT,
            _plain("pieces"),
            _plain("transactions"),
        ),
        _page_of(revenue_rows, RevenueFilter),
    ),
    "declarations": Exported(
        "declarations",
        "declarations.read",
        (
            _plain("declaration_id"),
            _word("state", "declaration"),
            NAME,
            USCC,
            UNIT,
            UNIT_NAME,
            _plain("declarer"),
            _words("expected_lines", "line"),
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _time("arrived_at"),
            _word("waiting_for", "waiting"),
            DUE,
            _time("breached_at"),
            DECIDED_AT,
            DECIDED_BY,
            CODE,
        ),
        _page_of(declarations, DeclarationFilter),
    ),
    "plans": Exported(
        "plans",
        "plans.read",
        (
            _plain("plan_id"),
            _word("state", "plan"),
            _word("kind", "plan_kind"),
            CODE,
            USCC,
            NAME,
            UNIT,
            UNIT_NAME,
            LINES,
            EXPECTED,
            *MANAGERS,
            SUBMITTED,
            _time("reviewed_at"),
            _plain("reviewed_by"),
            OPENS,
            ENDS,
            _word("stage", "stage"),
            _time("closed_at"),
            _plain("agreement_no"),
        ),
        _page_of(plans, PlanFilter),
    ),
    "windows": Exported(
        "windows",
        "windows.read",
        (
            CODE,
            USCC,
            NAME,
            _word("state", "plan"),
            _word("kind", "plan_kind"),
            UNIT,
            UNIT_NAME,
            LINES,
            *MANAGERS,
            OPENS,
            ENDS,
            _plain("last_day"),
        ),
        _windows,
    ),
    "suspense": Exported(
        "suspense",
        "suspense.read",
        (
            CODE,
            _plain("source"),
            _plain("id", 28),
            _word("state", "held_state"),
            _word("reason", "held"),
            _plain("counter_id"),
            LINE,
            _word("kind", "transaction"),
            AMOUNT,
            _plain("business_date"),
            _time("held_at"),
            _plain("age_days"),
            _time("changed_at"),
            _plain("booked_for"),
            DECIDED_BY,
            UNIT_PATH,
        ),
        _page_of(suspense, SuspenseFilter),
    ),
    "dead-letters": Exported(
        "dead-letters",
        "dead_letters.read",
        (
            _word("service", "service"),
            _word("reason", "letter"),
            _plain("detail"),
            _word("state", "letter_state"),
            _plain("origin_topic"),
            _plain("origin_partition"),
            _plain("origin_offset"),
            _time("failed_at"),
            CODE,
            _plain("counter_id"),
            LINE,
            AMOUNT,
            DECIDED_BY,
            DECIDED_AT,
        ),
        _page_of(dead_letters, DeadLetterFilter),
    ),
    "tier-matrix": Exported(
        "tier-matrix",
        "tiers.read",
        (
            _word("from_tier", "tier"),
            _word("to_tier", "tier"),
            _plain("count"),
        ),
        _matrix,
    ),
    "alerts": Exported(
        "alerts",
        "declarations.read",
        (
            _word("alert", "alert"),
            NAME,
            CODE,
            _plain("subject", 28),
            UNIT,
            UNIT_PATH,
            *MANAGERS,
            _plain("escalated_to"),
            DUE,
            _time("raised_at"),
            _flag("open"),
        ),
        _page_of(alerts, AlertFilter),
    ),
}
