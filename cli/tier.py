"""`keypost tier CODE`: a customer's tier and why, as people read it (TIE-15)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language, language
from shared.texts import Language

_WORDS: dict[str, tuple[str, str]] = {
    "head": (
        "客户 {customer_code}（责任机构 {unit_code}，{status}），截至{as_of}",
        "Customer {customer_code} (unit {unit_code}, {status}) as of {as_of}",
    ),
    "alias": ("{asked_code} 现为 {customer_code}。", "{asked_code} is {customer_code} now."),
    "aliases": ("已并入的客户：{value}", "customers merged into it: {value}"),
    "sent_as": ("（所报代码 {code}）", " (sent as {code})"),
    "tier": (
        "{scheme}（第{scheme_version}版）：{tier_name}",
        "{scheme} (version {scheme_version}): {tier_name}",
    ),
    "since": ("，自{since}起（{reason}）", ", since {since} ({reason})"),
    "key_account": ("大客户：{value}", "key account: {value}"),
    "agreement": ("用邮协议：{value}", "agreement: {value}"),
    "in_force": ("有效，{signed_on}签订", "in force, signed on {signed_on}"),
    "ended": ("已于{ended_on}终止", "ended on {ended_on}"),
    "no_agreement": ("无", "none"),
    "not_needed": ("不要求", "not needed"),
    "totals": ("年度累计用邮（元）：{value}", "totals in yuan: {value}"),
    "basis": ("计收口径：{value}", "revenue counted: {value}"),
    "thresholds": ("级别标准（年用邮，元）：{value}", "levels, yuan a year: {value}"),
    "deciding": ("计算年度{year}：现累计{total_now}元", "deciding year {year}: {total_now} yuan now"),
    "at_close": (
        "，结账时{total_at_close}元，结账后补记{booked_since_close}元",
        ", {total_at_close} at its close, {booked_since_close} booked since",
    ),
    "changes": ("级别变动：", "changes:"),
    "bookings": (
        "该年度入账{bookings}笔，最近{shown}笔：",
        "{bookings} bookings in that year, the latest {shown}:",
    ),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "active": ("在册", "active"),
    "retired": ("已停用", "retired"),
    "merged": ("已合并", "merged"),
    "annulled": ("已作废", "annulled"),
    "sale": ("销售", "sale"),
    "reversal": ("冲销", "reversal"),
    "letters": ("函件", "letters"),
    "logistics": ("物流", "logistics"),
    "express": ("速递", "express"),
    "parcels": ("包裹", "parcels"),
    "press": ("报刊", "press"),
    "finance": ("金融", "finance"),
    "information": ("信息", "information"),
    "philately": ("集邮", "philately"),
    "threshold_reached": ("达到标准", "threshold reached"),
    "late_revenue": ("补记用邮", "late revenue"),
    "year_end": ("年度结账", "year end"),
    "quarter_end": ("季度结账", "quarter end"),
    "agreement_signed": ("协议生效", "agreement signed"),
    "agreement_ended": ("协议终止", "agreement ended"),
    "scheme_changed": ("标准变更", "scheme changed"),
    "merged_": ("合并", "merged"),
    "granted": ("授予", "granted"),
    "corrected": ("更正", "corrected"),
}


def register(app: typer.Typer) -> None:
    app.command()(tier)


def tier(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A registry code, also a merged one.")],
    scheme: Annotated[str | None, typer.Option("--scheme", metavar="S", help="Only under this one.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="The tier in effect on that day.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="With changes and transactions.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Show a customer's tier under each scheme, since when and why, and how far the next one is."""
    if not code.strip():
        raise CommandError("a customer's code is needed", Exit.BAD_CALL)
    asked = {"scheme": scheme, "as_of": None if as_of is None else _day(as_of), "explain": explain or None}
    session = open_session(data, user, timeout)
    told = session.get(
        "tiering",
        f"/v1/customers/{quote(code.strip(), safe='')}/tiers",
        params={name: value for name, value in asked.items() if value is not None},
        headers=accept_language(),
    )
    show(told, json_, lambda: as_text(told, language()))


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as problem:
        raise CommandError(f"--as-of {text}: a date such as 2026-03-09 is needed", Exit.BAD_CALL) from problem


