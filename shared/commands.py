"""One way to answer a command over HTTP, the same in every service.

principal → may the role at all → version meant → idempotency → `handler(command, desk)` → `Done` or refusal → answer, ETag.

A route is a module-level function that makes the command from path and body and hands it on:

    @router.post("/plans/{plan_id}/review", **described(review_plan, versioned=True))
    async def review(plan_id: PlanId, body: ReviewIn, call: VersionedCall, door: Door) -> PlanOut:
        return await door.carry_out(call, "plans.review", review_plan, ReviewPlan(plan_id, body.decision, body.reason))

The command is a frozen dataclass; the desk is what the service's handlers work at: the ports of one transaction, its
instant, and who asks. The handler's return type names its refusals, and the interface's description lists them from there.
What a handler returns is answered after its transaction has committed; a refusal rolls everything back, the idempotency key
included.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from shared.auth.http import BadToken, Caller, Unauthenticated, require
from shared.auth.policy import Forbidden, Operation, OutOfScope
from shared.auth.principals import Principal
from shared.etags import BadIfMatch, ChangedMeanwhile, IfMatch, IfMatchMissing, etag, required_version
from shared.idempotency import Asked, IdempotencyKey, IdempotencyKeyReused, Unavailable, answered_once
from shared.kernel.commands import Done
from shared.kernel.refusals import Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import InvalidFields, NotJson, Problem, declared, in_json
from shared.texts import Language, language_of

Desk = TypeVar("Desk")
DeskIn = TypeVar("DeskIn", contravariant=True)
Command = TypeVar("Command")
CommandIn = TypeVar("CommandIn", contravariant=True)
Value = TypeVar("Value")
ValueOut = TypeVar("ValueOut", covariant=True)
Answer = TypeVar("Answer", bound=BaseModel)


class Handler(Protocol[CommandIn, DeskIn, ValueOut]):
    """A handler of one command. Its own return type names its refusals one by one."""

    async def __call__(self, command: CommandIn, desk: DeskIn, /) -> Done[ValueOut] | Refusal: ...


@dataclass(frozen=True, slots=True)
class Call:
    """A command's call: who asks, in which language, under which key, and which version it means (None: any)."""

    caller: Principal
    language: Language
    name: str
    """Path without `/v1/`: what is acted on, and how. With the person and the key it is the identity of the call."""
    key: str | None
    version: int | None
    response: Response


async def _call(
    caller: Caller, request: Request, response: Response, idempotency_key: IdempotencyKey = None
) -> Call:
    return _made(caller, request, response, idempotency_key, None)


async def _versioned_call(
    caller: Caller,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Call:
    return _made(caller, request, response, idempotency_key, required_version(if_match))


def _made(
    caller: Principal, request: Request, response: Response, key: str | None, version: int | None
) -> Call:
    name = request.url.path.removeprefix("/v1/")
    language = language_of(request.headers.get("accept-language"))
    return Call(
        caller,
        language,
        name if request.method == "POST" else f"{request.method} {name}",
        key,
        version,
        response,
    )


AnyCall = Annotated[Call, Depends(_call)]
"""The type of a route's parameter for a command that makes something, or adds to it whatever its version is."""
VersionedCall = Annotated[Call, Depends(_versioned_call)]
"""The type of a route's parameter for a command on what others may have changed: it asks for `If-Match`."""


@dataclass(frozen=True, slots=True)
class Commands(Generic[Desk]):
    """How a service carries commands out: its transactions, and the desk that is made in each."""

    unit_of_work: UnitOfWork
    open_desk: Callable[[Work, Call], Awaitable[Desk]]

    async def carry_out(
        self,
        call: Call,
        operation: Operation | None,
        handler: Handler[Command, Desk, Value],
        command: Command,
        show: Callable[[Desk, Value], Awaitable[Answer]],
        *,
        by_content: bool = False,
    ) -> Answer:
        """Carry a command out once and answer the resource as `show` gives it inside the transaction: 201 for a new one, 200
        otherwise, with its version as ETag where it has one. Raises the problem of a refusal.

        `operation` is None where who may is known only once the thing is loaded; the handler asks then.
        With `by_content` a call without a key is known again by what it asks.
        """
        if operation is not None:
            require(call.caller, operation)
        shown: type[Answer] = typing.get_type_hints(show)["return"]

        async def run(work: Work) -> Any:
            desk = await self.open_desk(work, call)
            outcome = await handler(command, desk)
            if isinstance(outcome, Refusal):
                raise problem_of(outcome)
            answer = await show(desk, outcome.value)
            return {"created": outcome.created, "body": answer.model_dump(mode="json")}

        asked = Asked(call.name, call.caller.user, call.key, in_json(command), by_content)
        given = await answered_once(self.unit_of_work, asked, run)
        call.response.status_code = 201 if given["created"] else 200
        if "version" in given["body"]:
            call.response.headers["etag"] = etag(given["body"]["version"])
        return shown.model_validate(given["body"])


def problem_of(refusal: Refusal) -> Problem:
    """The problem of a refusal; a version that has moved on carries the tag to read again."""
    headers = {"etag": etag(refusal.current_version)} if isinstance(refusal, ChangedMeanwhile) else None
    return Problem(refusal, headers=headers)


def refusals_of(handler: Callable[..., Any]) -> tuple[type[Refusal], ...]:
    """The refusals that a handler's return type names."""
    named = typing.get_type_hints(handler)["return"]
    parts = (
        typing.get_args(named) if isinstance(named, types.UnionType) or typing.get_origin(named) else (named,)
    )
    return tuple(
        part for part in parts if isinstance(part, type) and issubclass(part, Refusal) and part is not Refusal
    )


def described(
    handler: Callable[..., Any], *, versioned: bool = False, created: bool = False
) -> dict[str, Any]:
    """What the description of a command's route says beside its types: the status of a new resource, and every refusal, those
    of the handler and those that any command can meet."""
    common: tuple[type[Refusal], ...] = (
        NotJson,
        InvalidFields,
        Unauthenticated,
        BadToken,
        Forbidden,
        OutOfScope,
        IdempotencyKeyReused,
        Unavailable,
    )
    versions: tuple[type[Refusal], ...] = (IfMatchMissing, BadIfMatch, ChangedMeanwhile) if versioned else ()
    return {
        "responses": declared(*refusals_of(handler), *common, *versions),
        **({"status_code": 201} if created else {}),
    }


def stale(version: int | None, current: int) -> ChangedMeanwhile | None:
    """The refusal of a command that means another version than the current one; None where it may go on.

    Ask it under the row's lock: before the lock, two writers pass who both saw the same version.
    """
    return None if version is None or version == current else ChangedMeanwhile(current)
