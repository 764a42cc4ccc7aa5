"""Junk for every parameter that a service's OpenAPI description names: whatever is sent, the answer is never a 5xx.

For any service: `async for` the answers of `junk_answers`, with the bodies that its commands need to be read at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

JUNK: Final = (
    "%00",
    "a%00b",
    "%FF%FE",
    "%ED%A0%80",
    "%EF%BF%BF",
    "%0A",
    "%25",
    "%5C",
    "'--",
    "NaN",
    "no",
    "-1",
    "0",
    "1.5",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(2**64),
    "9" * 400,
    "0001-01-01",
    "1900-12-31",
    "9999-12-31",
    "2026-02-30",
    "x" * 3_000,
)
"""As it stands in an address, percent-encoded."""
_PLAIN: Final = "1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with junk in one place of it."""

    method: str
    path: str
    place: str
    junk: str
    status: int


async def junk_answers(
    client: httpx.AsyncClient,
    description: Mapping[str, Any],
    headers: Mapping[str, str],
    bodies: Mapping[str, Any],
    prefix: str = "/v1/",
) -> AsyncIterator[Asked]:
    """Every operation below `prefix`, with each of its path and query parameters filled with each piece of junk. `bodies` are
    JSON by path template; without one an empty object is sent."""
    for path, operations in description["paths"].items():
        if not path.startswith(prefix):
            continue
        for method, operation in operations.items():
            for place, address in _addresses(path, operation):
                for junk in JUNK:
                    body = bodies.get(path, {}) if method in ("post", "patch", "put") else None
                    try:
                        answer = await client.request(
                            method, address.replace("\0", junk), headers=dict(headers), json=body
                        )
                    except Exception:
                        yield Asked(method, path, place, junk, 500)
                    else:
                        yield Asked(method, path, place, junk, answer.status_code)


def _addresses(path: str, operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name of each parameter, and an address with a NUL where its junk goes and plain values elsewhere."""
    parameters = [each for each in operation.get("parameters", ()) if each["in"] in ("path", "query")]
    named = [each["name"] for each in parameters if each["in"] == "path"]
    for parameter in parameters:
        here, name = parameter["in"] == "path", parameter["name"]
        address = path
        for each in named:
            address = address.replace(f"{{{each}}}", "\0" if here and each == name else _PLAIN)
        yield name, address if here else f"{address}?{quote(name)}=\0"
