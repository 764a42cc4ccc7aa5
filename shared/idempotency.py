"""`Idempotency-Key`: a request that is sent again has the effect and the answer of the first (10-contracts, HTTP).

The answer is kept in the transaction of the effects, by person and key. Without a key a request is done as it comes, or,
where a route says so, its content is the key: for requests whose repetition means nothing new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import Header

from shared.failpoints import failpoint
from shared.kernel import refusals
from shared.messaging.failures import Kind, classify
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import Problem
from shared.problems import Unavailable as Unavailable
from shared.problems import unavailable as unavailable

IdempotencyKey = Annotated[str | None, Header(alias="idempotency-key", min_length=1, max_length=255)]
"""The type of a route's parameter: `idempotency_key: IdempotencyKey = None`."""


@dataclass(frozen=True, slots=True)
class IdempotencyKeyReused(refusals.Refusal):
    """The key came with another request before."""

    code: ClassVar[str] = "idempotency_key_reused"
    kind: ClassVar[refusals.Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it was asked for: which, by whom, under which key, with which body (JSON)."""

    command: str
    person: str
    key: str | None
    body: Any
    by_content: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps([self.command, self.body])).hexdigest()

    @property
    def stored_key(self) -> str | None:
        key = self.key or (self.digest if self.by_content else None)
        return None if key is None else f"{self.command} {key}"


async def answered_once(
    unit_of_work: UnitOfWork, asked: Asked, command: Callable[[Work], Awaitable[Any]]
) -> Any:
    """Run the command, or give the answer (JSON) that it gave before. A command that raises leaves nothing behind, its
    key included. Passing faults are told as 503, so that the client tries again with the same key."""

    async def run(work: Work) -> Any:
        if asked.stored_key is None:
            return await command(work)
        given = await _begin(work, asked)
        if given is not None:
            return orjson.loads(given)
        answer = await command(work)
        await _finish(work, asked, orjson.dumps(answer).decode())
        return answer

    try:
        answer = await unit_of_work.run(run)
    except Problem:
        raise
    except Exception as error:
        if classify(error) is not Kind.TRANSIENT:
            raise
        raise unavailable() from error
    await failpoint("http_after_commit")
    return answer


async def _begin(work: Work, asked: Asked) -> str | None:
    """None: this request is the first and must be done. A parallel one with the same key waits in the insert until the
    other has ended."""
    raw = await work.raw()
    inserted = await raw.fetchval(
        "INSERT INTO idempotency_keys (person, key, request_sha256, recorded_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING key",
        asked.person,
        asked.stored_key,
        asked.digest,
        work.now,
    )
    if inserted is not None:
        return None
    stored = await raw.fetchrow(
        "SELECT request_sha256, answer FROM idempotency_keys WHERE person = $1 AND key = $2",
        asked.person,
        asked.stored_key,
    )
    if stored is None or stored["request_sha256"] != asked.digest:
        raise Problem(IdempotencyKeyReused())
    return str(stored["answer"])


async def _finish(work: Work, asked: Asked, answer: str) -> None:
    raw = await work.raw()
    await raw.execute(
        "UPDATE idempotency_keys SET answer = $3 WHERE person = $1 AND key = $2",
        asked.person,
        asked.stored_key,
        answer,
    )
