"""From a template and what it shows to an answer, with the headers that every page has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlencode

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.reporting.entrypoints.console import formats
from services.reporting.entrypoints.console.directory import Names
from services.reporting.entrypoints.console.forms import Form
from services.reporting.entrypoints.console.rooms import ROOMS
from services.reporting.entrypoints.console.static_files import StaticFiles
from services.reporting.entrypoints.console.visitor import Manner, Visitor, remember_language
from shared.clock import SHANGHAI, Clock
from shared.contracts.claims_v1 import PlanPhase, Stage
from shared.contracts.topics import SERVICES
from shared.kernel.reasons import DEAD_LETTER_REASONS
from shared.problems import Problem, title
from shared.texts import CATALOGUE, Language, say, short, word

TEMPLATES: Final = Path(__file__).resolve().parents[2] / "templates"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing is loaded from anywhere else, and no script or style that stands in a page counts."""

_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

TIERS: Final = tuple(key.removeprefix("tier.") for key in CATALOGUE if key.startswith("tier."))
"""Tiers in the order of their names in `shared/texts/words/terms.py`, highest first; the place is the rank that colours it."""
PLAN_STATES: Final[tuple[str, ...]] = get_args(PlanPhase)
STAGES: Final[tuple[str, ...]] = get_args(Stage)
LETTER_STATES: Final = ("open", "replayed", "closed", "all")
STATUSES: Final = ("active", "retired", "merged", "annulled")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its room, read before the room itself: up to when the views reflect what happened,
    and the names of people and units."""

    as_of: datetime | None = None
    names: Names = field(default_factory=Names)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates. Everything that they print is escaped unless it is markup made here."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "yuan": formats.yuan,
        "yuan_text": formats.yuan_text,
        "fen": formats.fen_of,
        "laid_out": formats.laid_out,
        "count": formats.count,
        "instant": formats.instant,
        "day": formats.day,
        "json": lambda value: orjson.dumps(value, default=str).decode(),
    }
    made.globals |= {
        "share": formats.share,
        "percent": formats.percent,
        "until": formats.until,
        "highlighted": formats.highlighted,
        "shanghai": SHANGHAI,
        # A dot of our own: the middle dot of a Chinese face is as wide as a character.
        "sep": Markup(' <span class="sep" aria-hidden="true"></span> '),
    }
    return made


class Pages:
    """Shows templates to visitors."""

    def __init__(self, files: StaticFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def show(
        self,
        request: Request,
        who: Visitor,
        frame: Frame,
        template: str,
        *,
        status: int | None = None,
        refused: Problem | None = None,
        form: Form | None = None,
        **shown: Any,
    ) -> HTMLResponse:
        """A page for somebody who has signed in. `refused` is told at its top, and `form` fills its fields."""
        if status is None:
            status = 200 if refused is None else refused.status
        language = who.manner.language
        shown |= {
            "who": who,
            "refused": None if refused is None else shown_problem(refused, language),
            "form": form or Form(),
            "as_of": frame.as_of,
            "units": sorted(frame.names.units.items()),
            "person": lambda user: frame.names.person(user, language),
            "people": lambda *users: formats.joined(
                [frame.names.person(user, language) for user in users if user], language
            ),
            "unit": lambda code: frame.names.unit(code, language),
            "mark": getattr(request.state, "mark", ""),
            "rooms": [room for room in ROOMS if who.may(room.operation)],
            "done": _done(request),
        }
        return self._answer(request, who.manner, template, status, shown)

    def plain(
        self, request: Request, manner: Manner, template: str, *, status: int = 200, **shown: Any
    ) -> HTMLResponse:
        """A page for anybody."""
        return self._answer(request, manner, template, status, shown)

    def _answer(
        self, request: Request, manner: Manner, template: str, status: int, shown: Mapping[str, Any]
    ) -> HTMLResponse:
        language = manner.language
        content = (
            environment()
            .get_template(template)
            .render(
                **{
                    "t": partial(_say, language),
                    "w": partial(_word, language),
                    "query_value": lambda name: request.query_params.get(name, ""),
                    "field_name": partial(_field_name, language),
                    "lang": short(language),
                    "html_lang": language,
                    "theme": manner.theme,
                    "static": self._files.url,
                    "now": self._clock.now(),
                    "here": _here(request),
                    "path": request.url.path,
                    "query": _filters(request),
                    "month_names": [word("month", str(month), language) for month in range(1, 13)],
                    "tier_options": _options("tier", TIERS, language),
                    "tier_rank": _rank,
                    "status_options": _options("status", STATUSES, language),
                    "plan_states": _options("plan", PLAN_STATES, language),
                    "stages": _options("stage", STAGES, language),
                    "service_options": _options("service", SERVICES, language),
                    "letter_reasons": _options("letter", DEAD_LETTER_REASONS, language),
                    "letter_states": _options("letter_state", LETTER_STATES, language),
                    "with_query": partial(_with_query, request),
                    "large": lambda fen: formats.large(fen, language),
                    "hours": lambda value: formats.hours(value, language),
                    "joined": lambda parts: formats.joined(parts, language),
                    "named": lambda row, stem="name": named(row, stem, language),
                    **shown,
                }
            )
        )
        answer = HTMLResponse(content, status, _HEADERS)
        remember_language(request, answer)
        return answer


def shown_problem(problem: Problem, language: Language) -> dict[str, Any]:
    """A problem as a page shows it: a sentence, the fields that are wrong, and what to do about it."""
    errors = problem.members.get("errors")
    return {
        "status": problem.status,
        "code": problem.code,
        "title": title(problem.status, language),
        "detail": problem.detail(language),
        "errors": {_field(fault): fault.get("detail") for fault in errors if isinstance(fault, dict)}
        if isinstance(errors, list)
        else {},
        "members": problem.members,
        "advice": word("advice", problem.code, language) if problem.code in _ADVISED else None,
    }


_ADVISED: Final = (
    "changed_meanwhile",
    "window_held",
    "forbidden",
    "out_of_scope",
    "own_request",
    "service_away",
)


def _field(fault: Mapping[str, Any]) -> str:
    """The form's name of the field that an error is about: `/contacts/0/phone` is `contact_phone_0`."""
    steps = str(fault.get("pointer") or fault.get("parameter") or "").strip("/").split("/")
    return f"contact_{steps[2]}_{steps[1]}" if len(steps) == 3 and steps[0] == "contacts" else steps[0]


