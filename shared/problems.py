"""Problem details (RFC 9457): every error answer of every service, in the caller's language, with a stable `code`.

`{"type": "urn:keypost:problem:<code>", "title", "status", "detail", "code", "instance", "errors": […]}` as
`application/problem+json`. Programs look at `code`; `title` and `detail` are for people. `errors` lists broken fields, each
with a JSON pointer into the body (RFC 6901) or the name of a parameter, never with the value that was sent.

A problem carries a refusal (`shared.kernel.refusals`): its kind gives the status, its code the words, its fields the further
members. Raise it anywhere below a route: `raise Problem(UnknownCustomer(code))`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from shared.contracts.fields import printed_instant
from shared.kernel.refusals import BrokenFields, Fault, Kind, Refusal
from shared.messaging import failures
from shared.messaging.failures import classify, describe
from shared.texts import CATALOGUE, Language, language_of, say, word

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[Kind, int]] = {
    "malformed": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "unknown": 404,
    "conflict": 409,
    "stale": 412,
    "too_large": 413,
    "wrong_medium": 415,
    "invalid": 422,
    "precondition": 428,
    "too_many": 429,
    "fault": 500,
    "upstream": 502,
    "unavailable": 503,
}
"""What HTTP says for each kind of refusal."""

_log = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is an error, made of a refusal."""

    def __init__(self, refusal: Refusal, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.headers = dict(headers or {})

    @property
    def code(self) -> str:
        return self.refusal.code

    @property
    def status(self) -> int:
        return STATUS[self.refusal.kind]

    @property
    def members(self) -> dict[str, Any]:
        """The members beside those of RFC 9457, in JSON terms."""
        return {name: in_json(value) for name, value in self.refusal.members().items()}

    def members_in(self, language: Language) -> dict[str, Any]:
        """The same, with the words of each broken field."""
        if isinstance(self.refusal, BrokenFields):
            return {"errors": [fault_error(each, language) for each in self.refusal.errors]}
        return self.members

    def detail(self, language: Language) -> str:
        """The sentence for people."""
        return sentence(self.refusal, language)


def sentence(refusal: Refusal, language: Language) -> str:
    """A refusal in words."""
    return say(f"problem.{refusal.sentence()}", language, **refusal.values())


def in_json(value: Any) -> Any:
    """A member's value as JSON has it: instants and days printed, tuples as lists, values as objects."""
    match value:
        case datetime():
            return printed_instant(value)
        case date():
            return value.isoformat()
        case list() | tuple():
            return [in_json(each) for each in value]
        case Mapping():
            return {str(name): in_json(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: in_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return value


@dataclass(frozen=True, slots=True)
class BadRequest(Refusal):
    """A request that cannot be read at all."""

    code: ClassVar[str] = "bad_request"
    kind: ClassVar[Kind] = "malformed"


@dataclass(frozen=True, slots=True)
class NotFound(Refusal):
    """An address that does not exist."""

    code: ClassVar[str] = "not_found"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class UnsupportedMediaType(Refusal):
    """A content type that is not accepted."""

    code: ClassVar[str] = "unsupported_media_type"
    kind: ClassVar[Kind] = "wrong_medium"


@dataclass(frozen=True, slots=True)
class NotJson(Refusal):
    """A body that is not JSON."""

    errors: Sequence[Mapping[str, str]]
    code: ClassVar[str] = "not_json"
    kind: ClassVar[Kind] = "malformed"


@dataclass(frozen=True, slots=True)
class InvalidFields(Refusal):
    """Fields that break their rules; `errors` has one entry for each."""

    errors: Sequence[Mapping[str, str]]
    code: ClassVar[str] = "invalid_fields"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class InternalError(Refusal):
    """A fault of ours; its cause is in the log and never in the answer."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[Kind] = "fault"


@dataclass(frozen=True, slots=True)
class Unavailable(Refusal):
    """Not now; the same request may be sent again."""

    code: ClassVar[str] = "unavailable"
    kind: ClassVar[Kind] = "unavailable"


def unavailable() -> Problem:
    """503: not now, but the same request may be sent again."""
    return Problem(Unavailable(), headers={"retry-after": "1"})


def title(status: int, language: Language) -> str:
    """The short, general name of a status."""
    key = f"status.{status}"
    return say(key if key in CATALOGUE else "status.other", language)


def response(request: Request, problem: Problem) -> Response:
    """The answer that tells a problem in the language the request asks for."""
    language = language_of(request.headers.get("accept-language"))
    return _answer(
        request,
        language,
        problem.status,
        problem.code,
        problem.detail(language),
        problem.members_in(language),
        problem.headers,
    )


def _answer(
    request: Request,
    language: Language,
    status: int,
    code: str,
    detail: str,
    members: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response:
    body = {
        "type": f"urn:keypost:problem:{code}",
        "title": title(status, language),
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.url.path,
        **members,
    }
    return JSONResponse(
        body, status, {**headers, "content-language": language, "vary": "Accept-Language"}, MEDIA_TYPE
    )


def field_errors(faults: Sequence[Mapping[str, Any]], language: Language) -> list[dict[str, str]]:
    """One entry a broken field: `pointer` into the body or `parameter`, the stable `code`, and a `detail`."""
    return [_field_error(fault, language) for fault in faults]


def field_error(pointer: str, code: str, language: Language) -> dict[str, str]:
    """The entry of a field of the body that breaks a rule of ours; its words stand under `field_fault.<code>`."""
    return {"pointer": pointer, "code": code, "detail": word("field_fault", code, language)}


def fault_error(fault: Fault, language: Language) -> dict[str, str]:
    """The same of a fault that a rule has found."""
    entry = field_error(fault.pointer, fault.code, language)
    return entry if fault.word is None else {**entry, "detail": word("field_fault", fault.word, language)}


def declared(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that refuses by these, for its OpenAPI description (`responses=`)."""
    by_status: dict[int, list[type[Refusal]]] = defaultdict(list)
    for refusal in dict.fromkeys(refusals):
        by_status[STATUS[refusal.kind]].append(refusal)
    return {
        status: {
            "description": "; ".join(sorted({f"`{each.code}`" for each in group})),
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": ["type", "title", "status", "detail", "code", "instance"],
                        "properties": {
                            "type": {"type": "string"},
                            "title": {"type": "string"},
                            "status": {"const": status},
                            "detail": {"type": "string"},
                            "code": {"enum": sorted({each.code for each in group})},
                            "instance": {"type": "string"},
                        },
                    }
                }
            },
        }
        for status, group in sorted(by_status.items())
    }


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem: our own, unknown addresses and methods, bad bodies, and bugs."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(Exception, _from_bug)


