"""`keypost rewind`: has a consumer of a service read its topics again (PLT-5); nothing takes effect twice."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language

_OFFSET: Final = re.compile(r"[0-9]{1,18}")


def register(app: typer.Typer) -> None:
    app.command("rewind")(rewind)


def rewind(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Such as tiering.")],
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="Such as transactions.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="OFFSET|TIMESTAMP|beginning",
            help="An offset, an instant such as 2026-03-01T00:00+08:00, or all that the topics still have.",
        ),
    ] = "beginning",
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="T", help="Only this topic of the consumer.")
    ] = None,
    partition: Annotated[
        int | None, typer.Option("--partition", metavar="N", min=0, help="Only this partition.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Move nothing; show what would move.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Have a consumer read its topics again from a place. What has taken effect takes none a second time.

    Returns once the positions are set; `keypost wait-idle` waits until everything has been read.
    """
    body = {"to": target(to), "topic": topic, "partition": partition, "dry_run": dry_run}
    session = open_session(data, user, timeout)
    if service not in session.services:
        raise CommandError(
            f"there is no service {service!r}; there are {', '.join(session.services)}", Exit.BAD_CALL
        )
    answer = session.post(service, f"/v1/consumers/{consumer}/rewind", body, headers=accept_language())
    show(answer, json_, lambda: _text(answer))


def target(text: str) -> int | str:
    """What the request takes: an offset as a number, an instant with its offset from UTC, or `beginning`."""
    text = text.strip()
    if text == "beginning":
        return text
    if _OFFSET.fullmatch(text):
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise CommandError(
            f"{text!r} is no place: write an offset, an instant such as 2026-03-01T00:00+08:00, or beginning",
            Exit.BAD_CALL,
        )
    return instant.isoformat()


def _text(answer: dict[str, Any]) -> str:
    moved, name = answer["moved"], f"{answer['service']} {answer['consumer']}"
    if not moved:
        return f"{name} has read nothing from there on: nothing to rewind"
    done = "would read" if answer["dry_run"] else "reads"
    lines = [f"{name} {done} {answer['offsets_to_read']} offsets again"]
    lines += [f"{one['topic']}/{one['partition']}  {one['before']} → {one['after']}" for one in moved]
    return "\n".join(lines)
