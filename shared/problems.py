"""Problem details (RFC 9457): every error answer of every service, in the caller's language, with a stable
`code`.

`{"type": "urn:keypost:problem:<code>", "title", "status", "detail", "code", "instance", "errors": […]}` as
`application/problem+json`. Programs look at `code`; `title` and `detail` are for people. `errors` lists
broken fields, each with a JSON pointer into the body (RFC 6901) or the name of a parameter, never with the
value that was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from shared.texts import Language, language_of

MEDIA_TYPE: Final = "application/problem+json"

_log = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is an error. `zh` and `en` are the `detail`; `extra` members are added to the answer as
    they are.

    Raise it anywhere below a route:
    `raise Problem(404, "unknown_customer", "没有这个客户。", "No such customer.")`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        zh: str,
        en: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {en}")
        self.status = status
        self.code = code
        self.zh = zh
        self.en = en
        self.headers = dict(headers or {})
        self.extra = extra

    def detail(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


_TITLES_ZH: Final[dict[int, str]] = {
    400: "请求有误",
    401: "需要登录",
    403: "没有权限",
    404: "未找到",
    405: "不支持此方法",
    406: "无法提供所要求的格式",
    408: "请求超时",
    409: "与当前状态冲突",
    410: "已不存在",
    412: "数据已被他人修改",
    413: "请求过大",
    415: "不支持的内容类型",
    422: "内容不符合要求",
    428: "缺少前提条件",
    429: "请求过于频繁",
    500: "系统内部错误",
    502: "上游服务出错",
    503: "服务暂不可用",
    504: "上游服务超时",
}

_KNOWN: Final[dict[int, tuple[str, str, str]]] = {
    400: ("bad_request", "请求无法读取。", "The request cannot be read."),
    401: ("unauthenticated", "请先登录。", "A bearer token is needed."),
    403: ("forbidden", "没有权限执行此操作。", "This is not permitted."),
    404: ("not_found", "没有这个地址。", "There is nothing at this address."),
    405: ("method_not_allowed", "此地址不支持该方法。", "This address does not answer to this method."),
    413: ("too_large", "请求内容过大。", "The body of the request is too large."),
    415: ("unsupported_media_type", "不支持此内容类型。", "This content type is not accepted."),
}
"""Code and detail for errors that the framework raises by itself."""

_FIELD_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("缺少必填项", "is missing"),
    "json_invalid": ("不是有效的 JSON", "is not valid JSON"),
    "extra_forbidden": ("未知字段", "is not a known field"),
    "string_too_short": ("内容过短", "is too short"),
    "string_too_long": ("内容过长", "is too long"),
    "string_pattern_mismatch": ("格式不符", "does not have the form asked for"),
    "string_type": ("应为字符串", "is not a string"),
    "int_type": ("应为整数", "is not an integer"),
    "int_parsing": ("应为整数", "is not an integer"),
    "bool_type": ("应为 true 或 false", "is not true or false"),
    "bool_parsing": ("应为 true 或 false", "is not true or false"),
    "list_type": ("应为列表", "is not a list"),
    "too_long": ("项数过多", "has too many items"),
    "too_short": ("项数过少", "has too few items"),
    "literal_error": ("不在允许的取值之内", "is not one of the values allowed"),
    "enum": ("不在允许的取值之内", "is not one of the values allowed"),
    "day_out_of_range": ("日期应在 1901-01-01 至 2199-12-31 之间", "lies outside 1901-01-01 to 2199-12-31"),
    "date_from_datetime_parsing": ("不是有效日期", "is not a date"),
    "date_parsing": ("不是有效日期", "is not a date"),
    "datetime_parsing": ("不是有效时间", "is not an instant"),
    "timezone_aware": ("时间缺少时区", "has no offset"),
    "greater_than": ("数值过小", "is too small"),
    "greater_than_equal": ("数值过小", "is too small"),
    "less_than": ("数值过大", "is too large"),
    "less_than_equal": ("数值过大", "is too large"),
}
_OTHER_FIELD_TEXT: Final = ("不符合要求", "breaks its rule")


def title(status: int, language: Language) -> str:
    """The short, general name of a status."""
    if language == "en":
        try:
            return HTTPStatus(status).phrase
        except ValueError:
            return "Error"
    return _TITLES_ZH.get(status, "请求出错")


def response(request: Request, problem: Problem) -> Response:
    """The answer that tells a problem in the language the request asks for."""
    language = language_of(request.headers.get("accept-language"))
    body = {
        "type": f"urn:keypost:problem:{problem.code}",
        "title": title(problem.status, language),
        "status": problem.status,
        "detail": problem.detail(language),
        "code": problem.code,
        "instance": request.url.path,
        **problem.extra,
    }
    headers = {**problem.headers, "content-language": language, "vary": "Accept-Language"}
    return JSONResponse(body, problem.status, headers, MEDIA_TYPE)


def field_errors(faults: Sequence[Mapping[str, Any]], language: Language) -> list[dict[str, str]]:
    """One entry a broken field: `pointer` into the body or `parameter`, the stable `code`, and a `detail`."""
    return [_field_error(fault, language) for fault in faults]


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem: our own, unknown addresses and methods, bad bodies, and
    bugs.
    """
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(Exception, _from_bug)


def _field_error(fault: Mapping[str, Any], language: Language) -> dict[str, str]:
    kind = str(fault["type"])
    place = [str(step) for step in fault["loc"]]
    zh, en = _FIELD_TEXTS.get(kind, _OTHER_FIELD_TEXT)
    where = "pointer" if place[:1] == ["body"] else "parameter"
    # A body that is not JSON at all is reported with the place of the first wrong character, which points at
    # nothing.
    steps = [] if kind == "json_invalid" else place[1:]
    name = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
    return {
        where: name if where == "pointer" else ".".join(steps),
        "code": kind,
        "detail": en if language == "en" else zh,
    }


async def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101
    return response(request, error)


async def _from_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = _KNOWN.get(error.status_code)
    code, zh, en = known or (f"http_{error.status_code}", "请求未能完成。", "The request was not completed.")
    return response(request, Problem(error.status_code, code, zh, en, headers=error.headers))


async def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    language = language_of(request.headers.get("accept-language"))
    errors = field_errors(error.errors(), language)
    if any(fault["code"] == "json_invalid" for fault in errors):
        return response(
            request,
            Problem(
                400, "not_json", "请求内容不是有效的 JSON。", "The body is not valid JSON.", errors=errors
            ),
        )
    return response(
        request,
        Problem(
            422,
            "invalid_fields",
            "请求中有不符合要求的字段。",
            "Some fields break their rules.",
            errors=errors,
        ),
    )


async def _from_bug(request: Request, error: Exception) -> Response:
    # The cause goes to the log and never to the caller: it may hold values and the inner workings of the
    # system.
    _log.error("unhandled error in %s %s", request.method, request.url.path, exc_info=error)
    return response(
        request,
        Problem(500, "internal_error", "系统内部错误，已记录。", "An error on our side; it is logged."),
    )
