"""The catalogue of words: a key has one text in each language, and one thing has one word.

A key names its kind first: `problem.window_held` a refusal's sentence, `tier.gold` a code of the contracts,
`declaration.submitted` a state, `field.amount` a field. Modules below `words` hold the texts, one for each part of the
system; no key stands twice.

A text names the values that it shows: `{unit}` as it is, `{until:instant}` to the minute in Asia/Shanghai, `{day:date}`,
`{amount_fen:yuan}`, `{lines:line}` each code by its word of that kind, `{before:list}`. Several values are joined as the
language joins them.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from shared.kernel.days import SHANGHAI
from shared.kernel.refusals import Named
from shared.texts.language import Language
from shared.texts.words import PARTS

Texts = Mapping[str, tuple[str, str]]
"""Key → (Chinese, English)."""


def united(parts: Iterable[Texts]) -> dict[str, tuple[str, str]]:
    """One catalogue of all parts. Raises ValueError for a key that stands in two."""
    catalogue: dict[str, tuple[str, str]] = {}
    for part in parts:
        twice = catalogue.keys() & part.keys()
        if twice:
            raise ValueError(f"stands in two parts of the catalogue: {', '.join(sorted(twice))}")
        catalogue.update(part)
    return catalogue


CATALOGUE: Final[Texts] = united(PARTS)


def say(key: str, language: Language, **values: Any) -> str:
    """A text with its values filled in. Raises KeyError for a key that does not exist or a value that it lacks."""
    text = CATALOGUE[key][1 if language == "en" else 0]
    return _WRITERS[language].vformat(text, (), values) if values else text


def word(kind: str, code: str, language: Language) -> str:
    """What a code is called; the code itself where it has no word."""
    texts = CATALOGUE.get(f"{kind}.{code}")
    return code if texts is None else texts[1 if language == "en" else 0]


def codes(kind: str) -> tuple[str, ...]:
    """The codes of a kind that have a word, in the order of the catalogue: tiers from the highest to none."""
    return tuple(key.removeprefix(f"{kind}.") for key in CATALOGUE if key.startswith(f"{kind}."))


class _Writer(string.Formatter):
    """Fills values into a text as its language writes them."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, list | tuple):
            return ("、" if self._language != "en" else ", ").join(
                self.format_field(each, format_spec) for each in value
            )
        if isinstance(value, Named):
            return value.en if self._language == "en" else value.zh
        match format_spec, value:
            case "instant", datetime():
                local = value.astimezone(SHANGHAI)
                return f"{local:%Y-%m-%d %H:%M}" if self._language == "en" else f"{local:%Y年%m月%d日 %H:%M}"
            case ("date" | "list" | "", date()):
                return value.isoformat()
            case "yuan", int():
                return f"{'-' if value < 0 else ''}{abs(value) // 100:,}.{abs(value) % 100:02}"
            case ("list" | "", _):
                return str(value)
            case kind, str() if kind.isidentifier():
                return word(kind, value, self._language)
        return format(value, format_spec)


_WRITERS: Final[dict[Language, _Writer]] = {"zh-CN": _Writer("zh-CN"), "en": _Writer("en")}
