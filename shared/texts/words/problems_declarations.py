"""`problem.<code>`: the sentences of refusals about declarations and delegations; `field_fault.<code>`: what is wrong with
one of their fields."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "problem.unknown_declaration": ("没有这份注册申请。", "There is no such declaration."),
    "problem.not_declarer": ("只有申报人本人可以这样做。", "Only the declarer may do this."),
    "problem.own_request_declaration": (
        "不能审批本人提出的注册申请。",
        "Nobody pre-reviews or decides their own declaration.",
    ),
    "problem.own_customer": (
        "客户经理不得受托审批自己负责或拟负责的客户。",
        "Nobody decides by delegation about a customer whose manager they are or are to be.",
    ),
    "problem.already_decided_declaration_approved": (
        "该注册申请已由 {decided_by} 于 {decided_at:instant} 处理：已批准，大客户代码 {customer_code}。",
        "{decided_by} decided this declaration at {decided_at:instant}: approved as {customer_code}.",
    ),
    "problem.already_decided_declaration_rejected": (
        "该注册申请已由 {decided_by} 于 {decided_at:instant} 处理：已驳回。",
        "{decided_by} decided this declaration at {decided_at:instant}: rejected.",
    ),
    "problem.not_editable": (
        "只有草稿或被退回的注册申请可以修改。",
        "Only a draft or a returned declaration can be changed.",
    ),
    "problem.not_submittable": (
        "只有草稿或被退回的注册申请可以提交。",
        "Only a draft or a returned declaration can be handed in.",
    ),
    "problem.not_withdrawable": (
        "该注册申请已经结束，不能撤回。",
        "This declaration has ended and cannot be withdrawn.",
    ),
    "problem.not_in_pre_review": (
        "该注册申请当前不在预审环节。",
        "This declaration is not waiting for a pre-review.",
    ),
    "problem.not_at_centre": (
        "该注册申请当前不在中心审批环节。",
        "This declaration is not waiting for the centre.",
    ),
    "problem.unit_fixed": (
        "被退回的注册申请不能更换申报单位；请撤回后重新申报。",
        "A returned declaration stays with its unit; withdraw it and declare anew for another.",
    ),
    "problem.single_manager": ("A角与B角不能是同一人。", "Managers A and B are two people."),
    "problem.duplicate_credit_code": (
        "该统一社会信用代码的客户已经注册，归属{holder}。",
        "A customer of this credit code is registered already, with {holder}.",
    ),
    "problem.declared_earlier": (
        "{holder}已先行申报该统一社会信用代码的客户，先申报者优先。",
        "{holder} has declared the customer of this credit code before; the earlier declaration has priority.",
    ),
    "problem.closed_unit": ("申报单位已撤销。", "The unit that it was declared for is closed."),
    "problem.unit_without_division": (
        "申报单位没有可用于赋码的行政区划。",
        "The unit belongs to no division that codes are assigned in.",
    ),
    "problem.range_exhausted": (
        "该区划的大客户代码已用完，请联系系统管理员启用新的编码规则。",
        "The division has no code left; a new code scheme is needed.",
    ),
    "problem.unknown_delegation": ("没有这项委托。", "There is no such delegation."),
    "problem.not_delegator": (
        "只有委托人或本机构审批人可以撤销委托。",
        "Only whoever gave it, or another who decides for the unit, may revoke it.",
    ),
    "field_fault.missing_name": ("请填写客户名称", "is missing"),
    "field_fault.missing_unit_code": ("请填写申报单位", "is missing"),
    "field_fault.missing_comment": ("退回或驳回时请填写意见", "is needed to return or reject"),
    "field_fault.bad_name": ("客户名称不符合要求", "is not a name"),
    "field_fault.bad_uscc": (
        "统一社会信用代码不正确（校验位不符）",
        "is not a unified social credit code",
    ),
    "field_fault.bad_nature": ("性质过长或含有不可见字符", "is too long or not printable"),
    "field_fault.bad_address": ("地址过长或含有不可见字符", "is too long or not printable"),
    "field_fault.unknown_industry": ("不是国民经济行业分类中的行业", "is no category of GB/T 4754"),
    "field_fault.unknown_division": ("没有这个行政区划", "is not a known division"),
    "field_fault.unknown_unit": ("没有这个机构", "is not a known unit"),
    "field_fault.closed_unit": ("该机构已撤销", "is a closed unit"),
    "field_fault.unknown_manager": ("没有这位客户经理", "is not one of the staff"),
    "field_fault.single_manager": ("A角与B角不能是同一人", "is manager A as well"),
    "field_fault.too_many_contacts": ("联系人过多", "has too many contacts"),
    "field_fault.bad_contact_name": ("联系人姓名不符合要求", "is not a name"),
    "field_fault.bad_phone": ("电话号码格式不符", "is not a telephone number"),
    "field_fault.bad_email": ("电子邮箱格式不符", "is not an e-mail address"),
    "field_fault.unknown_user": ("没有这位人员", "is not one of the staff"),
    "field_fault.same_user": ("不能委托给本人", "is yourself"),
    "field_fault.ends_before_begin": ("结束日期早于开始日期", "lies before the first day"),
    "field_fault.in_the_past": ("日期已过", "lies in the past"),
    "field_fault.delegation_too_long": ("委托期限过长", "lies too many days after the first"),
    "field_fault.not_of_the_unit": (
        "受托人须为本机构在岗人员，且有审批职责或与委托人同处室",
        "is not of the unit, with a deciding role or in your office",
    ),
}
