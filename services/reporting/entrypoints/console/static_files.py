"""Style and scripts: each at an address with the hash of its content, so that a browser keeps it for ever and sees a new
one at once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.problems import NotFound, Problem

FOLDER: Final = Path(__file__).resolve().parents[2] / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HASH_LENGTH: Final = 12
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    name: str
    digest: str
    media_type: str
    content: bytes
    zipped: bytes


class StaticFiles:
    """Everything in the folder that a page may load, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: dict[str, StaticFile] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _TYPES:
                content = path.read_bytes()
                name = path.relative_to(folder).as_posix()
                digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
                zipped = gzip.compress(content, 6, mtime=0)
                self._files[name] = StaticFile(name, digest, _TYPES[path.suffix], content, zipped)

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for a file that is not there: a template is wrong then."""
        return f"/static/{self._files[name].digest}/{name}"

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> StaticFiles:
        """The console's own, compressed once in a process."""
        return cls()

    def get(self, name: str) -> StaticFile | None:
        return self._files.get(name)


router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name:path}")
async def static(request: Request, digest: str, name: str) -> Response:
    file = StaticFiles.shipped().get(name)
    if file is None:
        raise Problem(NotFound())
    # An address with an old hash, from a page opened before an upgrade, gets the file of today; only the true address is
    # kept for ever.
    headers = {
        "cache-control": _FOR_EVER if digest == file.digest else "no-cache",
        "x-content-type-options": "nosniff",
        "vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            file.zipped, headers={**headers, "content-encoding": "gzip"}, media_type=file.media_type
        )
    return Response(file.content, headers=headers, media_type=file.media_type)
