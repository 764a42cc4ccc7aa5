"""Outside systems and people that use an instance over `/v1`: each with a token, one `Idempotency-Key` per command
however often it is sent, and the `ETag` of what they last read as `If-Match`.

A command that was not answered, or answered with 5xx, is sent again with the same key until it is: what a client in
the field does when a service restarts. Everything that was acknowledged can be noted down and sent once more later.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from shared.auth.development import mint
from tests.support.instance import Instance

PATIENCE_SECONDS = 180.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered."""

    status: int
    body: Any
    etag: str | None

    @property
    def code(self) -> str | None:
        """The stable reason of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) else None

    def must(self, *statuses: int) -> Any:
        """The body, where the status is one of these (200 and 201 by default)."""
        assert self.status in (statuses or (200, 201)), f"{self.status}: {self.body}"
        return self.body

    def refused(self, status: int, code: str) -> dict[str, Any]:
        """The problem, where it is this one."""
        assert (self.status, self.code) == (status, code), f"{self.status}: {self.body}"
        found: dict[str, Any] = self.body
        return found


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was acknowledged: what was asked for, and what was answered."""

    user: str
    service: str
    method: str
    path: str
    body: Any
    headers: Mapping[str, str]
    reply: Reply


@dataclass
class Outside:
    """Everybody outside of one instance. `notes`, where it is set, takes down every acknowledged command."""

    instance: Instance
    notes: list[Command] | None = None
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            timeout=httpx.Timeout(60.0, connect=5.0),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
            trust_env=False,
            verify=False,  # noqa: S501 - plain HTTP on this machine; reading certificates takes longer than a call.
        )
    )

    def person(self, user: str) -> Person:
        return Person(self, user)

    def hire(self, *people: tuple[str, str, str]) -> None:
        """Make users known to the instance's issuer: (user, role, unit path), as an administrator would by hand."""
        file = self.instance.data / "secrets" / "users.json"
        known = json.loads(file.read_bytes())
        names = {one["user"] for one in known}
        for user, role, path in people:
            if user not in names:
                grant = {"role": role, "unit": path.rpartition("/")[2], "path": path, "lines": []}
                known.append({"user": user, "name": user, "roles": [grant]})
        _replace(file, json.dumps(known, ensure_ascii=False).encode())

    def token(self, user: str) -> str:
        """What `keypost token --user U` prints, without a process for each of a crowd."""
        with self._lock:
            token, made = self._tokens.get(user, ("", float("-inf")))
            if time.monotonic() - made > 300:
                token = mint(self.instance.data / "secrets", user)
                self._tokens[user] = (token, time.monotonic())
            return token

    def send(
        self, user: str, service: str, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> Reply:
        """The answer of the first attempt that has one. AssertionError when there is none for three minutes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        url = f"http://127.0.0.1:{self.instance.ports[service]}{path}"
        why = ""
        while time.monotonic() < deadline:
            said = {"accept-language": "en", "authorization": f"Bearer {self.token(user)}", **headers}
            try:
                answer = self._client.request(method, url, headers=said, json=body)
            except httpx.TransportError as problem:
                why = repr(problem)
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    return _reply(answer)
                why = f"{answer.status_code} {answer.text[:300]}"
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{service} does not answer {method} {path}: {why}")

    def repeat(self, command: Command) -> Reply:
        """Send an acknowledged command once more, as it was."""
        return self.send(
            command.user, command.service, command.method, command.path, command.body, command.headers
        )

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class Person:
    """One user of the instance."""

    outside: Outside
    user: str

    def get(self, service: str, path: str, **parameters: Any) -> Reply:
        query = str(
            httpx.QueryParams({name: value for name, value in parameters.items() if value is not None})
        )
        return self.outside.send(self.user, service, "GET", f"{path}?{query}" if query else path, None, {})

    def items(self, service: str, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(service, path, **parameters).must()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]

    def post(
        self,
        service: str,
        path: str,
        body: Any = None,
        *,
        seen: Reply | str | None = "*",
        key: str | None = None,
    ) -> Reply:
        """A command under a key of its own; `seen` is what it goes by: an earlier reply, or a tag, by default whatever
        there is."""
        return self._command("POST", service, path, body, seen, {"idempotency-key": key or uuid4().hex})

    def patch(self, service: str, path: str, body: Any, *, seen: Reply | str) -> Reply:
        return self._command("PATCH", service, path, body, seen, {})

    def _command(
        self,
        method: str,
        service: str,
        path: str,
        body: Any,
        seen: Reply | str | None,
        headers: dict[str, str],
    ) -> Reply:
        tag = seen.etag if isinstance(seen, Reply) else seen
        if tag is not None:
            headers["if-match"] = tag
        reply = self.outside.send(self.user, service, method, path, body or {}, headers)
        if self.outside.notes is not None and reply.status < 300 and method == "POST":
            self.outside.notes.append(
                Command(self.user, service, method, path, body or {}, dict(headers), reply)
            )
        return reply


def at_once(calls: Iterable[Any]) -> list[Any]:
    """Make all calls at the same moment, each in a thread of its own; their answers in the order of the calls."""
    waiting = list(calls)
    gate = threading.Barrier(len(waiting))
    answers: list[Any] = [None] * len(waiting)

    def make(number: int) -> None:
        gate.wait(60)
        try:
            answers[number] = waiting[number]()
        except BaseException as problem:
            answers[number] = problem

    threads = [threading.Thread(target=make, args=(number,), daemon=True) for number in range(len(waiting))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def _reply(answer: httpx.Response) -> Reply:
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = answer.text
    return Reply(answer.status_code, body, answer.headers.get("etag"))


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f".{file.name}.fresh")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(file)
