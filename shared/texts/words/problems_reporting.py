"""`problem.<code>`: what reporting and the console refuse."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "problem.unknown_customer_in_scope": (
        "没有这个客户，或不在您的范围内。",
        "No such customer in your scope.",
    ),
    "problem.unknown_customer_of_two": (
        "两个代码须分别属于您范围内的两个客户。",
        "The codes have to mean two different customers in your scope.",
    ),
    "problem.not_in_suspense": (
        "没有这笔待处理交易，或不在您的机构范围内。",
        "There is no such transaction in suspense within your scope.",
    ),
    "problem.unknown_rebuild": ("没有这次重建。", "There is no such rebuild."),
    "problem.rebuild_under_way": ("已有一次视图重建正在进行。", "The views are being rebuilt already."),
    "problem.missing_filter": ("请指定：{absent}。", "Say which: {absent}."),
    "problem.invalid_fields_filters": (
        "地址中的筛选条件不符合要求。",
        "A filter in the address breaks its rule.",
    ),
    "problem.not_json_correction": (
        "改正后的内容不是有效的 JSON，未发送。",
        "The corrected message is not valid JSON; nothing was sent.",
    ),
    "problem.bad_request_form": ("表单无法读取。", "The form cannot be read."),
    "problem.stale_form": (
        "此页面打开后登录已变更，请返回重新打开页面再提交。",
        "You have signed in anew since this page was opened. Go back, open it again and send it then.",
    ),
    "problem.other_site": ("请求来自其他网站。", "The request comes from another site."),
    # The words of another service, already in the reader's language.
    "problem.refused_by_peer": ("{detail}", "{detail}"),
    "problem.service_away": (
        "{service:service}服务暂时没有响应。您填写的内容已保留，请稍后再试；重复提交不会重复办理。",
        "The service “{service:service}” does not answer at the moment. What you typed is kept; try again shortly. "
        "Sending it twice does it once.",
    ),
    "problem.service_unreadable": (
        "{service:service}服务的答复无法读取。",
        "The service “{service:service}” gave an answer that cannot be read.",
    ),
}
