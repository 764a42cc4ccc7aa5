"""What refuses a declaration, in words (problem details in Chinese and English)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.registry.domain.declarations import Declaration, Refused
from services.registry.domain.declaring import Fault
from services.registry.domain.organisation import Unit
from services.registry.handlers.declare import Blocked
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.contracts.fields import printed_instant
from shared.problems import Problem
from shared.texts import Language

_REFUSALS: Final[Mapping[str, tuple[int, str, str]]] = {
    "own_request": (
        403,
        "不能审批本人提出的注册申请。",
        "Nobody pre-reviews or decides their own declaration.",
    ),
    "own_customer": (
        403,
        "客户经理不得受托审批自己负责或拟负责的客户。",
        "Nobody decides by delegation about a customer whose manager they are or are to be.",
    ),
    "not_editable": (
        409,
        "只有草稿或被退回的注册申请可以修改。",
        "Only a draft or a returned declaration can be changed.",
    ),
    "not_submittable": (
        409,
        "只有草稿或被退回的注册申请可以提交。",
        "Only a draft or a returned declaration can be handed in.",
    ),
    "not_withdrawable": (
        409,
        "该注册申请已经结束，不能撤回。",
        "This declaration has ended and cannot be withdrawn.",
    ),
    "not_in_pre_review": (
        409,
        "该注册申请当前不在预审环节。",
        "This declaration is not waiting for a pre-review.",
    ),
    "not_at_centre": (
        409,
        "该注册申请当前不在中心审批环节。",
        "This declaration is not waiting for the centre.",
    ),
    "unit_fixed": (
        409,
        "被退回的注册申请不能更换申报单位；请撤回后重新申报。",
        "A returned declaration stays with its unit; withdraw it and declare anew for another.",
    ),
    "single_manager": (
        422,
        "A角与B角不能是同一人。",
        "Managers A and B are two people.",
    ),
    "closed_unit": (409, "申报单位已撤销。", "The unit that it was declared for is closed."),
    "unit_without_division": (
        409,
        "申报单位没有可用于赋码的行政区划。",
        "The unit belongs to no division that codes are assigned in.",
    ),
    "range_exhausted": (
        409,
        "该区划的大客户代码已用完，请联系系统管理员启用新的编码规则。",
        "The division has no code left; a new code scheme is needed.",
    ),
}

_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "missing_name": ("请填写客户名称", "is missing"),
    "missing_unit_code": ("请填写申报单位", "is missing"),
    "missing_comment": ("退回或驳回时请填写意见", "is needed to return or reject"),
    "bad_name": ("客户名称不符合要求", "is not a name"),
    "bad_uscc": ("统一社会信用代码不正确（校验位不符）", "is not a unified social credit code"),
    "bad_nature": ("性质过长或含有不可见字符", "is too long or not printable"),
    "bad_address": ("地址过长或含有不可见字符", "is too long or not printable"),
    "unknown_industry": ("不是国民经济行业分类中的行业", "is no category of GB/T 4754"),
    "unknown_division": ("没有这个行政区划", "is not a known division"),
    "unknown_unit": ("没有这个机构", "is not a known unit"),
    "closed_unit": ("该机构已撤销", "is a closed unit"),
    "unknown_manager": ("没有这位客户经理", "is not one of the staff"),
    "single_manager": ("A角与B角不能是同一人", "is manager A as well"),
    "too_many_contacts": ("联系人过多", "has too many contacts"),
    "bad_contact_name": ("联系人姓名不符合要求", "is not a name"),
    "bad_phone": ("电话号码格式不符", "is not a telephone number"),
    "bad_email": ("电子邮箱格式不符", "is not an e-mail address"),
    "unknown_user": ("没有这位人员", "is not one of the staff"),
    "same_user": ("不能委托给本人", "is yourself"),
    "ends_before_begin": ("结束日期早于开始日期", "lies before the first day"),
    "in_the_past": ("日期已过", "lies in the past"),
    "day_out_of_range": ("日期应在 1901-01-01 至 2199-12-31 之间", "lies outside 1901-01-01 to 2199-12-31"),
    "too_long": ("委托期限过长", "lies too many days after the first"),
    "not_of_the_unit": (
        "受托人须为本机构在岗人员，且有审批职责或与委托人同处室",
        "is not of the unit, with a deciding role or in your office",
    ),
}


def unknown_declaration() -> Problem:
    return Problem(404, "unknown_declaration", "没有这份注册申请。", "There is no such declaration.")


def not_declarer() -> Problem:
    return Problem(403, "not_declarer", "只有申报人本人可以这样做。", "Only the declarer may do this.")


def already_decided(declaration: Declaration) -> Problem:
    """409, whatever version was meant: who decided, when, and the code that came of it."""
    assert declaration.decided_at is not None  # noqa: S101 - decided declarations have the instant
    when, code = printed_instant(declaration.decided_at), declaration.customer_code
    outcome = (f"已审批通过，大客户代码{code}", f"approved as {code}") if code else ("已驳回", "rejected")
    return Problem(
        409,
        "already_decided",
        f"该注册申请已由{declaration.decided_by}于{when}处理：{outcome[0]}。",
        f"{declaration.decided_by} decided this declaration on {when}: {outcome[1]}.",
        state=declaration.state,
        decided_by=declaration.decided_by,
        decided_at=when,
        customer_code=code,
    )


def refusal(refused: Refused) -> Problem:
    """A step that the rules refuse."""
    status, zh, en = _REFUSALS[refused.reason]
    members: dict[str, Any] = dict(refused.details)
    return Problem(status, refused.reason, zh, en, **members)


def blocked(refused: Blocked, units: Mapping[str, Unit], caller: Principal) -> Problem:
    """409: somebody has this credit code."""
    members = holder(refused, units, caller)
    zh_unit, en_unit = members["holder_name_zh"], members["holder_name_en"]
    if refused.reason == "duplicate_credit_code":
        zh = f"该统一社会信用代码的客户已经注册，归属{zh_unit}。"
        en = f"A customer of this credit code is registered already, with {en_unit}."
    else:
        zh = f"{zh_unit}已先行申报该统一社会信用代码的客户，先申报者优先。"
        en = f"{en_unit} has declared the customer of this credit code before; the earlier declaration has priority."
    return Problem(409, refused.reason, zh, en, **members)


def holder(refused: Blocked, units: Mapping[str, Unit], caller: Principal) -> dict[str, Any]:
    """Who holds a credit code, and what exactly only for those who may see it (REG-6)."""
    found = refused.holder
    unit = units[found.unit_code]
    members: dict[str, Any] = {
        "holder_unit": unit.code,
        "holder_name_zh": unit.name_zh,
        "holder_name_en": unit.name_en,
    }
    if permit(caller, "customers.read", found.unit_path, found.managers) is None:
        kind = "customer_code" if refused.reason == "duplicate_credit_code" else "declaration_id"
        members |= {kind: found.id, "name": found.name}
    return members


def broken_fields(faults: Iterable[Fault], language: Language) -> Problem:
    """422: every field that breaks its rule, at once."""
    return Problem(
        422,
        "invalid_fields",
        "请求中有不符合要求的字段。",
        "Some fields break their rules.",
        errors=fault_list(faults, language),
    )


def fault_list(faults: Iterable[Fault], language: Language) -> list[dict[str, str]]:
    """The faults as the member `errors` has them."""
    return [
        {
            "pointer": fault.pointer,
            "code": fault.code,
            "detail": _FAULTS[fault.code][1 if language == "en" else 0],
        }
        for fault in faults
    ]
