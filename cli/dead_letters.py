"""`keypost dead-letters`: messages that a service could not read or handle, and what becomes of them.

Every service numbers its own: `tiering:12` is the name of one everywhere on the command line, and a bare number means
tiering, to which counters send.
"""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.command import Call, bad_call, command
from cli.decisions import conclude, decide
from cli.instance import Session
from cli.printable import moment, shortened, visible
from cli.words import lines_of, phrase, word
from shared.contracts.topics import DEAD_LETTER_BYTES, SERVICES

_ID: Final = re.compile(r"(?:([a-z]+):)?([0-9]{1,18})")
_PAGE: Final = 1000
_SHOWN_CHARACTERS: Final = 4000

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Such as tiering:12; a bare number: tiering.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Messages that could not be read or handled.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show_one)
    group.command("replay")(replay)
    group.command("close")(close)
    app.add_typer(group, name="dead-letters")


@command
def list_(
    call: Call,
    service: Annotated[
        str | None, typer.Option("--service", metavar="S", help="Only this service's.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those replayed or closed.")] = False,
) -> None:
    """List the dead letters of every service, in the order of failing; --json prints all as one array."""
    services = call.session.services
    if service is not None and service not in services:
        raise bad_call("cli.no_service", service=visible(service), services=list(services))
    found = [
        letter
        for name in ((service,) if service is not None else services)
        for letter in letters(call.session, name, "all" if all_ else "open")
    ]
    call.show(found, lambda those: _list_text(those, all_))


def letters(session: Session, service: str, state: str) -> list[dict[str, Any]]:
    """All dead letters of a service in one state, through every page; `id` carries the service's name."""
    found: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = session.get(
            service,
            "/v1/dead-letters",
            params={"state": state, "after": after, "limit": _PAGE},
        )
        found += [_with_service(letter) for letter in page["items"]]
        if not page["more"]:
            return found
        after = page["next"]


def _with_service(letter: dict[str, Any]) -> dict[str, Any]:
    return {**letter, "id": f"{letter['service']}:{letter['id']}", "number": letter["id"]}


@command
def show_one(
    call: Call,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Such as tiering:12.")],
    value: Annotated[
        bool, typer.Option("--value", help="Print nothing but the value's bytes, to be corrected in a file.")
    ] = False,
) -> None:
    """Show one dead letter: why it failed, its key, its headers and its value."""
    service, number = _place(id_)
    letter = _with_service(call.session.get(service, f"/v1/dead-letters/{number}"))
    if value:
        sys.stdout.buffer.write(_bytes(letter["value_base64"]) or b"")
        sys.stdout.buffer.flush()
        return
    call.show(letter, _letter_text)


@command
def replay(
    call: Call,
    ids: Ids,
    with_: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="Send this value instead of the original.")
    ] = None,
) -> None:
    """Send dead letters back to the topic they came from, byte for byte or with a corrected value."""
    places = [_place(each) for each in ids]
    body: dict[str, Any] = {}
    if with_ is not None:
        if len(places) > 1:
            raise bad_call("cli.dead_letters.with_one")
        body["value_base64"] = base64.b64encode(_content(with_)).decode()
    _decide_all(call, places, "replay", "replayed", body)


@command
def close(call: Call, ids: Ids) -> None:
    """Dispose of dead letters without sending them back."""
    places = [_place(each) for each in ids]
    _decide_all(call, places, "close", "closed", None)


def _decide_all(
    call: Call, places: list[tuple[str, int]], act: str, state: str, body: dict[str, Any] | None
) -> None:
    outcomes = [
        decide(
            call.session,
            service,
            f"/v1/dead-letters/{number}",
            act,
            body,
            name=f"{service}:{number}",
            wanted=lambda letter: bool(letter["state"] == state),
        )
        for service, number in dict.fromkeys(places)
    ]
    conclude(call, outcomes, word("letter_state", state))


def _place(text: str) -> tuple[str, int]:
    form = _ID.fullmatch(text.strip())
    if form is None or (form[1] or "tiering") not in SERVICES:
        raise bad_call("cli.dead_letters.no_id", text=visible(text))
    return form[1] or "tiering", int(form[2])


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > DEAD_LETTER_BYTES:
            raise bad_call("cli.dead_letters.too_large", file=path)
        return path.read_bytes()
    except OSError as problem:
        raise bad_call("cli.unreadable", file=path, why=problem.strerror or problem) from problem


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)


def _list_text(letters: list[dict[str, Any]], with_state: bool) -> str:
    if not letters:
        return phrase("cli.dead_letters.none" if with_state else "cli.dead_letters.none_open")
    return "\n".join(
        f"{letter['id']:<14} {letter['reason']:<15} {letter['topic']}/{letter['partition']}@{_offsets(letter)}"
        f"  {moment(letter['failed_at'])}  {word('letter_state', letter['state']) + '  ' if with_state else ''}"
        f"{shortened(visible(letter['detail']), 100)}"
        for letter in letters
    )


def _letter_text(letter: dict[str, Any]) -> str:
    state = word("letter_state", letter["state"])
    if letter["decided_by"]:
        state += phrase(
            "cli.dead_letters.decided", person=letter["decided_by"], moment=moment(letter["decided_at"])
        )
    key, value = _bytes(letter["key_base64"]), _bytes(letter["value_base64"])
    size = phrase("cli.none") if value is None else phrase("cli.dead_letters.bytes", count=len(value))
    lines = [
        f"{letter['id']}  {state}",
        *lines_of(
            [
                ("cli.dead_letters.reason", f"{letter['reason']}: {letter['detail']}"),
                ("cli.dead_letters.origin", f"{letter['topic']}/{letter['partition']}@{_offsets(letter)}"),
                ("cli.dead_letters.failed_at", moment(letter["failed_at"])),
                ("cli.dead_letters.key", _shown(key)),
                *(
                    ("cli.dead_letters.header", f"{header['name']}: {_shown(_bytes(header['value_base64']))}")
                    for header in letter["headers"]
                ),
                *_further(letter),
                ("cli.dead_letters.value", size),
            ]
        ),
    ]
    if value:
        lines.append(shortened(visible(value.decode("utf-8", "backslashreplace")), _SHOWN_CHARACTERS))
    return "\n".join(lines)


def _further(letter: dict[str, Any]) -> list[tuple[str, str]]:
    """What a letter says that stands for many records, or whose message was too large to be kept whole."""
    lines = []
    if letter.get("records", 1) > 1:
        reasons = [f"{number} {reason}" for reason, number in sorted(letter["reasons"].items())]
        count = phrase("cli.dead_letters.records_of", count=letter["records"], reasons=reasons)
        lines.append(("cli.dead_letters.records", count))
    for part, whole in (letter.get("cut") or {}).items():
        cut = phrase("cli.dead_letters.cut_part", part=part, length=whole["length"], sha256=whole["sha256"])
        lines.append(("cli.dead_letters.cut", cut))
    return lines


def _offsets(letter: dict[str, Any]) -> str:
    first, last = letter["offset"], letter.get("last_offset", letter["offset"])
    return str(first) if first == last else f"{first}-{last}"


def _shown(content: bytes | None) -> str:
    return (
        phrase("cli.none")
        if content is None
        else shortened(visible(content.decode("utf-8", "backslashreplace")), 500)
    )
