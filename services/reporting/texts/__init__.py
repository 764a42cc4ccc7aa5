"""Everything that the console says, in Chinese and English; the words are those of the rule books.

`TEXTS` maps a key to the two. Keys of one room lie in one module. `word(kind, code)` says a code of the contracts
(`tier.gold`, `line.express`); a code that nobody has named yet is shown as it is.
"""

from __future__ import annotations

from typing import Any, Final

from services.reporting.texts.acts import TEXTS as ACTS
from services.reporting.texts.customers import TEXTS as CUSTOMERS
from services.reporting.texts.dashboard import TEXTS as DASHBOARD
from services.reporting.texts.declarations import TEXTS as DECLARATIONS
from services.reporting.texts.frame import TEXTS as FRAME
from services.reporting.texts.plans import TEXTS as PLANS
from services.reporting.texts.quality import TEXTS as QUALITY
from services.reporting.texts.words import TEXTS as WORDS
from shared.texts import Language

__all__ = ["TEXTS", "Language", "say", "short", "word"]

_PARTS: Final = (FRAME, WORDS, DASHBOARD, CUSTOMERS, DECLARATIONS, PLANS, QUALITY, ACTS)

TEXTS: Final[dict[str, tuple[str, str]]] = {key: texts for part in _PARTS for key, texts in part.items()}


def say(key: str, language: Language, **values: Any) -> str:
    """A text with its values filled in. Raises KeyError for a key that does not exist."""
    text = TEXTS[key][0 if language != "en" else 1]
    return text.format(**values) if values else text


def word(kind: str, code: str, language: Language) -> str:
    """What a code is called; the code itself where it has no name here."""
    texts = TEXTS.get(f"{kind}.{code}")
    return code if texts is None else texts[0 if language != "en" else 1]


def short(language: Language) -> str:
    """The language as names in rows and cookies carry it: `zh` or `en`."""
    return "en" if language == "en" else "zh"
