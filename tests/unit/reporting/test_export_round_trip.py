"""What is exported can be imported: titles are headings that the import knows, words are words that it reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from cli.import_customers import COLUMNS as CUSTOMERS
from cli.tabular import open_table
from cli.transaction_rows import COLUMNS, REQUIRED, Rejected, event_of
from services.registry.domain.book import Book
from services.registry.domain.codes import CodeScheme
from services.registry.domain.customers import Customer
from services.registry.domain.import_rows import ImportRow, Words, read_row
from services.registry.domain.importing import Loaded, Policy, decide
from services.registry.domain.organisation import Unit, build_tree
from services.registry.domain.registering import Grounds
from services.reporting.adapters.sheets import BYTE_ORDER_MARK, SheetColumn, Workbook, csv_line
from services.reporting.entrypoints.exported_tables import TABLES
from services.tiering.entrypoints.transactions import read_items
from shared.texts import CATALOGUE, Language
from shared.texts.words.exports import TEXTS

pytestmark = pytest.mark.req("REP-15")

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
UNITS = build_tree(
    [
        Unit("CN", "全国", "National", "national", None),
        Unit("32", "江苏", "Jiangsu", "province", "CN", "320000"),
        Unit("3205", "苏州", "Suzhou", "city", "32", "320500"),
    ]
)
LANGUAGES = get_args(Language)


def exported(folder: Path, name: str, rows: list[dict[str, Any]], language: Language, form: str) -> Path:
    """A table as the service writes it."""
    table = TABLES[name]
    cells = table.cells(rows, language)
    path = folder / f"{name}.{form}"
    if form == "csv":
        lines = [csv_line([column.title(language) for column in table.columns]), *map(csv_line, cells)]
        path.write_text(BYTE_ORDER_MARK + "".join(lines), "utf-8", newline="")
        return path
    columns = [SheetColumn(column.title(language), column.width) for column in table.columns]
    book = Workbook(table.title(language), columns, "mark", NOW)
    try:
        book.add(cells)
        book.finish()
        path.write_bytes(book.path.read_bytes())
    finally:
        book.remove()
    return path


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_exported_customers_change_nothing_when_they_are_imported_again(
    tmp_path: Path, language: Language, form: str
) -> None:
    known = [
        Customer("3205000000011", 3, "甲（苏州）公司", "91330100799655058B", "active", "3205", NOW,
                 division="320500", industry="5199", manager_a="li.ming", manager_b="wang.fang"),
        Customer("3205000000022", 1, "=乙公司", None, "potential", "3205", NOW),
        Customer("L000037", 2, "-丙公司", None, "potential", "3205", NOW, status="merged", merged_into="3205000000011"),
    ]  # fmt: skip
    rows = [
        {
            "customer_code": one.code, "name": one.name, "uscc": one.uscc, "kind": one.kind, "status": one.status,
            "merged_into": one.merged_into, "unit_code": one.unit_code, "unit_name_zh": "苏州市局",
            "unit_name_en": "Suzhou", "division": one.division, "industry": one.industry, "manager_a": one.manager_a,
            "manager_b": one.manager_b, "registered_at": one.registered_at, "agreements": [{"agreement_no": "XY-1"}],
            "tiers": [{"scheme": "city-default", "tier": "gold"}],
        }
        for one in known
    ]  # fmt: skip
    book = Book()
    for one in known:
        book.add(one)
    issuing = CodeScheme("project-default-1", "", "", True, 6, 6)
    words = Words(UNITS, frozenset({"320500"}), {})
    policy = Policy(Grounds(NOW, date(2026, 3, 9), UNITS, (issuing,), issuing), words, "3205", ("/CN",))
    table = open_table(exported(tmp_path, "customers", rows, language, form), CUSTOMERS, ["name"])
    read = [read_row(row.number, row.values, words) for row in table.rows()]
    assert all(isinstance(row, ImportRow) for row in read), read
    outcomes = [decide(book, row, policy) for row in read if isinstance(row, ImportRow)]
    found = [(one.after, one.result) if isinstance(one, Loaded) else one for one in outcomes]
    assert found == [(one, "unchanged") for one in known]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_exported_suspense_is_the_same_transactions_when_it_is_imported_again(
    tmp_path: Path, language: Language, form: str
) -> None:
    rows = [
        {
            "customer_code": "3205990000011", "name": "甲", "source": "/counters/320500", "id": f"a-{kind}", "state": "held",
            "reason": "unknown_code", "counter_id": "32050001", "line": line, "kind": kind, "amount_fen": 123450,
            "business_date": date(2026, 1, 5), "held_at": NOW, "age_days": 3, "changed_at": NOW, "booked_for": None,
            "decided_by": None, "unit_path": "/CN/32/3205",
        }
        for kind, line in (("sale", "express"), ("reversal", "parcels"))
    ]  # fmt: skip
    table = open_table(exported(tmp_path, "suspense", rows, language, form), COLUMNS, REQUIRED)
    made = [event_of(row.values, "3205") for row in table.rows()]
    assert not any(isinstance(one, Rejected) for one in made), made
    assert [item.status for item in read_items([orjson.dumps(one) for one in made]).items] == [
        "accepted",
        "accepted",
    ]
    for one, row in zip(made, rows, strict=True):
        assert isinstance(one, dict)
        data = one["data"]
        assert (one["id"], one["source"], data["line"], data["kind"], data["amount"], data["business_date"]) == (
            row["id"], row["source"], row["line"], row["kind"], "1234.50", "2026-01-05",
        )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_and_flags_are_words_of_the_readers_language(language: Language) -> None:
    row = {
        "customer_code": "1", "name": "甲", "unit_path": "/", "scheme": "city-default", "scheme_version": 1, "version": 1,
        "from_tier": "none", "to_tier": "gold", "direction": "promotion", "reason": "threshold_reached",
        "effective_on": date(2026, 1, 1), "period": "2026", "total_fen": 1, "key_account": True, "decided_at": NOW,
    }  # fmt: skip
    (cells,) = TABLES["movements"].cells([row], language)
    words = {
        "zh-CN": ["无级别", "黄金客户", "晋级", "达到标准", "是"],
        "en": ["No tier", "Gold", "Promotion", "threshold reached", "yes"],
    }
    assert [cell for cell in cells if cell in words[language]] == words[language]
    assert {"none", "gold", "promotion", "threshold_reached"}.isdisjoint(
        one for one in cells if isinstance(one, str)
    )


def test_every_sheet_and_column_has_its_word_and_every_word_its_column() -> None:
    used = {f"sheet.{name}" for name in TABLES}
    used |= {column.key for table in TABLES.values() for column in table.columns}
    assert not used - set(CATALOGUE)
    assert {key for key in TEXTS if not key.startswith("flag.")} == used & set(TEXTS)
    for name, table in TABLES.items():
        assert table.name == name
        for language in LANGUAGES:
            titles = [column.title(language) for column in table.columns]
            assert len(set(titles)) == len(titles), f"two columns of {name} have one title"


def test_the_sum_in_a_change_of_tier_is_the_one_at_the_change_and_not_of_its_whole_period() -> None:
    (total,) = (column for column in TABLES["movements"].columns if column.name == "total_fen")
    assert total.title("zh-CN") == "变动时累计（元）"
