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

from cli.decisions import conclude, decide
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language
from cli.printable import moment, shortened, visible
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


def list_(
    service: Annotated[
        str | None, typer.Option("--service", metavar="S", help="Only this service's.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those replayed or closed.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List the dead letters of every service, in the order of failing; --json prints all as one array."""
    session = open_session(data, user, timeout)
    if service is not None and service not in session.services:
        raise CommandError(
            f"there is no service {service!r}; there are {', '.join(session.services)}", Exit.BAD_CALL
        )
    letters = [
        letter
        for name in ((service,) if service is not None else session.services)
        for letter in listed(session, name, "all" if all_ else "open")
    ]
    show(letters, json_, lambda: _list_text(letters, all_))


def listed(session: Session, service: str, state: str) -> list[dict[str, Any]]:
    """All dead letters of a service in one state, through every page; `id` carries the service's name."""
    found: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = session.get(
            service,
            "/v1/dead-letters",
            params={"state": state, "after": after, "limit": _PAGE},
            headers=accept_language(),
        )
        found += [_named(letter) for letter in page["items"]]
        if not page["more"]:
            return found
        after = page["next"]


def _named(letter: dict[str, Any]) -> dict[str, Any]:
    return {**letter, "id": f"{letter['service']}:{letter['id']}", "number": letter["id"]}


def show_one(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Such as tiering:12.")],
    value: Annotated[
        bool, typer.Option("--value", help="Print nothing but the value's bytes, to be corrected in a file.")
    ] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Show one dead letter: why it failed, its key, its headers and its value."""
    service, number = _place(id_)
    session = open_session(data, user, timeout)
    letter = _named(session.get(service, f"/v1/dead-letters/{number}", headers=accept_language()))
    if value:
        sys.stdout.buffer.write(_bytes(letter["value_base64"]) or b"")
        sys.stdout.buffer.flush()
        return
    show(letter, json_, lambda: _letter_text(letter))


def replay(
    ids: Ids,
    with_: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="Send this value instead of the original.")
    ] = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Send dead letters back to the topic they came from, byte for byte or with a corrected value."""
    places = [_place(each) for each in ids]
    body: dict[str, Any] = {}
    if with_ is not None:
        if len(places) > 1:
            raise CommandError(
                "--with takes the value of one dead letter, and several are named", Exit.BAD_CALL
            )
        body["value_base64"] = base64.b64encode(_content(with_)).decode()
    _decide_all(open_session(data, user, timeout), places, "replay", "replayed", body, json_)


def close(
    ids: Ids,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Dispose of dead letters without sending them back."""
    places = [_place(each) for each in ids]
    _decide_all(open_session(data, user, timeout), places, "close", "closed", None, json_)


def _decide_all(
    session: Session,
    places: list[tuple[str, int]],
    act: str,
    state: str,
    body: dict[str, Any] | None,
    as_json: bool,
) -> None:
    outcomes = [
        decide(
            session,
            service,
            f"/v1/dead-letters/{number}",
            act,
            body,
            name=f"{service}:{number}",
            wanted=lambda letter: bool(letter["state"] == state),
        )
        for service, number in dict.fromkeys(places)
    ]
    conclude(outcomes, state, as_json)


def _place(text: str) -> tuple[str, int]:
    form = _ID.fullmatch(text.strip())
    if form is None or (form[1] or "tiering") not in SERVICES:
        raise CommandError(f"{text!r} is no dead letter's id: write tiering:12", Exit.BAD_CALL)
    return form[1] or "tiering", int(form[2])


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > DEAD_LETTER_BYTES:
            raise CommandError(f"{path} is larger than a record may be", Exit.BAD_CALL)
        return path.read_bytes()
    except OSError as problem:
        raise CommandError(
            f"{path} cannot be read: {problem.strerror or problem}", Exit.BAD_CALL
        ) from problem


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)


def _list_text(letters: list[dict[str, Any]], with_state: bool) -> str:
    if not letters:
        return "no dead letters" if with_state else "no open dead letters"
    return "\n".join(
        f"{letter['id']:<14} {letter['reason']:<15} {letter['topic']}/{letter['partition']}@{_offsets(letter)}"
        f"  {moment(letter['failed_at'])}  {letter['state'] + '  ' if with_state else ''}"
        f"{shortened(visible(letter['detail']), 100)}"
        for letter in letters
    )


def _letter_text(letter: dict[str, Any]) -> str:
    decided = f" by {letter['decided_by']} at {moment(letter['decided_at'])}" if letter["decided_by"] else ""
    key, value = _bytes(letter["key_base64"]), _bytes(letter["value_base64"])
    lines = [
        f"{letter['id']}  {letter['state']}{decided}",
        f"reason     {letter['reason']}: {visible(letter['detail'])}",
        f"came from  {letter['topic']}, partition {letter['partition']}, offset {_offsets(letter)}",
        f"failed at  {moment(letter['failed_at'])}",
        f"key        {_shown(key)}",
    ]
    lines += [
        f"header     {visible(header['name'])}: {_shown(_bytes(header['value_base64']))}"
        for header in letter["headers"]
    ]
    if letter.get("records", 1) > 1:
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(letter["reasons"].items()))
        lines.append(f"stands for {letter['records']} records: {reasons}")
    lines += [
        f"cut        the {part} had {whole['length']} bytes, SHA-256 {whole['sha256']}; what follows is its beginning"
        for part, whole in (letter.get("cut") or {}).items()
    ]
    lines.append(f"value      {'none' if value is None else f'{len(value)} bytes'}")
    if value:
        lines.append(shortened(visible(value.decode("utf-8", "backslashreplace")), _SHOWN_CHARACTERS))
    return "\n".join(lines)


def _offsets(letter: dict[str, Any]) -> str:
    first, last = letter["offset"], letter.get("last_offset", letter["offset"])
    return str(first) if first == last else f"{first}-{last}"


def _shown(content: bytes | None) -> str:
    return "none" if content is None else shortened(visible(content.decode("utf-8", "backslashreplace")), 500)
