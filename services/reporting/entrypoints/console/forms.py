"""Forms that do something: proved to be ours, read as text, and done once however often they are sent."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from services.reporting.domain.refusals import StaleForm, UnreadableForm
from services.reporting.entrypoints.console.visitor import Visitor, refuse_other_sites
from shared.ids import new_id
from shared.problems import Problem

FORM_TOKEN: Final = "form_token"  # noqa: S105 - a field's name.
FORM_KEY: Final = "form_key"

_FIELDS_MAX: Final = 200
_KEY_LENGTH_MAX: Final = 64

_UNKNOWN_OUTCOME: Final = (502, 503, 504)
"""Answers after which the command may or may not have been done: it is sent again under the same key."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a person typed; kept to be shown again where it was refused."""

    values: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    key: str = field(default_factory=new_id)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field that can have several (ticked boxes)."""
        return self.many.get(name, ())

    def given(self, *names: str) -> dict[str, Any]:
        """The fields that were filled in, as a command's body has them; an empty field is none."""
        return {name: self.values[name] for name in names if self.values.get(name)}

    def after(self, refused: Problem) -> Form:
        """The same form to be sent again. A refusal is final, so the next try is a new command; where nobody knows
        whether it was done, it stays the same one."""
        if refused.status in _UNKNOWN_OUTCOME:
            return self
        return Form(self.values, self.many)


async def own_form(request: Request, who: Visitor) -> Form:
    """The form of this request. Raises the problem 403 `other_site` or `stale_form`, 400 for what is no form."""
    refuse_other_sites(request)
    form = await read_form(request)
    if not hmac.compare_digest(form[FORM_TOKEN].encode(), who.form_token.encode()):
        raise Problem(StaleForm())
    return form


async def read_form(request: Request) -> Form:
    """The fields as text, without blanks around them. Raises the problem 400 `bad_request`."""
    try:
        async with request.form(max_files=0, max_fields=_FIELDS_MAX) as content:
            pairs = [(name, value.strip()) for name, value in content.multi_items() if isinstance(value, str)]
    except HTTPException:
        pairs = [("", "\x00")]
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise Problem(UnreadableForm())
    many: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        many[name] = (*many.get(name, ()), value)
    key = many.get(FORM_KEY, ("",))[-1]
    values = {name: given[-1] for name, given in many.items()}
    return Form(values, many, key if 0 < len(key) <= _KEY_LENGTH_MAX else new_id())


def seen(path: str, done: str | None = None, **more: str) -> RedirectResponse:
    """On to the page that shows what was done, so that reloading it does nothing twice. `done` names the sentence."""
    query = {name: value for name, value in {"done": done, **more}.items() if value}
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


def path_of(*steps: object) -> str:
    """An address out of steps; what comes from outside cannot leave its step."""
    return "/" + "/".join(quote(str(step), safe="") for step in steps)
