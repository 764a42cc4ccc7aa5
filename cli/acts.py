"""What the everyday acts have in common: resources read afresh, acts upon them, lists through every page.

An act upon what others may have changed says which version it means (`If-Match`). The version is that of a read just
before, unless the user names the one that was looked at; what changed in between is then refused, not overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from cli.command import bad_call, one_of
from cli.instance import Refused, Session
from cli.words import phrase
from shared.clock import business_date
from shared.kernel.lines import LINES, Line
from shared.money import parse_yuan

_PAGE: Final = 500

Unit = Annotated[
    str | None, typer.Option("--unit", metavar="U", help="For which unit. Default: that of the user.")
]
UnderUnit = Annotated[
    str | None, typer.Option("--unit", metavar="U", help="Only this unit's and those below it.")
]
Lines = Annotated[
    list[str] | None,
    typer.Option(
        "--line",
        metavar="LINE",
        help=f"{', '.join(LINES)}; may be given several times.",
        parser=one_of(Line),
    ),
]
Revenue = Annotated[
    str | None, typer.Option("--revenue", metavar="YUAN", help="Expected revenue a year, such as 120000.00.")
]
ManagerA = Annotated[str | None, typer.Option("--manager-a", metavar="USER", help="Manager A (A角).")]
ManagerB = Annotated[str | None, typer.Option("--manager-b", metavar="USER", help="Manager B (B角).")]
Uscc = Annotated[
    str | None, typer.Option("--uscc", metavar="CODE", help="Unified social credit code, 18 characters.")
]
Version = Annotated[
    int | None,
    typer.Option(
        "--version-seen", metavar="N", min=1, help="Refuse where it is no longer at this version, as shown."
    ),
]


def segment(text: str) -> str:
    """A name as one step of a path."""
    return quote(text.strip(), safe="")


def fetch(session: Session, service: str, path: str) -> tuple[dict[str, Any], str]:
    """A resource as it is now, and its entity tag."""
    response = session.request("GET", service, path)
    found: dict[str, Any] = response.json()
    return found, response.headers.get("etag") or f'"{found["version"]}"'


def create(session: Session, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """POST something new; members without a value are left out."""
    made: dict[str, Any] = session.post(service, path, given(body))
    return made


def act(
    session: Session,
    service: str,
    path: str,
    verb: str,
    body: Mapping[str, Any],
    *,
    version: int | None = None,
) -> dict[str, Any]:
    """POST an act upon a resource, for its present version or for the one named. Answers the resource as it now is."""
    tag = fetch(session, service, path)[1] if version is None else f'"{version}"'
    done: dict[str, Any] = session.post(service, f"{path}/{verb}", given(body), headers={"If-Match": tag})
    return done


def change(
    session: Session, service: str, path: str, body: Mapping[str, Any], *, version: int | None = None
) -> dict[str, Any]:
    """PATCH some members. Where an answer was lost the repetition is refused, and what the resource then shows says
    whether it was our own change that came first."""
    tag = fetch(session, service, path)[1] if version is None else f'"{version}"'
    wanted = given(body)
    try:
        changed: dict[str, Any] = session.request(
            "PATCH", service, path, json=wanted, headers={"If-Match": tag}
        ).json()
    except Refused as refused:
        if refused.status != 412:
            raise
        now = fetch(session, service, path)[0]
        if any(now.get(name) != value for name, value in wanted.items()):
            raise
        return now
    return changed


def everything(session: Session, service: str, path: str, **asked: Any) -> list[dict[str, Any]]:
    """All items of a list, through every page; filters without a value are left out."""
    return list(_items(session, service, path, {**given(asked), "limit": _PAGE}))


def _items(session: Session, service: str, path: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        page = session.get(service, path, params=asked)
        yield from page["items"]
        if page.get("next_cursor") is None:
            return
        asked = {**asked, "cursor": page["next_cursor"]}


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in values.items() if value is not None}


# What people type
# -------------------------------------------------------------------------------------------------------


def needed(text: str | None, what: str) -> str:
    """Text that must not be blank; `what` is the key of its name. Raises CommandError."""
    if not (text or "").strip():
        raise bad_call("cli.needed", what=phrase(what))
    return (text or "").strip()


def day(text: str | None, option: str) -> str | None:
    """A date of the calendar. Raises CommandError."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as problem:
        raise bad_call("cli.no_day", option=option, text=text) from problem


def yuan(text: str | None, option: str) -> str | None:
    """An amount in yuan. Raises CommandError."""
    if text is None:
        return None
    try:
        parse_yuan(text)
    except ValueError as problem:
        raise bad_call("cli.no_yuan", option=option, text=text) from problem
    return text


def lines(chosen: list[str] | None) -> list[str] | None:
    """The lines named, each once."""
    return list(dict.fromkeys(chosen)) if chosen else None


def today(session: Session) -> str:
    """The business date of the instance's clock."""
    return business_date(session.clock().now()).isoformat()
