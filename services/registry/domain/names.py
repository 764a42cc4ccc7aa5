"""Two normal forms of a customer's name.

`identity_key` only undoes how a name was typed (width, case, blanks, kinds of brackets): two rows of a
file with the same key and unit are the same customer. `similarity_key` also drops legal forms and
branches (REG-6): customers that share it may be one, and are listed for a person to look at, never
rejected.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_LENGTH_MAX: Final = 200

_BRACKETS: Final = str.maketrans(
    {**dict.fromkeys("[{<〔【〈《「『｢", "("), **dict.fromkeys("]}>〕】〉》」』｣", ")")}
)
_BLANK: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_PUNCTUATION: Final = re.compile(r"[()·•・'\"‘’“”`´,，、.。．\-_‐-―－&＆]+")

_LEGAL_FORMS: Final = (
    "股份有限责任公司", "股份有限公司", "有限责任公司", "有限责任", "有限公司", "集团公司", "股份公司",
    "总公司", "公司", "集团", "股份", "有限",
    "coltd", "companylimited", "limited", "ltd", "inc", "corporation", "corp", "llc", "gmbh",
)  # fmt: skip
_BRANCH: Final = re.compile(
    r"^(.*?公司).{1,40}?(?:分公司|分店|分部|分行|支行|营业部|办事处|经营部|分厂|门市部)$"
)


def _once(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _BLANK.sub("", folded.translate(_BRACKETS))


def identity_key(name: str) -> str:
    """The name without the accidents of typing. Applying it again changes nothing."""
    key = _once(name)
    # Removing a character can bring together what then combines, so the form is taken until it rests.
    while (again := _once(key)) != key:
        key = again
    return key


def similarity_key(name: str) -> str:
    """The name without typing, punctuation, legal form and branch; never empty for a name that has
    any letter."""
    key = identity_key(name)
    core = identity_key(_PUNCTUATION.sub("", key))
    if branch := _BRANCH.match(core):
        core = branch[1]
    while form := next((f for f in _LEGAL_FORMS if core.endswith(f) and len(core) > len(f)), None):
        core = core[: -len(form)]
    return core or key


def clean_name(text: str) -> str | None:
    """A name as it is stored (NFC, blanks at the ends removed, inner runs of blanks made one), or
    None if it is none."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable() or not identity_key(name):
        return None
    return name
