"""A small stream of made-up transactions for `keypost demo`: finite, seeded, and marked as simulated throughout.

It does what real counters do: most sales arrive on their day, some days late; some arrive twice, some are taken back,
and some carry a mistyped code or one that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random  # noqa: TID251 -- a seeded generator of its own, whose stream the user can have again
from typing import Any, Final

from cli.played_stream import Step
from cli.transaction_rows import event
from shared.contracts.counter_v1 import LINES
from shared.money import format_yuan

CUSTOMERS: Final = 36
OUTLETS: Final = 24
_EVENTS_A_DAY: Final = (40, 80)
_LEAST_FEN: Final = 200_000
_MOST_FEN: Final = 150_000_000
"""What the smallest and the largest customer spend while the stream lasts."""
_LATE, _TWICE, _REVERSED, _MISTYPED, _UNKNOWN = 0.03, 0.02, 0.02, 0.01, 0.005


@dataclass(frozen=True, slots=True)
class Simulation:
    """The stream of one run: the days before `last`, and `last` itself."""

    run: str
    seed: int
    last: date
    days: int
    codes: Sequence[str]
    """Codes of the customers that were registered for this run."""
    closes_years: bool = False
    """Made-up revenue is no reason to close a year of an instance that may hold other revenue too."""

    @property
    def label(self) -> str:
        return f"simulated stream (seed {self.seed})"

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    def steps(self) -> Iterator[Step]:
        """One step a day."""
        dice = Random(self.seed)  # noqa: S311
        targets = _targets(dice, self.codes)
        again: dict[date, list[dict[str, Any]]] = {}
        sales: list[dict[str, Any]] = []
        number = 0
        for passed in range(self.days):
            on = self.first + timedelta(days=passed)
            items: list[Any] = again.pop(on, [])
            for _ in range(dice.randint(*_EVENTS_A_DAY)):
                number += 1
                made = self._reversal(dice, number, on, sales) or self._sale(dice, number, on, targets)
                items.append(made)
                if made["data"]["kind"] == "sale":
                    sales.append(made)
                if dice.random() < _TWICE:
                    again.setdefault(on + timedelta(days=dice.randint(0, 5)), []).append(made)
            items += again.pop(on, [])
            yield Step(on, min(on + timedelta(days=1), self.last), items)

    def _sale(self, dice: Random, number: int, on: date, targets: Sequence[int]) -> dict[str, Any]:
        place = dice.randrange(len(self.codes))
        code = self.codes[place]
        chance = dice.random()
        if chance < _MISTYPED:
            digit = dice.randrange(len(code))
            code = f"{code[:digit]}{(int(code[digit], 36) + 1) % 10}{code[digit + 1 :]}"
        elif chance < _MISTYPED + _UNKNOWN:
            code = f"OLD-{dice.randint(1, 40)}"
        late = dice.randint(3, 25) if dice.random() < _LATE else 0
        usual = targets[place] * len(self.codes) // (self.days * sum(_EVENTS_A_DAY) // 2)
        fen = max(100, int(usual * dice.uniform(0.2, 1.8)))
        line = list(LINES)[(place + dice.choice((0, 0, 0, 1, 2, 5))) % len(LINES)]
        return self._event(dice, number, on, on - timedelta(days=late), code, line, "sale", fen)

    def _reversal(
        self, dice: Random, number: int, on: date, sales: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Takes back a sale whole, each sale once."""
        if not sales or dice.random() >= _REVERSED:
            return None
        sale = sales.pop(dice.randrange(len(sales)))
        said = sale["data"]
        fen = int(said["amount"].replace(".", ""))
        code, line = said["customer_code"], said["line"]
        return self._event(dice, number, on, on, code, line, "reversal", fen, reverses=sale["id"])

    def _event(
        self, dice: Random, number: int, on: date, business_date: date, code: str, line: str, kind: str, fen: int,
        reverses: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        data = {
            "customer_code": code,
            "counter_id": f"SIM-{dice.randint(1, OUTLETS):02d}",
            "line": line,
            "kind": kind,
            "amount": format_yuan(fen),
            "occurred_at": f"{on}T{dice.randint(9, 17):02d}:{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}+08:00",
            "business_date": business_date.isoformat(),
            "product": "simulated",
            "reverses": reverses,
        }
        return event(f"{number:06d}", f"/simulated/{self.run}", data)


def _targets(dice: Random, codes: Sequence[str]) -> list[int]:
    """What each customer spends in all, in fen: from small to large in equal proportions."""
    steps = max(len(codes) - 1, 1)
    targets = [int(_LEAST_FEN * (_MOST_FEN / _LEAST_FEN) ** (place / steps)) for place in range(len(codes))]
    dice.shuffle(targets)
    return targets
