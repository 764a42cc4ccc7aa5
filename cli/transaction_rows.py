"""A row of a file of transactions becomes the CloudEvent that a counter would have sent (contract "Files").

Only the form of a cell is turned here, as people and spreadsheets write it; whether the value keeps the rules of a
transaction is decided by the service that publishes it, once for all ways in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cli.printable import shortened, visible
from cli.spreadsheet_talk import damage
from cli.words import phrase
from shared.contracts.counter_v1 import TRANSACTION_TYPE
from shared.kernel.days import FIRST_DAY, LAST_DAY, within_range
from shared.kernel.writing import folded, read_count, read_day, read_instant, read_line, read_yuan
from shared.money import format_yuan

COLUMNS: Final = {
    # The surest heading comes first. What only numbers the rows (序号, 编号) is no id: next month's file has it again.
    "id": ("流水号", "交易流水号", "交易编号", "交易号", "transaction id", "单号", "标识"),
    "customer_code": ("客户代码", "大客户代码", "客户编码", "客户编号", "代码", "code", "customer"),
    "line": ("业务种类", "业务类别", "业务类型", "专业", "业务", "产品线", "line of business"),
    "kind": ("交易类型", "收支类型", "类型", "种类", "类别", "type"),
    "amount": ("金额", "交易金额", "收入金额", "用邮金额", "收入", "金额元", "amount yuan"),
    "business_date": ("业务日期", "营业日期", "交易日期", "日期", "date"),
    "source": ("来源", "数据来源"),
    "counter_id": ("网点代码", "网点", "网点编号", "支局代码", "支局", "营业网点", "counter", "outlet"),
    "pieces": ("件数", "业务量", "用邮量", "数量", "volume"),
    "occurred_at": ("发生时间", "交易时间", "时间", "time"),
    "settlement": ("结算方式", "结算", "付款方式"),
    "manager_id": ("客户经理", "客户经理代码", "客户经理编号", "经理代码", "manager"),
    "product": ("产品", "产品代码", "产品名称"),
    "reverses": ("冲销流水号", "被冲销流水号", "原流水号", "原交易编号", "原交易号", "冲销", "reverses id"),
}
REQUIRED: Final = ("id", "customer_code", "line", "kind", "amount", "business_date")
EXAMPLE: Final = {
    "id": "20260115-000123", "customer_code": "3205000000011", "line": "express", "kind": "sale", "amount": "1234.50",
    "business_date": "2026-01-15", "source": "/counters/320500", "counter_id": "32050001", "pieces": "41",
    "occurred_at": "2026-01-15T09:31:07+08:00", "settlement": "cash", "manager_id": "", "product": "", "reverses": "",
}  # fmt: skip
"""The row that the template shows; the words of the second, Chinese one are `_EXAMPLE_WORDS`."""

_CODES: Final = ("id", "customer_code", "counter_id", "manager_id", "product", "reverses", "source")
"""Fields that are compared as they are, and that a spreadsheet must not have computed with."""
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "kind": {"销售": "sale", "收入": "sale", "收寄": "sale", "冲销": "reversal", "冲正": "reversal"},
    "settlement": {"现金": "cash", "现结": "cash", "记欠": "credit"},
}
_EXAMPLE_WORDS: Final = {"line": "速递", "kind": "销售", "settlement": "现金"}


class Rejected(NamedTuple):
    """Why a row makes no event: a stable reason, as for dead letters, and a sentence."""

    reason: str
    detail: str


def event_of(values: Mapping[str, str], unit_code: str) -> dict[str, Any] | Rejected:
    """The structured CloudEvent of a row whose cells are trimmed; blanks are absent fields.

    `unit_code` is the unit in whose name the file is imported: it makes the default source `/imports/<unit code>`, and
    stands for the outlet where the file names none.
    """
    given = {name: text for name in COLUMNS if (text := values.get(name, ""))}
    if absent := [name for name in REQUIRED if name not in given]:
        return Rejected("missing_field", phrase("cli.file.lacks", fields=absent))
    try:
        data = _data(given, unit_code)
    except _BadCell as problem:
        return Rejected("bad_field", str(problem))
    return event(given["id"], given.get("source", f"/imports/{unit_code}"), data)


class _BadCell(ValueError):
    """A cell that cannot be read, in words with its field."""


def _data(given: Mapping[str, str], unit_code: str) -> dict[str, Any]:
    for name in _CODES:
        if (spoilt := damage(given.get(name, ""))) is not None:
            raise _BadCell(f"{name}: {spoilt}")
    on = read_day(given["business_date"])
    if on is None:
        raise _bad("cli.file.no_day", "business_date", given)
    if not within_range(on):
        raise _out_of_range("business_date", given)
    fen = read_yuan(given["amount"])
    if fen is None:
        raise _bad("cli.file.no_yuan", "amount", given)
    pieces = read_count(given["pieces"]) if "pieces" in given else None
    if "pieces" in given and pieces is None:
        raise _bad("cli.file.no_count", "pieces", given)
    return {
        "customer_code": folded(given["customer_code"]),
        "counter_id": folded(given["counter_id"]) if "counter_id" in given else unit_code,
        "line": read_line(given["line"]) or given["line"],
        "kind": _word("kind", given["kind"]),
        "amount": format_yuan(fen),
        "occurred_at": _occurred_at(given) if "occurred_at" in given else f"{on}T00:00:00+08:00",
        "business_date": on.isoformat(),
        "settlement": _word("settlement", given["settlement"]) if "settlement" in given else None,
        "pieces": pieces,
        "manager_id": given.get("manager_id"),
        "product": given.get("product"),
        "reverses": given.get("reverses"),
    }


def _occurred_at(given: Mapping[str, str]) -> str:
    instant = read_instant(given["occurred_at"])
    if instant is not None:
        return instant.isoformat()
    day = read_day(given["occurred_at"])
    if day is not None and not within_range(day):
        raise _out_of_range("occurred_at", given)
    raise _bad("cli.file.no_instant", "occurred_at", given)


def cell_phrase(key: str, name: str, given: Mapping[str, str], **more: Any) -> str:
    """What is wrong with a cell, with its field and what stands in it."""
    return phrase(key, field=name, text=shortened(visible(given[name]), 60), **more)


def _bad(key: str, name: str, given: Mapping[str, str], **more: Any) -> _BadCell:
    return _BadCell(cell_phrase(key, name, given, **more))


def _out_of_range(name: str, given: Mapping[str, str]) -> _BadCell:
    return _bad("cli.file.out_of_range", name, given, first=FIRST_DAY, last=LAST_DAY)


def event(id: str, source: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A structured CloudEvent of one transaction; absent fields are left out."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": TRANSACTION_TYPE,
        "datacontenttype": "application/json",
        "data": {name: value for name, value in data.items() if value is not None},
    }


def template() -> list[list[str]]:
    """The columns with an example row, in English and in Chinese."""
    chinese = [headings[0] for headings in COLUMNS.values()]
    return [list(COLUMNS), list(EXAMPLE.values()), chinese, list((EXAMPLE | _EXAMPLE_WORDS).values())]


def _word(name: str, text: str) -> str:
    word = folded(text).casefold()
    return _WORDS[name].get(word, word)
