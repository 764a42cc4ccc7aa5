"""The parts of the catalogue. A new part is added to `PARTS`; where a key belongs is said in the parts' docstrings."""

from typing import Final

from shared.texts.words.cli import TEXTS as CLI
from shared.texts.words.fields import TEXTS as FIELDS
from shared.texts.words.problems import TEXTS as PROBLEMS
from shared.texts.words.problems_claims import TEXTS as PROBLEMS_CLAIMS
from shared.texts.words.terms import TEXTS as TERMS

PARTS: Final = (PROBLEMS, PROBLEMS_CLAIMS, FIELDS, TERMS, CLI)
