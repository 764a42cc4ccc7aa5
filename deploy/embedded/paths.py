"""Where this checkout lies, and the environment that the launcher made for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RUNTIME: Final = Path(os.environ.get("KEYPOST_RUNTIME", ROOT / ".runtime"))
