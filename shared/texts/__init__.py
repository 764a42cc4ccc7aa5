"""Everything that people read, in the two languages: one catalogue by key, and which language is asked for.

Console, problems, command line, exports and documents take their words from here; the words are those of the rule books.
"""

from shared.texts.catalogue import CATALOGUE, codes, say, word
from shared.texts.language import DEFAULT_LANGUAGE, Language, language_of, short

__all__ = ["CATALOGUE", "DEFAULT_LANGUAGE", "Language", "codes", "language_of", "say", "short", "word"]
