"""A row of a file of transactions becomes the CloudEvent that a counter would have sent (contract "Files").

Only the form of a cell is turned here, as people and spreadsheets write it; whether the value keeps the rules of a
transaction is decided by the service that publishes it, once for all ways in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from shared.clock import SHANGHAI
from shared.contracts.counter_v1 import TRANSACTION_TYPE
from shared.money import parse_yuan

COLUMNS: Final = {
    "id": ("流水号", "交易流水号", "交易编号", "交易号", "编号", "序号", "标识", "单号", "transaction id"),
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
"""The row that the template shows; the words of the second, Chinese one are found in `_WORDS`."""
CENTRE_OF_DEFAULT_ORGANISATION: Final = "3205"

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "line": {
        "函件": "letters", "物流": "logistics", "速递": "express", "包裹": "parcels", "报刊": "press",
        "金融": "finance", "信息": "information", "集邮": "philately",
    },
    "kind": {"销售": "sale", "收入": "sale", "冲销": "reversal", "冲正": "reversal"},
    "settlement": {"现金": "cash", "现结": "cash", "记欠": "credit"},
}  # fmt: skip
_DATE: Final = re.compile(
    r"([0-9]{4})(?:([-/.年])([0-9]{1,2})(?:\2|(?<=[0-9])月)([0-9]{1,2})日?|([0-9]{2})([0-9]{2}))(?:[ T]00:00(?::00)?)?"
)
_MOMENT: Final = re.compile(r"([0-9/.\-]+)[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)(.*)")
_WHOLE: Final = re.compile(r"[0-9]{1,18}")


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
        return Rejected("missing_field", f"{', '.join(absent)} is missing")
    on = read_date(given["business_date"])
    if on is None:
        return Rejected("bad_field", "business_date is not a date such as 2026-01-15")
    try:
        parse_yuan(given["amount"])
    except ValueError:
        return Rejected("bad_field", "amount is not a figure in yuan such as 1234.50, without sign")
    pieces: int | None = None
    if "pieces" in given:
        if _WHOLE.fullmatch(given["pieces"]) is None:
            return Rejected("bad_field", "pieces is not a whole number")
        pieces = int(given["pieces"])
    occurred_at = _moment(given["occurred_at"]) if "occurred_at" in given else f"{on}T00:00:00+08:00"
    data = {
        "customer_code": given["customer_code"],
        "counter_id": given.get("counter_id", unit_code),
        "line": _word("line", given["line"]),
        "kind": _word("kind", given["kind"]),
        "amount": given["amount"],
        "occurred_at": occurred_at,
        "business_date": on.isoformat(),
        "settlement": _word("settlement", given["settlement"]) if "settlement" in given else None,
        "pieces": pieces,
        "manager_id": given.get("manager_id"),
        "product": given.get("product"),
        "reverses": given.get("reverses"),
    }
    return event(given["id"], given.get("source", f"/imports/{unit_code}"), data)


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


def read_date(text: str) -> date | None:
    """A calendar date as people and spreadsheets write it, or None where it is none."""
    form = _DATE.fullmatch(unicodedata.normalize("NFKC", text))
    if form is None:
        return None
    try:
        return date(int(form[1]), int(form[3] or form[5]), int(form[4] or form[6]))
    except ValueError:
        return None


def _moment(text: str) -> str:
    """An instant with its offset. A spreadsheet has no offsets: one without is a time of day in Shanghai."""
    form = _MOMENT.fullmatch(text)
    if form is None:
        on = read_date(text)
        return text if on is None else f"{on}T00:00:00+08:00"
    day, time, offset = read_date(form[1]), form[2], form[3]
    if day is None:
        return text
    seconds = time if time.count(":") == 2 else f"{time}:00"
    if offset.strip():
        return f"{day}T{seconds}{offset.strip()}"
    try:
        return datetime.fromisoformat(f"{day}T{seconds}").replace(tzinfo=SHANGHAI).isoformat()
    except ValueError:
        return text


def template() -> list[list[str]]:
    """The columns with an example row, in English and in Chinese."""
    first = [list(COLUMNS), list(EXAMPLE.values())]
    words = {
        name: next(chinese for chinese, word in known.items() if word == EXAMPLE[name])
        for name, known in _WORDS.items()
    }
    second = [[aliases[0] for aliases in COLUMNS.values()], list((EXAMPLE | words).values())]
    return [*first, *second]


def _word(name: str, text: str) -> str:
    return _WORDS[name].get(text, text.casefold())
