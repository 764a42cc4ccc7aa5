"""`keypost tier CODE`: a customer's tier and why, as people read it (TIE-15)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.acts import day, given, needed, segment
from cli.command import Call, command
from cli.printable import visible
from cli.words import phrase, word


def register(app: typer.Typer) -> None:
    app.command()(tier)


@command
def tier(
    call: Call,
    code: Annotated[str, typer.Argument(metavar="CODE", help="A registry code, also a merged one.")],
    scheme: Annotated[str | None, typer.Option("--scheme", metavar="S", help="Only under this one.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="The tier in effect on that day.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="With changes and transactions.")] = False,
) -> None:
    """Show a customer's tier under each scheme, since when and why, and how far the next one is."""
    path = f"/v1/customers/{segment(needed(code, 'cli.needed_customer'))}/tiers"
    asked = {"scheme": scheme, "as_of": day(as_of, "--as-of"), "explain": explain or None}
    call.show(call.session.get("tiering", path, params=given(asked)), as_text)


def as_text(customer: dict[str, Any]) -> str:
    """The answer of the service as lines for a person."""
    lines = [phrase("cli.tier.head", **{**customer, "status": word("status", customer["status"])})]
    if customer.get("notice"):
        lines.insert(0, customer["notice"])
    elif customer["asked_code"] != customer["customer_code"]:
        lines.insert(0, phrase("cli.tier.alias", **customer))
    if customer.get("aliases"):
        lines.append(phrase("cli.tier.aliases", codes=customer["aliases"]))
    for one in customer["tiers"]:
        lines += ["", *_tier(one, customer["customer_code"])]
    return "\n".join(lines)


def _tier(one: dict[str, Any], code: str) -> list[str]:
    line = phrase("cli.tier.tier", **one)
    if one["since"]:
        line += phrase("cli.tier.since", since=one["since"], reason=word("change", one["reason"]))
    lines = [line]
    lines += [f"  {sentence}" for sentence in one.get("explanation", [])]
    if "key_account" in one:
        lines.append("  " + phrase("cli.tier.key_account", value=_yes_or_no(one["key_account"])))
        lines.append("  " + phrase("cli.tier.agreement", value=_agreement(one["agreement"])))
        if one["totals"]:
            lines.append("  " + phrase("cli.tier.totals", value=_pairs(one["totals"])))
        lines.append("  " + phrase("cli.tier.basis", value=one["revenue_basis"]))
    if one.get("change"):
        lines.append("  " + _change(one["change"]))
    if one.get("evidence"):
        lines += _evidence(one["evidence"], code)
    return lines


def _yes_or_no(answer: bool) -> str:
    return phrase("cli.yes" if answer else "cli.no")


def _pairs(values: dict[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in values.items())


def _agreement(agreement: dict[str, Any]) -> str:
    if agreement["in_force"]:
        return phrase("cli.tier.in_force", **agreement)
    if agreement["ended_on"]:
        return phrase("cli.tier.ended", **agreement)
    return phrase("cli.tier.no_agreement" if agreement["needed"] else "cli.tier.not_needed")


def _evidence(evidence: dict[str, Any], code: str) -> list[str]:
    levels = {word("tier", level): least for level, least in evidence["thresholds"].items()}
    lines = ["  " + phrase("cli.tier.thresholds", value=_pairs(levels))]
    if evidence["total_now"] is not None:
        deciding = phrase("cli.tier.deciding", **evidence)
        if evidence["total_at_close"] is not None:
            deciding += phrase("cli.tier.at_close", **evidence)
        lines.append("  " + deciding)
    if evidence["changes"]:
        changes = [f"    {_change(change)}" for change in evidence["changes"]]
        lines += ["  " + phrase("cli.tier.changes"), *changes]
    if rows := evidence["latest_bookings"]:
        lines.append("  " + phrase("cli.tier.bookings", bookings=evidence["bookings"], shown=len(rows)))
        lines += [f"    {_booking(row, code)}" for row in rows]
    return lines


def _booking(row: dict[str, Any], code: str) -> str:
    """One transaction; one of a merged customer, or under a counter's own code, says under which it came."""
    sent = row.get("customer_code", code)
    sent_as = "" if sent == code else " " + phrase("cli.tier.sent_as", code=visible(sent))
    signed = f"-{row['amount']}" if row["kind"] == "reversal" else str(row["amount"])
    return (
        f"{row['business_date']}  {signed:>14}  {word('line', row['line'])}  {word('transaction', row['kind'])}"
        f"  {visible(row['source'])} {visible(row['id'])}{sent_as}"
    )


def _change(change: dict[str, Any]) -> str:
    return (
        f"{change['version']}. {change['effective_on']}  {word('tier', change['from_tier'])} →"
        f" {word('tier', change['to_tier'])}  {word('change', change['reason'])}, {change['period']}: {change['total']}"
    )