_FROM_FRAMEWORK: Final[dict[int, str]] = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
"""Codes of errors that the framework raises by itself."""


def _field_error(fault: Mapping[str, Any], language: Language) -> dict[str, str]:
    kind = str(fault["type"])
    place = [str(step) for step in fault["loc"]]
    where = "pointer" if place[:1] == ["body"] else "parameter"
    # A body that is not JSON at all is reported with the place of the first wrong character, which points at nothing.
    steps = [] if kind == "json_invalid" else place[1:]
    name = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
    key = f"field_fault.{kind}"
    return {
        where: name if where == "pointer" else ".".join(steps),
        "code": kind,
        "detail": say(key if key in CATALOGUE else "field_fault.other", language),
    }


async def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101
    return response(request, error)


async def _from_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    language = language_of(request.headers.get("accept-language"))
    status = error.status_code
    known = _FROM_FRAMEWORK.get(status)
    detail = say(f"problem.{known or 'not_completed'}", language)
    return _answer(request, language, status, known or f"http_{status}", detail, {}, error.headers or {})


async def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = field_errors(error.errors(), language_of(request.headers.get("accept-language")))
    not_json = any(fault["code"] == "json_invalid" for fault in errors)
    return response(request, Problem(NotJson(errors) if not_json else InvalidFields(errors)))


async def _from_bug(request: Request, error: Exception) -> Response:
    # A database that is away is no bug: whoever asks again will be answered.
    if classify(error) is failures.Kind.TRANSIENT:
        _log.warning("%s %s cannot be answered now: %s", request.method, request.url.path, describe(error))
        return response(request, unavailable())
    # The cause goes to the log and never to the caller: it may hold values and the inner workings of the system.
    _log.error("unhandled error in %s %s", request.method, request.url.path, exc_info=error)
    return response(request, Problem(InternalError()))
