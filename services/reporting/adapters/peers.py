"""The other services over HTTP, asked and told on behalf of a person: with the person's own token and language, so that
each service decides by itself who may do what, and answers in words that the person reads.

A call that could not be completed is tried once more where that is safe: reads always, commands with their
`Idempotency-Key`, under which a repetition changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import httpx

from services.reporting.domain.refusals import ServiceAway, ServiceUnreadable
from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem
from shared.texts import Language

ServiceName = Literal["registry", "tiering", "claims", "reporting"]

_TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
_DOWNLOAD_TIMEOUT: Final = httpx.Timeout(60.0, connect=2.0)
_ATTEMPTS: Final = 2
_PROBLEM_MEMBERS: Final = {"type", "title", "status", "detail", "code", "instance"}


@dataclass(frozen=True, slots=True)
class PeerRefusal(Refusal):
    """What another service refused, as it came."""

    status: int
    peer_code: str
    detail: str
    more: Mapping[str, Any]
    code: ClassVar[str] = "refused_by_peer"
    kind: ClassVar[Kind] = "upstream"


class PeerProblem(Problem):
    """A problem of another service, passed on with its status, code, words and members; the words are already in the
    person's language."""

    def __init__(self, status: int, code: str, detail: str, members: Mapping[str, Any]) -> None:
        self._of_peer = PeerRefusal(status, code, detail, members)
        super().__init__(self._of_peer)

    @property
    def code(self) -> str:
        return self._of_peer.peer_code

    @property
    def status(self) -> int:
        return self._of_peer.status

    @property
    def members(self) -> dict[str, Any]:
        return dict(self._of_peer.more)


class PeerAnswer(dict[str, Any]):
    """An object of an answer. A member that the service did not send is None: what it adds or leaves out later breaks no
    page."""

    def __missing__(self, _name: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """For whom a call is made."""

    token: str
    language: Language


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked of a service. `key` is the Idempotency-Key; `version` goes into If-Match."""

    service: ServiceName
    path: str
    body: Mapping[str, Any]
    key: str
    version: str | None = None
    method: Literal["POST", "PATCH"] = "POST"


class Peers:
    """One pool of connections to the four services."""

    def __init__(self, urls: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def get(
        self, who: OnBehalf, service: ServiceName, path: str, params: Mapping[str, Any] | None = None
    ) -> PeerAnswer:
        """The answer (JSON object). Raises the problem that the service told, or 503 `service_away`."""
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        return await self._asked(who, service, "GET", path, {}, params=given)

    async def tell(self, who: OnBehalf, command: Command) -> PeerAnswer:
        """Have a command done. Raises as `get` does."""
        headers = {"idempotency-key": command.key}
        if command.version is not None:
            headers["if-match"] = f'"{command.version}"'
        return await self._asked(
            who, command.service, command.method, command.path, headers, json=dict(command.body)
        )

    @asynccontextmanager
    async def download(
        self, who: OnBehalf, service: ServiceName, path: str, params: Mapping[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """A file, piece by piece."""
        request = self._pool().build_request(
            "GET", self._urls[service] + path, headers=_headers(who), params=params, timeout=_DOWNLOAD_TIMEOUT
        )
        try:
            answer = await self._pool().send(request, stream=True)
        except httpx.TransportError as fault:
            raise _away(service) from fault
        try:
            if answer.is_error:
                await answer.aread()
                raise _problem(service, answer)
            yield answer
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _asked(
        self,
        who: OnBehalf,
        service: ServiceName,
        method: str,
        path: str,
        headers: Mapping[str, str],
        **content: Any,
    ) -> PeerAnswer:
        fault: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                answer = await self._pool().request(
                    method, self._urls[service] + path, headers={**_headers(who), **headers}, **content
                )
            except httpx.TransportError as error:
                fault = error
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                fault = _problem(service, answer)
                continue
            if answer.is_error:
                raise _problem(service, answer)
            return _content(service, answer)
        if isinstance(fault, Problem):
            raise fault
        raise _away(service) from fault

    def _pool(self) -> httpx.AsyncClient:
        # Made at the first call: connections belong to the event loop that serves.
        if self._client is None:
            # A proxy of the environment is for the world outside, not for the services beside this one.
            self._client = httpx.AsyncClient(
                timeout=_TIMEOUT, transport=self._transport, trust_env=False, follow_redirects=False
            )
        return self._client


def _headers(who: OnBehalf) -> dict[str, str]:
    return {"authorization": f"Bearer {who.token}", "accept-language": who.language}


def _content(service: ServiceName, answer: httpx.Response) -> PeerAnswer:
    try:
        content = json.loads(answer.content, object_hook=PeerAnswer)
    except ValueError:
        content = None
    if not isinstance(content, PeerAnswer):
        raise _unreadable(service)
    return content


def _problem(service: ServiceName, answer: httpx.Response) -> Problem:
    """What the service said, to be said again; its words are already in the person's language."""
    try:
        told = json.loads(answer.content, object_hook=PeerAnswer)
    except ValueError:
        told = None
    if not isinstance(told, PeerAnswer) or not isinstance(told["code"], str):
        return _away(service) if answer.status_code >= 500 else _unreadable(service)
    detail = str(told["detail"] or told["title"] or told["code"])
    members = {str(name): value for name, value in told.items() if name not in _PROBLEM_MEMBERS}
    return PeerProblem(answer.status_code, told["code"], detail, members)


def _away(service: ServiceName) -> Problem:
    return Problem(ServiceAway(service))


def _unreadable(service: ServiceName) -> Problem:
    return Problem(ServiceUnreadable(service))