def as_text(told: dict[str, Any], tongue: Language) -> str:
    """The answer of the service as lines for a person."""
    say = _Sayer(tongue)
    head = told | {"status": say(told["status"])}
    lines = [say("head", **head)]
    if told.get("notice"):
        lines.insert(0, told["notice"])
    elif told["asked_code"] != told["customer_code"]:
        lines.insert(0, say("alias", **told))
    if told.get("aliases"):
        lines.append(say("aliases", value=", ".join(told["aliases"])))
    for one in told["tiers"]:
        lines += ["", *_tier(one, told["customer_code"], say)]
    return "\n".join(lines)


class _Sayer:
    """Says the words above in one language; a word that is not there is said as it came."""

    def __init__(self, tongue: Language) -> None:
        self._place = 1 if tongue == "en" else 0

    def __call__(self, word: str, **values: Any) -> str:
        known = _WORDS.get(word)
        return word if known is None else known[self._place].format(**values)

    def reason(self, reason: str) -> str:
        return self("merged_" if reason == "merged" else reason)

    def list(self, pairs: dict[str, str]) -> str:
        return " · ".join(f"{name} {value}" for name, value in pairs.items())


def _tier(one: dict[str, Any], code: str, say: _Sayer) -> list[str]:
    line = say("tier", **one)
    if one["since"]:
        line += say("since", since=one["since"], reason=say.reason(one["reason"]))
    lines = [line]
    lines += [f"  {sentence}" for sentence in one.get("explanation", [])]
    if "key_account" in one:
        lines.append("  " + say("key_account", value=say("yes" if one["key_account"] else "no")))
        lines.append("  " + say("agreement", value=_agreement(one["agreement"], say)))
        if one["totals"]:
            lines.append("  " + say("totals", value=say.list(one["totals"])))
        lines.append("  " + say("basis", value=one["revenue_basis"]))
    if one.get("change"):
        lines.append("  " + _change(one["change"], say))
    if one.get("evidence"):
        lines += _evidence(one["evidence"], code, say)
    return lines


def _agreement(told: dict[str, Any], say: _Sayer) -> str:
    if told["in_force"]:
        return say("in_force", **told)
    if told["ended_on"]:
        return say("ended", **told)
    return say("no_agreement" if told["needed"] else "not_needed")


def _evidence(told: dict[str, Any], code: str, say: _Sayer) -> list[str]:
    lines = ["  " + say("thresholds", value=say.list(told["thresholds"]))]
    if told["total_now"] is not None:
        deciding = say("deciding", **told)
        if told["total_at_close"] is not None:
            deciding += say("at_close", **told)
        lines.append("  " + deciding)
    if told["changes"]:
        lines += ["  " + say("changes"), *(f"    {_change(change, say)}" for change in told["changes"])]
    if told["latest_bookings"]:
        lines.append("  " + say("bookings", bookings=told["bookings"], shown=len(told["latest_bookings"])))
        lines += [
            f"    {row['business_date']}  {_signed(row):>14}"
            f"  {say(row['line'])}  {say(row['kind'])}  {row['source']} {row['id']}{_sent_as(row, code, say)}"
            for row in told["latest_bookings"]
        ]
    return lines


def _sent_as(row: dict[str, Any], code: str, say: _Sayer) -> str:
    """Of a merged customer, or under a counter's own code."""
    sent = row.get("customer_code", code)
    return "" if sent == code else say("sent_as", code=sent)


def _signed(row: dict[str, Any]) -> str:
    return f"-{row['amount']}" if row["kind"] == "reversal" else str(row["amount"])


def _change(change: dict[str, Any], say: _Sayer) -> str:
    return (
        f"{change['version']}. {change['effective_on']}  {change['from_tier']} → {change['to_tier']}"
        f"  {say.reason(change['reason'])}, {change['period']}: {change['total']}"
    )