def named(row: Mapping[str, Any], stem: str, language: Language) -> str:
    """A unit's name in the reader's language, its code where the name has not been told yet."""
    of = stem.removesuffix("name")
    return row.get(f"{stem}_{short(language)}") or row.get(f"{of}code") or row.get("unit_code") or ""


def _options(kind: str, codes: Sequence[str], language: Language) -> list[tuple[str, str]]:
    return [(code, word(kind, code, language)) for code in codes]


def _rank(tier: object) -> str:
    """The rank of a tier for its colour, `other` for one that nobody has named yet."""
    return str(TIERS.index(tier)) if tier in TIERS else "other"


def _field_name(language: Language, name: str) -> str:
    """What a field of a form or a filter of an address is called, a contact's by its number."""
    part, _, place = name.removeprefix("contact_").partition("_")
    if name.startswith("contact_") and place.isdecimal():
        return f"{say('declarations.contact', language, n=int(place) + 1)} {word('contact', part, language)}"
    return word("field", name, language)


def _say(language: Language, key: str, **values: Any) -> str:
    return say(key, language, **values)


def _word(language: Language, kind: str, code: object) -> str:
    return formats.NO_FIGURE if code in (None, "") else word(kind, str(code), language)


def _done(request: Request) -> str | None:
    """The name of the sentence about what was just done; anything else in the address says nothing."""
    asked = request.query_params.get("done", "")
    return asked if asked.isidentifier() and len(asked) <= 40 else None


def _here(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _filters(request: Request) -> str:
    """What the list is narrowed to, as a query: for exports, and to offer that it be cleared."""
    passing = ("cursor", "lang", "done")
    return urlencode(
        [(key, value) for key, value in request.query_params.multi_items() if value and key not in passing]
    )


def _with_query(request: Request, **changes: str | None) -> str:
    """This address with some parameters set, or with None left out."""
    params = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in changes and name != "done" and value
    ]
    params += [(name, value) for name, value in changes.items() if value]
    return request.url.path + (f"?{urlencode(params)}" if params else "")
