"""`problem.<code>`: the sentences of refusals that every service can give; `status.<number>`: the short name of an HTTP status.

Each service's own refusals stand in a part of their own.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "status.400": ("请求有误", "Bad Request"),
    "status.401": ("需要登录", "Unauthorized"),
    "status.403": ("没有权限", "Forbidden"),
    "status.404": ("未找到", "Not Found"),
    "status.405": ("不支持此方法", "Method Not Allowed"),
    "status.406": ("无法提供所要求的格式", "Not Acceptable"),
    "status.408": ("请求超时", "Request Timeout"),
    "status.409": ("与当前状态冲突", "Conflict"),
    "status.410": ("已不存在", "Gone"),
    "status.412": ("数据已被他人修改", "Precondition Failed"),
    "status.413": ("请求过大", "Content Too Large"),
    "status.415": ("不支持的内容类型", "Unsupported Media Type"),
    "status.422": ("内容不符合要求", "Unprocessable Content"),
    "status.428": ("缺少前提条件", "Precondition Required"),
    "status.429": ("请求过于频繁", "Too Many Requests"),
    "status.500": ("系统内部错误", "Internal Server Error"),
    "status.502": ("上游服务出错", "Bad Gateway"),
    "status.503": ("服务暂不可用", "Service Unavailable"),
    "status.504": ("上游服务超时", "Gateway Timeout"),
    "status.other": ("请求出错", "Error"),
    "problem.bad_request": ("请求无法读取。", "The request cannot be read."),
    "problem.not_json": ("请求内容不是有效的 JSON。", "The body is not valid JSON."),
    "problem.invalid_fields": ("请求中有不符合要求的字段。", "Some fields break their rules."),
    "problem.unauthenticated": ("请先登录：需要 Bearer 令牌。", "A bearer token is needed."),
    "problem.bad_token": ("令牌无效或已过期。", "The token is not valid or has expired."),
    "problem.forbidden": ("没有权限执行此操作。", "This is not permitted."),
    "problem.forbidden_role": (
        "此操作需要以下角色之一：{needed:role}。",
        "This needs one of the roles {needed:role}.",
    ),
    "problem.out_of_scope": (
        "此操作超出您所负责的机构范围。",
        "This lies outside the units that you are responsible for.",
    ),
    "problem.own_request": ("不得审批自己的申请。", "Nobody decides their own request."),
    "problem.not_found": ("没有这个地址。", "There is nothing at this address."),
    "problem.method_not_allowed": ("此地址不支持该方法。", "This address does not answer to this method."),
    "problem.too_large": ("请求内容过大。", "The body of the request is too large."),
    "problem.body_too_large": (
        "请求内容超过{limit}字节。",
        "The request's body has more than {limit} bytes.",
    ),
    "problem.unsupported_media_type": ("不支持此内容类型。", "This content type is not accepted."),
    "problem.not_completed": ("请求未能完成。", "The request was not completed."),
    "problem.internal_error": ("系统内部错误，已记录。", "An error on our side; it is logged."),
    "problem.unavailable": (
        "服务暂不可用，请稍后用同一 Idempotency-Key 重试。",
        "Not available at the moment; try again with the same Idempotency-Key.",
    ),
    "problem.idempotency_key_reused": (
        "同一 Idempotency-Key 已用于另一请求。",
        "This Idempotency-Key came with another request before.",
    ),
    "problem.if_match_missing": (
        "修改前请先读取，并用 If-Match 注明所依据的版本。",
        "Read it first, and say in If-Match which version this changes.",
    ),
    "problem.bad_if_match": (
        'If-Match 应为带引号的版本号（如 "7"）或 *。',
        'If-Match is a version in quotes, such as "7", or *.',
    ),
    "problem.changed_meanwhile": (
        "数据已被他人修改，请重新读取后再试。",
        "Others have changed this since you read it; read it again first.",
    ),
    "problem.bad_base64": ("value_base64 不是有效的 Base64。", "value_base64 is not Base64."),
    "problem.dead_letter_unknown": ("没有编号为 {number} 的异常报文。", "There is no dead letter {number}."),
    "problem.dead_letter_already_decided": (
        "编号 {number} 的异常报文已经处理过。",
        "Dead letter {number} has been disposed of already.",
    ),
    "problem.dead_letter_not_our_topic": (
        "编号 {number} 的异常报文来自其他服务的主题，应由该服务重新发出。",
        "Dead letter {number} came from a topic of another service, which has to send it again.",
    ),
    "problem.dead_letter_range": (
        "编号 {number} 的异常报文代表多条消息，原文仍在主题中：请用 keypost rewind 让消费者重新读取。",
        "Dead letter {number} stands for several records, which are in their topic: have the consumer read them again with "
        "keypost rewind.",
    ),
    "problem.dead_letter_cut": (
        "编号 {number} 的异常报文过大，只保存了开头部分，不能按原样重新发出。",
        "Dead letter {number} was too large to be kept whole and cannot be sent as it came.",
    ),
    "problem.dead_letter_too_large": (
        "编号 {number} 的异常报文超过其主题允许的大小，不能重新发出。",
        "Dead letter {number} is larger than its topic takes.",
    ),
    "problem.consumer_unknown": (
        "没有这个消费者。本服务的消费者：{known}。",
        "There is no such consumer. This service has: {known}.",
    ),
    "problem.topic_not_read": (
        "该消费者不读取此主题。它读取：{topics}。",
        "The consumer does not read this topic. It reads: {topics}.",
    ),
    "problem.bad_cursor": (
        "翻页标记无效，或不属于这一列表与筛选条件。",
        "The cursor is not one of this list under these filters.",
    ),
}
