"""The instance that a command acts on: who asks, how long it keeps trying, and how it ends.

A command outlasts a service or an engine that is restarting. It asks again, with the same `Idempotency-Key`,
until there is an answer or its time is over. A fault inside a service is no reason to ask again: the same question
would find the same fault.
"""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from cli.language import language
from cli.printable import visible
from cli.words import phrase
from deploy.embedded.instance import Instance, Setup, find, service_names
from deploy.embedded.kafka import ADMIN, client_properties
from deploy.embedded.terminal import say
from shared.auth.development import UnknownUser, mint
from shared.clock import Clock, SandboxClock, SystemClock
from shared.ids import new_id
from shared.messaging.backoff import Backoff

T = TypeVar("T")

OPERATOR: Final = "operator"
MACHINE: Final = "service:cli"
"""Whom the command line is when it asks about the machinery and not for a person."""
PATIENCE_S: Final = 1800.0
_RETRIED: Final = frozenset((408, 425, 429, 502, 503, 504))
_LONGEST_PAUSE_S: Final = 1.0


class Exit(enum.IntEnum):
    """The exit codes of every command."""

    DONE = 0
    REFUSED = 1
    """Differences were found, or the request was refused."""
    BAD_CALL = 2
    PARTLY = 3
    TIMEOUT = 4


class CommandError(Exception):
    """The end of a command with a message for its user."""

    def __init__(self, message: str, code: int = Exit.REFUSED) -> None:
        super().__init__(message)
        self.code = code


class Refused(CommandError):
    """A service said no. `problem` is its RFC 9457 answer, `problem["code"]` the stable reason; `advice` is what the user
    may do about it beyond that."""

    def __init__(self, response: httpx.Response, advice: str = "") -> None:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        self.status = response.status_code
        self.problem: dict[str, Any] = answer if isinstance(answer, dict) else {"detail": response.text[:500]}
        text = self.problem.get("detail") or self.problem.get("title") or response.reason_phrase
        reason = self.problem.get("code")
        lines = [f"{text} ({reason})" if reason else str(text), *_broken_fields(self.problem), advice]
        super().__init__("\n".join(line for line in lines if line))


def _broken_fields(problem: dict[str, Any]) -> list[str]:
    """A line for each field that a service found wrong, as `expected_lines/0 is not one of the values allowed`."""
    errors = problem.get("errors")
    found = errors if isinstance(errors, list) else []
    return [
        f"  {str(one.get('pointer') or one.get('parameter') or '').lstrip('/')} {one.get('detail', '')}".rstrip()
        for one in found
        if isinstance(one, dict)
    ]


class NotNow(Exception):
    """Raised inside `Session.keep_trying` when the answer cannot be had yet."""


