"""What is said to the person at the terminal."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Progress and notices go to stderr: stdout carries only a command's result."""
    print(f"keypost: {text}", file=sys.stderr, flush=True)
