"""The console's first page as text: pure functions from rows to HTML, everything that comes from outside escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final, Literal
from urllib.parse import urlencode

from services.reporting.adapters.read_models import Row
from shared.clock import SHANGHAI
from shared.money import format_yuan

PageLanguage = Literal["zh", "en"]

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title": ("大客户", "Key accounts"),
    "sign_in": ("登录", "Sign in"),
    "token": ("访问令牌", "Access token"),
    "token_hint": ("运行 keypost token --user 用户名 可取得令牌。", "keypost token --user NAME prints one."),
    "refused": ("令牌无效或已过期。", "The token is not valid or has expired."),
    "not_permitted": ("您的角色不能查看客户。", "Your roles do not include seeing customers."),
    "bad_cursor": ("翻页标记无效，请从第一页开始。", "The page is not known; begin with the first one."),
    "sign_out": ("退出", "Sign out"),
    "other_language": ("English", "中文"),
    "as_of": ("数据截至", "Data as of"),
    "no_events": ("尚未收到任何事件", "no event has arrived yet"),
    "search": ("筛选", "Filter"),
    "q": ("名称或客户代码", "Name or code"),
    "unit": ("机构", "Unit"),
    "tier": ("客户级别", "Tier"),
    "scheme": ("分级标准", "Scheme"),
    "code": ("客户代码", "Code"),
    "name": ("名称", "Name"),
    "status": ("状态", "Status"),
    "agreements": ("有效协议", "Agreements in force"),
    "total": ("周期内收入（元）", "Revenue of the period (yuan)"),
    "since": ("自", "since"),
    "key_account": ("大客户", "Key account"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "none": ("无级别", "none"),
    "none_signed": ("无", "none"),
    "no_data": ("无数据", "no data"),
    "empty": ("没有符合条件的客户。", "No customer fits."),
    "next": ("下一页", "Next page"),
    "active": ("正常", "active"),
    "retired": ("已停用", "retired"),
    "merged": ("已合并", "merged"),
    "annulled": ("已作废", "annulled"),
}

STYLE: Final = (
    ":root{color-scheme:light dark}body{font-family:system-ui,sans-serif;margin:1.5rem;line-height:1.5}"
    "table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.5rem 0}"
    "th,td{text-align:left;padding:.35rem .7rem;border-top:1px solid #8886;vertical-align:top}"
    "td.figure,th.figure{text-align:right;font-variant-numeric:tabular-nums}"
    "form.inline{display:inline}label{margin-right:1rem}.scroll{overflow-x:auto}.error{font-weight:bold}"
)
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""Nothing is loaded from anywhere, and no script runs: the page's own style is all there is."""

FILTERS: Final = ("q", "unit", "tier", "scheme")


def say(key: str, language: PageLanguage) -> str:
    """A text of the page; a word that it does not know, such as a tier's code, is said as it is."""
    texts = TEXTS.get(key)
    return key if texts is None else texts[0 if language == "zh" else 1]


def sign_in_page(language: PageLanguage, error: str | None = None) -> str:
    """The form that takes a token."""
    complaint = f'<p class="error" role="alert">{_say(error, language)}</p>' if error else ""
    return _document(
        language,
        f'{complaint}<form method=post action="/sign-in?lang={language}"><p><label>{_say("token", language)} '
        f"<input name=token type=password autocomplete=off required size=40></label>"
        f"<button>{_say('sign_in', language)}</button></p></form><p>{_say('token_hint', language)}</p>",
        f'<a href="/?lang={_other(language)}">{_say("other_language", language)}</a>',
    )


