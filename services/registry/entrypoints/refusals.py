"""Every refusal of an act as a problem, in both languages, with what the caller can do about it."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from services.registry.domain import agreements, counter_codes, customers, merging
from services.registry.handlers.sign_agreement import UnknownUnit
from shared.etags import changed_meanwhile
from shared.problems import Problem

_TERMS: Final = {
    "ends_before_signed": (
        "协议终止日不能早于签订日 {limit}。",
        "The last day cannot lie before the day of signing, {limit}.",
    ),
    "signed_in_future": (
        "签订日不能晚于今天 {limit}；请在签订后再登记。",
        "The day of signing cannot lie after today, {limit}; record it once it is signed.",
    ),
    "end_lies_ahead": (
        "立即终止时，终止日不能晚于今天 {limit}。",
        "What ends at once cannot have a last day after today, {limit}.",
    ),
}
_DECIDED: Final = {
    "merged": ("这项合并已经完成。", "This merge has been carried out."),
    "refused": (
        "这项合并已被否决；如有必要请重新申请。",
        "This merge was refused; propose it anew if need be.",
    ),
    "withdrawn": (
        "这项合并已被申请人撤回；如有必要请重新申请。",
        "This merge was withdrawn by who asked for it; propose it anew if need be.",
    ),
}


def unknown_customer() -> Problem:
    return Problem(404, "unknown_customer", "没有这个客户。", "There is no such customer.")


def problem_of(refusal: Any) -> Problem:
    """The problem of a refusal that a handler gave. Mappings of others are told by `mapped_elsewhere`."""
    for told in (_of_customer, _of_agreement, _of_code, _of_merge):
        problem = told(refusal)
        if problem is not None:
            return problem
    raise TypeError(f"{type(refusal).__name__} is no refusal")


def _of_customer(refusal: Any) -> Problem | None:
    match refusal:
        case customers.UnknownCustomer():
            return unknown_customer()
        case customers.MergedInto(code, survivor):
            return Problem(
                409,
                "merged_into",
                f"客户 {code} 已并入 {survivor}，请对 {survivor} 办理。",
                f"Customer {code} was merged into {survivor}; act on {survivor}.",
                merged_into=survivor,
            )
        case customers.NotActive(code, "retired"):
            return Problem(
                409,
                "customer_retired",
                f"客户 {code} 已停用。",
                f"Customer {code} is retired.",
                customer_code=code,
            )
        case customers.NotActive(code, _):
            return Problem(
                409,
                "customer_annulled",
                f"客户 {code} 已注销。",
                f"Customer {code} is annulled.",
                customer_code=code,
            )
        case customers.ChangedMeanwhile(version):
            return changed_meanwhile(version)
    return None


def _of_agreement(refusal: Any) -> Problem | None:
    match refusal:
        case agreements.UnknownAgreement(number):
            return Problem(
                404,
                "unknown_agreement",
                f"该客户没有编号为“{number}”的协议。",
                f"The customer has no agreement {number!r}.",
            )
        case agreements.AgreementDiffers(known):
            return Problem(
                409,
                "agreement_exists",
                f"该客户已有编号为“{known.agreement_no}”而内容不同的协议；续签请用新编号。",
                f"The customer has an agreement {known.agreement_no!r} with other terms; a renewal has a number of its own.",
                agreement={
                    "agreement_no": known.agreement_no,
                    "signed_on": known.signed_on.isoformat(),
                    "ends_on": _day(known.ends_on),
                    "lines": list(known.lines),
                    "unit_code": known.unit_code,
                    "state": known.state,
                },
            )
        case agreements.AlreadyEnded(number, ended_on):
            return Problem(
                409,
                "agreement_already_ended",
                f"协议“{number}”已于 {ended_on} 终止，不能再改终止日；续签请用新编号。",
                f"Agreement {number!r} ended on {ended_on}; a renewal has a number of its own.",
                ended_on=ended_on.isoformat(),
            )
        case agreements.BadTerm(problem, limit):
            zh, en = _TERMS[problem]
            return Problem(
                422, problem, zh.format(limit=limit), en.format(limit=limit), limit=limit.isoformat()
            )
        case UnknownUnit(code):
            return Problem(
                422,
                "unknown_unit",
                f"没有机构 {code}，或该机构已撤销。",
                f"There is no unit {code}, or no longer.",
                unit_code=code,
            )
    return None


def _of_code(refusal: Any) -> Problem | None:
    match refusal:
        case counter_codes.BadCode():
            return Problem(
                422,
                "bad_code",
                "代码应为 1 至 32 个可见字符。",
                "A code has 1 to 32 printable characters.",
            )
        case counter_codes.CodeIsRegistered(code):
            return Problem(
                409,
                "code_is_registered",
                f"{code} 是注册的大客户代码，只表示其本身的客户，不能再作对应；若两个代码实为同一客户，请申请合并。",
                f"{code} is a customer's own code and cannot be mapped; if both are one customer, propose a merge.",
            )
        case counter_codes.ForeignCounters(unit_code, counter_id):
            return Problem(
                403,
                "counters_out_of_scope",
                "只能为您所负责机构的网点建立代码对应。",
                "A code is mapped for the counters of the units that you are responsible for.",
                unit_code=unit_code,
                counter_id=counter_id,
            )
        case counter_codes.ForeignRange(code, division, unit_code):
            return Problem(
                403,
                "code_range_foreign",
                f"代码 {code} 属于机构 {unit_code} 的赋码号段（{division}），使用它会占用该机构的序号，"
                "需由负责该机构的人员办理。",
                f"Code {code} lies in the range from which codes of unit {unit_code} are issued ({division}) and would use up "
                "one of its serials; somebody responsible for that unit has to do this.",
                division=division,
                unit_code=unit_code,
            )
        case counter_codes.EndsBeforeStart(valid_from):
            return Problem(
                422,
                "ends_before_start",
                f"截止日不能早于起始日 {valid_from}。",
                f"The last day cannot lie before the first, {valid_from}.",
                valid_from=valid_from.isoformat(),
            )
        case counter_codes.UnknownMapping(id):
            return Problem(
                404,
                "unknown_mapping",
                f"没有编号为 {id} 的代码对应。",
                f"There is no mapping {id} of a counter code.",
            )
        case counter_codes.MappingEnded(valid_to):
            return Problem(
                409,
                "mapping_already_ended",
                f"该对应已定于 {valid_to} 截止，只能提前；如需延续请重新建立对应。",
                f"The mapping ends on {valid_to} already and can only end earlier; to go on, map the code anew.",
                valid_to=valid_to.isoformat(),
            )
    return None


def mapped_elsewhere(code: str, mappings: list[dict[str, Any]]) -> Problem:
    """409: what the code means on which of the days asked for. Customers outside the caller's scope are not named, only
    the unit that has them."""
    zh = "；".join(_mapping_zh(each) for each in mappings)
    en = "; ".join(_mapping_en(each) for each in mappings)
    return Problem(
        409,
        "code_mapped_elsewhere",
        f"代码 {code} 已有对应：{zh}。请先终止该对应，或改用其他日期。",
        f"Code {code} has a meaning already: {en}. End that mapping first, or choose other days.",
        mappings=mappings,
    )


def _mapping_zh(each: dict[str, Any]) -> str:
    whose = each["customer_code"] or f"{each['unit_name_zh']}的客户"
    return f"{whose}（{each['valid_from'] or '一直'} 至 {each['valid_to'] or '长期'}）"


def _mapping_en(each: dict[str, Any]) -> str:
    whose = each["customer_code"] or f"a customer of {each['unit_name_en']}"
    return f"{whose} ({each['valid_from'] or 'always'} to {each['valid_to'] or 'for good'})"


def _of_merge(refusal: Any) -> Problem | None:
    match refusal:
        case merging.SameCustomer():
            return Problem(422, "same_customer", "保留代码与并入代码相同。", "Both codes are the same.")
        case merging.AgreementsClash(numbers):
            return Problem(
                409,
                "agreements_clash",
                f"两个客户各有一份编号为“{'”“'.join(numbers)}”、内容不同且均有效的协议；请先终止其中不实的一份，再申请合并。",
                f"Both customers have an agreement {', '.join(numbers)} in force, with other terms; end the wrong one first.",
                agreement_nos=list(numbers),
            )
        case merging.AlreadyProposed(id):
            return Problem(
                409,
                "merge_already_proposed",
                f"该代码已有待签署的合并申请（编号 {id}）；请签署或否决它。",
                f"A merge of this code is waiting for signatures (number {id}); sign or refuse that one.",
                merge_id=id,
            )
        case merging.UnknownMerge(id):
            return unknown_merge(id)
        case merging.AlreadyDecided(state):
            zh, en = _DECIDED[state]
            return Problem(409, "merge_already_decided", zh, en, state=state)
    return _of_signing(refusal)


def _of_signing(refusal: Any) -> Problem | None:
    match refusal:
        case merging.OwnRequest():
            return Problem(
                403,
                "own_request",
                "本人提出的申请须由他人签署。",
                "Nobody signs what they asked for themselves.",
            )
        case merging.AlreadySigned():
            return Problem(
                409,
                "already_signed",
                "您已签署过；还需其他处室的审批人签署。",
                "You have signed already; approvers of other offices must sign too.",
            )
        case merging.SameOffice(office):
            return Problem(
                403,
                "same_office",
                "三位签署人须分属三个处室；您所在处室已有人签署。",
                "The three who sign come from three offices; somebody of yours has signed already.",
                office=office,
            )
        case merging.NotOnStaff():
            return Problem(
                403,
                "office_unknown",
                "人员名册中没有您所属的处室，不能签署。",
                "The staff list does not say to which office you belong, so you cannot sign.",
            )
    return None


def unknown_merge(id: int) -> Problem:
    return Problem(404, "unknown_merge", f"没有编号为 {id} 的合并申请。", f"There is no merge {id}.")


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
