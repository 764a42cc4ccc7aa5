"""The explanation of a tier in words, in both languages (TIE-15); figures in yuan, dates as dates."""

from __future__ import annotations

from collections.abc import Sequence

from services.tiering.domain.account import Account
from services.tiering.domain.explanation import Explanation
from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import Reason, Standing
from shared.clock import business_date
from shared.money import format_yuan
from shared.texts import Language

_WHY: dict[Reason, tuple[str, str]] = {
    Reason.THRESHOLD_REACHED: (
        "{year}年累计用邮{total}元，达到该级别标准，自动晋级",
        "the total of {year} reached {total} yuan, which reaches the level: promoted at once",
    ),
    Reason.LATE_REVENUE: (
        "{year}年已结账，其后补记用邮使年度累计达到{total}元，自动晋级",
        "late revenue brought the closed year {year} to {total} yuan: promoted",
    ),
    Reason.YEAR_END: (
        "{year}年度结账，该年累计用邮{total}元，自动降级",
        "{year} was closed with a total of {total} yuan: demoted",
    ),
    Reason.AGREEMENT_SIGNED: (
        "用邮协议生效，{year}年累计用邮{total}元，晋级",
        "the agreement came into force; the total of {year} is {total} yuan: promoted",
    ),
    Reason.AGREEMENT_ENDED: (
        "用邮协议终止且未续签，{year}年度结账时不再列为大客户",
        "the agreement had ended without renewal when {year} was closed",
    ),
    Reason.MERGED: (
        "与其他客户合并，{year}年合计用邮{total}元，按合计确定级别",
        "customers were merged; together they have a total of {total} yuan in {year}",
    ),
    Reason.GRANTED: (
        "省局登记为上游大客户，按规定授予",
        "granted to an upstream customer registered by the province",
    ),
}


def sentences(
    version: SchemeVersion, standing: Standing, explanation: Explanation, language: Language
) -> list[str]:
    """The tier held and why, what holds it back, and the way to the next level."""
    english = language == "en"
    said = []
    move = standing.last_move
    if move is None:
        said.append("no tier has been held yet" if english else "尚未取得客户级别")
    else:
        zh, en = _WHY[move.reason]
        since = (standing.effective_on or move.effective_on).isoformat()
        why = (en if english else zh).format(year=move.year, total=format_yuan(move.total_fen))
        name = tier_name(version, standing.tier, language)
        said.append(f"{name} since {since}: {why}" if english else f"自{since}起为{name}：{why}")
    if explanation.held_back_by_agreement:
        name = tier_name(version, explanation.justified, language)
        said.append(
            f"revenue justifies {name}, but no service agreement is in force"
            if english
            else f"用邮收入已达到{name}标准，但没有有效的用邮协议"
        )
    ahead = explanation.next_level
    if ahead is not None:
        name = tier_name(version, ahead.tier, language)
        missing, threshold = format_yuan(ahead.missing_fen), format_yuan(ahead.threshold_fen)
        said.append(
            f"{missing} yuan more in {ahead.year} lead to {name} (from {threshold} yuan a year)"
            if english
            else f"距{name}（年用邮{threshold}元）{ahead.year}年还差{missing}元"
        )
    return said


def merge_notice(path: Sequence[Account], language: Language) -> str | None:
    """That a code is a merged customer's and what is told is its survivor's; None where it is not. `path` leads from the one
    to the other."""
    if len(path) < 2:
        return None
    alias, survivor, merged_at = path[0].code, path[-1].code, path[0].merged_at
    day = "" if merged_at is None else business_date(merged_at).isoformat()
    if language == "en":
        return f"{alias} was merged on {day}; this is the answer for {survivor}, which it is part of."
    return f"{alias}已于{day}合并，以下为合并后客户{survivor}的情况。"


def tier_name(version: SchemeVersion, tier: int, language: Language) -> str:
    if not tier:
        return "no tier" if language == "en" else "无级别"
    level = version.levels[tier - 1]
    return level.name_en if language == "en" else level.name_zh


def lines_notice(language: Language) -> str:
    """Why somebody who sees some lines of a customer alone is told no total."""
    if language == "en":
        return (
            "This tier counts lines that are not yours, so that its totals are not shown; the bookings are those of your "
            "line."
        )
    return "该级别按多个专业计收，累计收入不在您的专业范围内，故不显示；所列交易仅为本专业。"
