"""`keypost rewind`: has a consumer of a service read its topics again (PLT-5); nothing takes effect twice."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from cli.command import Call, bad_call, command
from cli.printable import visible
from cli.words import phrase

_OFFSET: Final = re.compile(r"[0-9]{1,18}")


def register(app: typer.Typer) -> None:
    app.command("rewind")(rewind)


@command
def rewind(
    call: Call,
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
) -> None:
    """Have a consumer read its topics again from a place. What has taken effect takes none a second time.

    Returns once the positions are set; `keypost wait-idle` waits until everything has been read.
    """
    body = {"to": target(to), "topic": topic, "partition": partition, "dry_run": dry_run}
    services = call.session.services
    if service not in services:
        raise bad_call("cli.no_service", service=visible(service), services=list(services))
    call.show(call.session.post(service, f"/v1/consumers/{quote(consumer, safe='')}/rewind", body), _text)


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
        raise bad_call("cli.rewind.no_place", text=visible(text))
    return instant.isoformat()


def _text(answer: dict[str, Any]) -> str:
    moves, who = answer["moved"], {"service": answer["service"], "consumer": answer["consumer"]}
    if not moves:
        return phrase("cli.rewind.nothing", **who)
    key = "cli.rewind.would_read" if answer["dry_run"] else "cli.rewind.reads"
    return "\n".join(
        [
            phrase(key, **who, count=answer["offsets_to_read"]),
            *(f"{one['topic']}/{one['partition']}  {one['before']} → {one['after']}" for one in moves),
        ]
    )
