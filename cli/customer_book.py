"""Customers registered as a book of existing ones: what the simulated counters and the demo need before they begin."""

from __future__ import annotations

from typing import Any, Final

from cli.imports import progress
from cli.instance import Session
from cli.words import phrase
from shared.ids import new_id

_ROWS_A_CALL: Final = 500


def load(session: Session, rows: list[dict[str, Any]], name: str, sha256: str) -> list[dict[str, Any]]:
    """What became of each row, in their order. A customer that is there already stays as it is."""
    import_id = new_id()
    results: list[dict[str, Any]] = []
    with progress(phrase("cli.import.customers"), len(rows)) as advance:
        for start in range(0, len(rows), _ROWS_A_CALL):
            some = rows[start : start + _ROWS_A_CALL]
            answer = session.post(
                "registry",
                "/v1/customer-imports",
                {
                    "import_id": import_id,
                    "file_name": name.encode("utf-8", "replace").decode()[:255],
                    "file_sha256": sha256,
                    "rows_total": len(rows),
                    "rows": [{"row": start + place, **row} for place, row in enumerate(some, start=2)],
                },
                headers={"Idempotency-Key": f"{import_id}-{start}"},
            )
            results += answer["results"]
            advance(len(some))
    return results
