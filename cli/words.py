"""The words of the interfaces as people of the organisation say them (70-terms), for texts on the terminal.

The interfaces speak in stable words such as `pre_reviewed`; in English they are shown as they are, with blanks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cli.language import in_language
from cli.printable import visible

_ZH: Final[Mapping[str, str]] = {
    # Declarations
    "draft": "草稿", "submitted": "已提交", "pre_reviewed": "预审通过", "approved": "审批通过", "rejected": "未通过",
    "returned": "已退回", "withdrawn": "已撤回", "declarer": "申报人", "pre_review": "预审", "centre": "大客户中心",
    "declared": "申报",
    "resubmitted": "再次提交", "edited": "修改", "passed": "预审通过", "pass": "通过", "approve": "批准", "return": "退回",
    "reject": "不批准", "declaration": "注册申报", "manager": "客户经理", "unit": "机构",
    # Plans and windows
    "registered": "登记备案", "active": "独家开发期内", "settling": "待结转", "succeeded": "开发成功", "expired": "到期",
    "refused": "已拒绝", "regular": "常规", "festival": "节日", "contact": "客户接触", "proposal": "方案推介",
    "negotiation": "销售谈判", "trial": "试用", "contract": "签约成交",
    "plan_submitted": "项目报备", "plan_queued": "排队等候", "plan_registered": "登记备案", "plan_refused": "不予登记",
    "plan_withdrawn": "撤回预案", "review_overdue": "审核超时", "window_opened": "独家开发期开始",
    "window_ending": "独家开发期将到期", "window_silent": "过半未报进展", "guidance_missing": "中期尚无指导意见",
    "progress_reported": "报告进展",
    "progress_judged": "评定进展", "window_extended": "独家开发期延长",
    "window_settling": "独家开发期到期，待结转",
    "window_succeeded": "开发成功", "window_expired": "到期未成功", "window_withdrawn": "放弃独家开发",
    "window_released": "独家开发权已释放", "case_opened": "立案待中心处理", "case_decided": "中心已裁定",
    # Agreements, codes, merges
    "potential": "潜在客户", "name_differs": "名称不同", "uscc_differs": "信用代码不同", "unit_differs": "机构不同",
    "in_force": "有效", "ended": "已终止", "proposed": "待签署", "signed": "已签署", "merged": "已合并",
    # What a rehearsal names
    "name": "名称", "uscc": "信用代码", "industry": "行业", "address": "地址", "division": "行政区划", "contacts": "联系人",
    "manager_a": "A角", "manager_b": "B角", "unit_code": "机构", "expected_lines": "预计业务", "nature": "性质",
    "expected_yearly_revenue": "预计年用邮", "duplicate_credit_code": "信用代码已有客户", "declared_earlier": "已有在先申报",
    # Lines of business
    "letters": "函件", "logistics": "物流", "express": "速递", "parcels": "包裹", "press": "报刊", "finance": "金融",
    "information": "信息", "philately": "集邮",
    # Transactions
    "sale": "销售", "reversal": "冲销", "held": "待处理", "released": "已入账", "closed": "已关闭",
    # Why a tier changed
    "threshold_reached": "达到标准", "late_revenue": "补记用邮", "year_end": "年度结账", "quarter_end": "季度结账",
    "agreement_signed": "协议生效", "agreement_ended": "协议终止", "scheme_changed": "标准变更", "granted": "授予",
    "corrected": "更正",
    # Tiers
    "none": "无级别", "ordinary": "普通", "silver": "白银", "gold": "黄金", "platinum": "白金", "diamond": "钻石", "vip": "VIP",
    "promotion": "晋级", "demotion": "降级", "correction": "更正",
}  # fmt: skip


def word(name: str | None) -> str:
    """One word of the interfaces; what is not known here is shown as it came."""
    if name is None:
        return "-"
    return in_language(_ZH.get(name, name), name.replace("_", " "))


def words(names: Sequence[str]) -> str:
    """Several of them in one text."""
    return in_language("、", ", ").join(word(name) for name in names)


def lines_of(pairs: Sequence[tuple[str, str, Any]]) -> list[str]:
    """A line for each (Chinese label, English label, value) that has a value. No value can move the cursor."""
    shown = [(in_language(zh, en), value) for zh, en, value in pairs if value not in (None, "", [], ())]
    width = max((_columns(label) for label, _value in shown), default=0)
    return [f"  {label}{' ' * (width - _columns(label))}  {visible(str(value))}" for label, value in shown]


def _columns(text: str) -> int:
    """How wide a label stands on a terminal: a Chinese character takes two columns."""
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


def said(value: Any) -> str:
    """Any part of an answer in one line, as the service tells it; members without a value are left out."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {said(one)}" for name, one in value.items() if one not in (None, [], {}))
    if isinstance(value, list):
        return "; ".join(said(one) for one in value)
    return visible(str(value))
