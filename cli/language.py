"""The language a command speaks with its user: what `KEYPOST_LANGUAGE` says, else that of the locale."""

from __future__ import annotations

import os
from collections.abc import Mapping

from shared.texts import Language

_VARIABLES = ("KEYPOST_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def language(environment: Mapping[str, str] | None = None) -> Language:
    """Chinese where the first of the variables that says anything begins with zh, else English."""
    known = os.environ if environment is None else environment
    wanted = next((known[name] for name in _VARIABLES if known.get(name)), "")
    return "zh-CN" if wanted.lower().startswith("zh") else "en"
