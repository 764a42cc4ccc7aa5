"""Versions over HTTP (RFC 9110): a read says which version it shows, a write which version it means.

`ETag: "7"` is version 7 of one resource. A write to what others may have changed comes with `If-Match: "7"` and is
refused where the resource has moved on; `If-Match: *` means whatever version there is. A read with `If-None-Match: "7"`
is answered 304 without a body while that is still the version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from fastapi import Header, Request, Response

from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(
        alias="if-match",
        max_length=64,
        description='The version that this changes, as its `ETag` says it (`"7"`), or `*` for whichever there is.',
    ),
]
"""The type of a route's parameter: `if_match: IfMatch = None`."""

_TAG: Final = re.compile(r'"([1-9][0-9]{0,18}|0)"')


@dataclass(frozen=True, slots=True)
class IfMatchMissing(Refusal):
    """A write that does not say which version it means."""

    code: ClassVar[str] = "if_match_missing"
    kind: ClassVar[Kind] = "precondition"


@dataclass(frozen=True, slots=True)
class BadIfMatch(Refusal):
    """An `If-Match` that is no tag of ours."""

    code: ClassVar[str] = "bad_if_match"
    kind: ClassVar[Kind] = "malformed"


@dataclass(frozen=True, slots=True)
class ChangedMeanwhile(Refusal):
    """Others have changed it since it was read; `current_version` is the version to read again."""

    current_version: int
    code: ClassVar[str] = "changed_meanwhile"
    kind: ClassVar[Kind] = "stale"


def etag(version: int) -> str:
    """The entity tag of a version: `"7"`."""
    return f'"{version}"'


def required_version(if_match: str | None) -> int | None:
    """The version that a write means; None means any (`*`).

    Raises the problem 428 `if_match_missing` where nothing was said, and 400 `bad_if_match` for what is no tag of ours.
    """
    if if_match is None:
        raise Problem(IfMatchMissing())
    given = if_match.strip()
    if given == "*":
        return None
    tag = _TAG.fullmatch(given)
    if tag is None:
        raise Problem(BadIfMatch())
    return int(tag[1])


def changed_meanwhile(current: int) -> Problem:
    """412: others have changed it since it was read; `current_version` is the version to read again."""
    return Problem(ChangedMeanwhile(current), headers={"etag": etag(current)})


def check_version(wanted: int | None, current: int) -> None:
    """Raises the problem 412 `changed_meanwhile` unless the version is the one wanted, or any is.

    Call it under the row's lock: a check before the lock lets two writers pass who both saw the same version.
    """
    if wanted is not None and wanted != current:
        raise changed_meanwhile(current)


def not_modified(request: Request, version: int) -> Response | None:
    """The answer 304 if the caller has this version already, else None. Weak tags compare like strong ones here."""
    known = request.headers.get("if-none-match")
    if known is None:
        return None
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if "*" not in tags and etag(version) not in tags:
        return None
    return Response(status_code=304, headers={"etag": etag(version)})