@dataclass(slots=True)
class Session:
    """One command's view of its instance."""

    instance: Instance
    user: str = OPERATOR
    timeout_s: float = PATIENCE_S
    began: float = field(default_factory=time.monotonic)
    _client: httpx.Client | None = None
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def setup(self) -> Setup:
        return self.instance.setup() or Setup()

    @property
    def services(self) -> tuple[str, ...]:
        return service_names()

    def url(self, service: str, path: str = "") -> str:
        return self.instance.service_url(service) + path

    def remaining(self) -> float:
        return max(0.0, self.began + self.timeout_s - time.monotonic())

    def clock(self) -> Clock:
        """The time of the instance: its own in a sandbox, else the machine's."""
        if self.setup.mode == "sandbox":
            return SandboxClock(self.instance.clock_file)
        return SystemClock()

    # Identity

    def token(self, user: str | None = None) -> str:
        """A token of the development issuer, made anew well before it expires."""
        user = user or self.user
        cached, made = self._tokens.get(user, ("", -1e9))
        if time.monotonic() - made < 600:
            return cached
        try:
            token = mint(self.instance.secrets, user, self.setup.mode)
        except UnknownUser as problem:
            raise CommandError(phrase("cli.no_user", user=visible(user)), Exit.BAD_CALL) from problem
        except FileNotFoundError as problem:
            raise CommandError(phrase("cli.no_issuer", data=self.instance.data)) from problem
        self._tokens[user] = (token, time.monotonic())
        return token

    def kafka(self, user: str = ADMIN, **more: Any) -> dict[str, Any]:
        """librdkafka properties of a client of this instance."""
        properties = client_properties(
            f"127.0.0.1:{self.setup.kafka_port}", user, self.instance.passwords()["kafka"][user]
        )
        return {**properties, "log_level": 0, **more}

    # Asking

    def request(
        self,
        method: str,
        service: str,
        path: str,
        *,
        user: str | None = None,
        headers: dict[str, str] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Ask a service until it answers. Raises Refused for what asking again would not change.

        Every POST carries one `Idempotency-Key` for all its repetitions, so that an answer which was lost on
        its way is not done twice.
        """
        sent = {"Accept-Language": language(), **(headers or {})}
        if method.upper() == "POST":
            sent.setdefault("Idempotency-Key", new_id())

        def ask() -> httpx.Response:
            authorised = {**sent, "Authorization": f"Bearer {self.token(user)}"}
            # A service that is stuck must not hold the command beyond its own time.
            patience = httpx.Timeout(max(1.0, min(60.0, self.remaining())), connect=2.0)
            try:
                response = self.client.request(
                    method, self.url(service, path), headers=authorised, **{"timeout": patience, **arguments}
                )
            except httpx.TransportError as problem:
                raise NotNow(phrase("cli.no_answer", who=service, why=type(problem).__name__)) from problem
            status = response.status_code
            if status in _RETRIED:
                raise NotNow(phrase("cli.not_ready", service=service, status=status))
            if status >= 500:
                log = self.instance.logs / f"{service}.log"
                raise Refused(response, phrase("cli.fault", service=service, status=status, log=log))
            if status >= 400:
                raise Refused(response)
            return response

        return self.keep_trying(ask)

    def get(self, service: str, path: str, **arguments: Any) -> Any:
        return self.request("GET", service, path, **arguments).json()

    def post(self, service: str, path: str, body: Any, **arguments: Any) -> Any:
        return self.request("POST", service, path, json=body, **arguments).json()

    @property
    def client(self) -> httpx.Client:
        if self._client is None:
            # Proxies of the environment are for the outside world; the instance is on this machine.
            self._client = httpx.Client(timeout=httpx.Timeout(60.0, connect=2.0), trust_env=False)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def keep_trying(self, ask: Callable[[], T], first_pause_s: float = 0.05) -> T:
        """Call until it no longer raises NotNow. When the time is over the command ends with exit code 4."""
        backoff = Backoff(first_pause_s, _LONGEST_PAUSE_S)
        announced = False
        while True:
            try:
                return ask()
            except NotNow as reason:
                if self.remaining() <= 0:
                    raise self.gave_up(str(reason)) from reason
                if not announced and time.monotonic() - self.began > 3:
                    announced = True
                    say(phrase("cli.waiting", reason=str(reason)))
                    if self.instance.supervisor() is None:
                        say(phrase("cli.not_up", data=self.instance.data))
                time.sleep(min(backoff.next(), max(self.remaining(), 0.001)))

    def gave_up(self, reason: str) -> CommandError:
        """The end of a command whose time is over."""
        return CommandError(
            phrase("cli.gave_up", seconds=f"{self.timeout_s:.0f}", reason=reason), Exit.TIMEOUT
        )


def open_session(data: Path | None, user: str = OPERATOR, timeout_s: float = PATIENCE_S) -> Session:
    """The session of a command that needs an instance which was started before."""
    instance = find(data, os.environ)
    if not instance.exists():
        raise CommandError(phrase("cli.no_instance", data=instance.data))
    instance.check_format()
    return Session(instance, user, timeout_s)