def customers_page(
    language: PageLanguage,
    user: str,
    rows: Sequence[Row],
    next_cursor: str | None,
    filters: Mapping[str, str],
    as_of: datetime | None,
) -> str:
    """Customers and their tiers, a row for each tier."""
    asked = {name: filters[name] for name in FILTERS if filters.get(name)}
    fields = "".join(
        f'<label>{_say(name, language)} <input name={name} value="{escape(asked.get(name, ""))}"></label>'
        for name in FILTERS
    )
    headings = ("code", "name", "unit", "status", "agreements", "scheme", "tier", "key_account", "total")
    head = "".join(
        f"<th scope=col{' class=figure' if name == 'total' else ''}>{_say(name, language)}</th>"
        for name in headings
    )
    body = "".join(_customer_rows(row, language) for row in rows)
    if not rows:
        body = f"<tr><td colspan={len(headings)}>{_say('empty', language)}</td></tr>"
    more = ""
    if next_cursor is not None:
        address = "/?" + urlencode({**asked, "lang": language, "cursor": next_cursor})
        more = f'<p><a rel=next href="{escape(address)}">{_say("next", language)}</a></p>'
    other = "/?" + urlencode({**asked, "lang": _other(language)})
    return _document(
        language,
        f'<form method=get action="/"><input type=hidden name=lang value={language}>{fields}'
        f"<button>{_say('search', language)}</button></form>"
        f"<div class=scroll tabindex=0><table><caption>{_say('as_of', language)}: {_as_of(as_of, language)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}",
        f'{escape(user)} · <a href="{escape(other)}" lang={_other(language)}>{_say("other_language", language)}</a> · '
        f'<form class=inline method=post action="/sign-out?lang={language}">'
        f"<button>{_say('sign_out', language)}</button></form>",
    )


def message_page(language: PageLanguage, user: str, message: str) -> str:
    """One sentence for somebody who is signed in, and the way out."""
    return _document(
        language,
        f'<p class="error" role="alert">{_say(message, language)}</p><p><a href="/?lang={language}">'
        f"{_say('title', language)}</a></p>",
        f'{escape(user)} · <form class=inline method=post action="/sign-out?lang={language}">'
        f"<button>{_say('sign_out', language)}</button></form>",
    )


def _customer_rows(row: Row, language: PageLanguage) -> str:
    tiers: Sequence[Row] = row["tiers"]
    span = f" rowspan={len(tiers)}" if len(tiers) > 1 else ""
    unit = row["unit_name_zh" if language == "zh" else "unit_name_en"] or row["unit_code"]
    agreements = "、".join(each["agreement_no"] for each in row["agreements"]) or say("none_signed", language)
    cells = (row["customer_code"], row["name"], unit, say(row["status"], language), agreements)
    first = f"<th scope=rowgroup{span}>{escape(cells[0])}</th>" + "".join(
        f"<td{span}>{escape(cell)}</td>" for cell in cells[1:]
    )
    if not tiers:
        return f"<tr>{first}<td colspan=4>{_say('no_data', language)}</td></tr>"
    parts = [_tier_cells(tier, language) for tier in tiers]
    return f"<tr>{first}{parts[0]}</tr>" + "".join(f"<tr>{part}</tr>" for part in parts[1:])


def _tier_cells(tier: Row, language: PageLanguage) -> str:
    since = ""
    if tier["effective_on"] is not None and tier["tier"] != "none":
        since = f" ({_say('since', language)} {tier['effective_on'].isoformat()})"
    return (
        f"<td>{escape(tier['scheme'])}</td><td>{escape(say(tier['tier'], language))}{since}</td>"
        f"<td>{_say('yes' if tier['key_account'] else 'no', language)}</td>"
        f"<td class=figure>{escape(tier['period'])}: {format_yuan(tier['total_fen'])}</td>"
    )


def _as_of(as_of: datetime | None, language: PageLanguage) -> str:
    if as_of is None:
        return _say("no_events", language)
    local = as_of.astimezone(SHANGHAI)
    return f'<time datetime="{local.isoformat()}">{local:%Y-%m-%d %H:%M:%S}</time>'


def _document(language: PageLanguage, main: str, corner: str) -> str:
    title = _say("title", language)
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · keypost</title><style>{STYLE}</style></head>"
        f"<body><header><h1>{title}</h1><p>{corner}</p></header><main>{main}</main></body></html>"
    )


def _say(key: str, language: PageLanguage) -> str:
    return escape(say(key, language))


def _other(language: PageLanguage) -> PageLanguage:
    return "en" if language == "zh" else "zh"
