"""`make requirements`: which tests prove which requirement. Ids as in the markers `@pytest.mark.req("TIE-7")`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

TITLES = {
    "REG": "declaration|pre-review|48-hour promise|code assignment|delegation|one customer, once|merge and split|relocation|"
    "yearly adjustment|counter-code mapping|shared-code detection|code reconciliation|eight-part file|field catalogue|upkeep|"
    "controlled change|confidentiality|classes|managers A and B|agreements|discounts|credit and arrears|work records|"
    "service level",
    "TIE": "ledger|totals|business day|reversals|unknown code|schemes|same-day promotion|agreement condition|closing a year|"
    "late revenue|quarterly schemes|determinism|scheme change|merge|explain|monitoring lists|monthly import|reconciliation|"
    "attribution|key-account flag|service to subscribers|override|forewarning|batches do not show",
    "CLM": "development plan|review|exclusive window|one at a time|barring others|who goes first|progress|success|expiry|"
    "away from the place of signing|notice|sealed bids|opening and award|standstill|award to window|record|leads|targets|"
    "big projects|town branches|policy-important|durable timers|calendar",
    "REP": "from events alone|fresh|customer 360|overall analysis|individual analysis|lost and at risk|tier movement|top lists|"
    "managers and units|promises kept|use of the system|data quality|monthly bulletin|meetings|export|console|live|pictures|"
    "scope|alerts",
    "PLT": "real engines|effects once|independent services|backpressure|replay|evolution|two commands|compose|cluster|"
    "observability|backup|identity|authorisation|hardening|speed figures",
}
ORDER = [
    (f"{prefix}-{number}", title)
    for prefix, titles in TITLES.items()
    for number, title in enumerate(titles.split("|"), start=1)
]


def table(items: Iterable[pytest.Item]) -> str:
    """Requirement → number of tests and their names, those without a test last."""
    proved: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for marker in item.iter_markers("req"):
            for requirement in marker.args:
                proved[requirement].add(item.nodeid.split("[")[0])
    unknown = sorted(proved.keys() - dict(ORDER).keys())
    assert not unknown, f"markers name requirements that do not exist: {unknown}"
    lines = []
    for requirement, title in ORDER:
        tests = sorted(proved.get(requirement, ()))
        if tests:
            lines.append(f"{requirement:7} {title:32} {len(tests):3} tests")
            lines += [f"{'':12}{name}" for name in tests]
    open_ones = [requirement for requirement, _ in ORDER if not proved.get(requirement)]
    lines.append(
        f"\n{len(ORDER) - len(open_ones)} of {len(ORDER)} requirements have a test; without one: {', '.join(open_ones)}"
    )
    return "\n".join(lines)
