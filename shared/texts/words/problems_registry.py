"""`problem.<code>`: the sentences of refusals about agreements, counter codes, merges, imports, customers and units, and the
words that they use."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "problem.unknown_customer": ("没有这个客户。", "There is no such customer."),
    "problem.merged_into": (
        "客户 {customer_code} 已并入 {merged_into}，请对 {merged_into} 办理。",
        "Customer {customer_code} was merged into {merged_into}; act on {merged_into}.",
    ),
    "problem.customer_retired": ("客户 {customer_code} 已停用。", "Customer {customer_code} is retired."),
    "problem.customer_annulled": ("客户 {customer_code} 已注销。", "Customer {customer_code} is annulled."),
    "problem.unknown_unit_here": ("没有这个机构。", "There is no such unit."),
    "problem.unknown_agreement": (
        "该客户没有编号为“{agreement_no}”的协议。",
        "The customer has no agreement “{agreement_no}”.",
    ),
    "problem.agreement_exists": (
        "该客户已有编号为“{agreement_no}”而内容不同的协议；续签请用新编号。",
        "The customer has an agreement “{agreement_no}” with other terms; a renewal has a number of its own.",
    ),
    "problem.agreement_already_ended": (
        "协议“{agreement_no}”已于 {ended_on:date} 终止，不能再改终止日；续签请用新编号。",
        "Agreement “{agreement_no}” ended on {ended_on:date}; a renewal has a number of its own.",
    ),
    "problem.ends_before_signed": (
        "协议终止日不能早于签订日 {limit:date}。",
        "The last day cannot lie before the day of signing, {limit:date}.",
    ),
    "problem.signed_in_future": (
        "签订日不能晚于今天 {limit:date}；请在签订后再登记。",
        "The day of signing cannot lie after today, {limit:date}; record it once it is signed.",
    ),
    "problem.end_lies_ahead": (
        "立即终止时，终止日不能晚于今天 {limit:date}。",
        "What ends at once cannot have a last day after today, {limit:date}.",
    ),
    "problem.bad_code": (
        "代码应为 1 至 32 个可见字符。",
        "A code has 1 to 32 printable characters.",
    ),
    "problem.code_is_registered": (
        "{counter_code} 是注册的大客户代码，只表示其本身的客户，不能再作对应；若两个代码实为同一客户，请申请合并。",
        "{counter_code} is a customer's own code and cannot be mapped; if both are one customer, propose a merge.",
    ),
    "problem.counters_out_of_scope": (
        "只能为您所负责机构的网点建立代码对应。",
        "A code is mapped for the counters of the units that you are responsible for.",
    ),
    "problem.code_range_foreign": (
        "代码 {counter_code} 属于机构 {unit_code} 的赋码号段（{division}），使用它会占用该机构的序号，"
        "需由负责该机构的人员办理。",
        "Code {counter_code} lies in the range from which codes of unit {unit_code} are issued ({division}) and would use "
        "up one of its serials; somebody responsible for that unit has to do this.",
    ),
    "problem.ends_before_start": (
        "截止日不能早于起始日 {valid_from:date}。",
        "The last day cannot lie before the first, {valid_from:date}.",
    ),
    "problem.unknown_mapping": (
        "没有编号为 {id} 的代码对应。",
        "There is no mapping {id} of a counter code.",
    ),
    "problem.mapping_already_ended": (
        "该对应已定于 {valid_to:date} 截止，只能提前；如需延续请重新建立对应。",
        "The mapping ends on {valid_to:date} already and can only end earlier; to go on, map the code anew.",
    ),
    "problem.code_mapped_elsewhere": (
        "代码 {counter_code} 已有对应：{holders:list}（{first:mapped_day} 至 {last:mapped_day}）。"
        "请先终止该对应，或改用其他日期。",
        "Code {counter_code} has a meaning already: {holders:list} ({first:mapped_day} to {last:mapped_day}). End that "
        "mapping first, or choose other days.",
    ),
    "problem.code_mapped_elsewhere_out_of_scope": (
        "代码 {counter_code} 已有对应：{holders:list}的客户（{first:mapped_day} 至 {last:mapped_day}）。"
        "请先终止该对应，或改用其他日期。",
        "Code {counter_code} has a meaning already: a customer of {holders:list} ({first:mapped_day} to "
        "{last:mapped_day}). End that mapping first, or choose other days.",
    ),
    "problem.code_mapped_elsewhere_several": (
        "代码 {counter_code} 在这些日期已有多项对应：{holders:list}。请先终止这些对应，或改用其他日期。",
        "Code {counter_code} has several meanings on these days already: {holders:list}. End those mappings first, or "
        "choose other days.",
    ),
    "mapped_day.always": ("一直", "always"),
    "mapped_day.for_good": ("长期", "for good"),
    "problem.same_customer": ("保留代码与并入代码相同。", "Both codes are the same."),
    "problem.agreements_clash": (
        "两个客户各有一份编号为“{agreement_nos:list}”、内容不同且均有效的协议；请先终止其中不实的一份，再申请合并。",
        "Both customers have an agreement {agreement_nos:list} in force, with other terms; end the wrong one first.",
    ),
    "problem.merge_already_proposed": (
        "该代码已有待签署的合并申请（编号 {merge_id}）；请签署或否决它。",
        "A merge of this code is waiting for signatures (number {merge_id}); sign or refuse that one.",
    ),
    "problem.unknown_merge": ("没有编号为 {id} 的合并申请。", "There is no merge {id}."),
    "problem.merge_already_decided_merged": ("这项合并已经完成。", "This merge has been carried out."),
    "problem.merge_already_decided_refused": (
        "这项合并已被否决；如有必要请重新申请。",
        "This merge was refused; propose it anew if need be.",
    ),
    "problem.merge_already_decided_withdrawn": (
        "这项合并已被申请人撤回；如有必要请重新申请。",
        "This merge was withdrawn by who asked for it; propose it anew if need be.",
    ),
    "problem.own_request_merge": (
        "本人提出的申请须由他人签署。",
        "Nobody signs what they asked for themselves.",
    ),
    "problem.already_signed": (
        "您已签署过；还需其他处室的审批人签署。",
        "You have signed already; approvers of other offices must sign too.",
    ),
    "problem.same_office": (
        "三位签署人须分属三个处室；您所在处室已有人签署。",
        "The three who sign come from three offices; somebody of yours has signed already.",
    ),
    "problem.office_unknown": (
        "人员名册中没有您所属的处室，不能签署。",
        "The staff list does not say to which office you belong, so you cannot sign.",
    ),
    "problem.import_conflict": (
        "此导入编号已用于其他人或其他文件。",
        "This import id belongs to another person or another file.",
    ),
    "problem.unknown_import": ("没有这次导入。", "There is no such import."),
    "problem.duplicate_rows": ("同一行号出现多次。", "The same row number stands twice."),
}
