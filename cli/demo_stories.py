"""The everyday path as several people act it out in a demo, over the same `/v1` paths as anybody.

A story is a generator: it acts, and yields how long it waits (business time) or the instant at which it goes on. What
comes of an act is told by the topics; a refusal, which no topic tells, is told by the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random  # noqa: TID251 -- only the type: the dice come in with the run
from time import monotonic
from typing import Any, Final, TypeVar

from stdnum.cn import uscc

from cli.acts import act, change, create, fetch
from cli.demo_news import Teller
from cli.demo_screen import News
from cli.instance import OPERATOR, Refused, Session
from cli.printable import visible
from cli.simulated.province import Customer, Province
from cli.words import phrase
from shared.clock import SHANGHAI, business_date

T = TypeVar("T")
Wait = timedelta | datetime
Story = Generator[Wait, None, None]

CITY: Final = "3205"
_COUNTY: Final = "320583"
_BUREAU: Final = "3205-express"
_RIVAL_CITY: Final = "3201"
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_TRIES: Final = 24
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class Stage:
    """What the stories have in common."""

    session: Session
    teller: Teller
    tell: Callable[[News], None]
    province: Province
    codes: dict[int, str]
    dice: Random
    tag: str
    """Distinguishes the made-up names of this run from those of another."""
    now: datetime
    """Where the business time of the demo stands."""

    def by(self, user: str) -> Session:
        """A session in which that person asks."""
        return replace(self.session, user=user, began=monotonic())

    def name(self, what: str) -> str:
        return f"演示{self.tag}{what}"

    def credit_code(self) -> str:
        """A credit code of the right form, of nobody."""
        first = f"91320583MA{''.join(self.dice.choice(_ALPHABET) for _ in range(7))}"
        return first + str(uscc.calc_check_digit(first))

    @contextmanager
    def telling_refusals(self, about: str) -> Iterator[None]:
        """A refusal inside is told, and the story goes on."""
        try:
            yield
        except Refused as refused:
            self.tell_refusal(about, refused)

    def tell_refusal(self, about: str, refused: Refused) -> None:
        why = visible(str(refused.problem.get("detail") or refused))
        text = phrase("cli.demo.refused", about=visible(about), why=why)
        code = refused.problem.get("code") or refused.status
        self.tell(
            News(f"{self.now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", text, f"refused.{code}", alarming=True)
        )

    def once_known(self, ask: Callable[[], T]) -> Generator[Wait, None, T]:
        """Ask again, some hours later each time, while a service does not know yet what others were told."""
        for _ in range(_TRIES):
            try:
                return ask()
            except Refused as refused:
                if "unknown" not in str(refused.problem.get("code")):
                    raise
            yield 2 * _HOUR
        return ask()


def stories(stage: Stage) -> list[tuple[timedelta, str, Story]]:
    """All of them, with the time after which each begins and what it is about."""
    return [
        (2 * _HOUR, phrase("cli.demo.story_won"), _won(stage)),
        (3 * _HOUR, phrase("cli.demo.story_overdue"), _overdue(stage)),
        (5 * _HOUR, phrase("cli.demo.story_lost"), _lost(stage)),
        (7 * _HOUR, phrase("cli.demo.story_merged"), _returned_and_merged(stage)),
        (26 * _HOUR, phrase("cli.demo.story_rejected"), _rejected(stage)),
        (4 * _DAY, phrase("cli.demo.story_mapped"), _mapped(stage)),
    ]


def _won(stage: Stage) -> Story:
    """A customer is declared, gets its code, is developed by plan, and signs; another city comes too late."""
    named = stage.name("昆山精密机电有限公司")
    declared = _declare(stage, "manager", named, _COUNTY, ["express", "logistics"], "680000.00")
    yield 2 * _HOUR
    _on(stage, "reviewer-kunshan", declared, "pre-review", decision="pass", comment="情况属实")
    yield 5 * _HOUR
    approved = _on(
        stage, "centre", declared, "decide", decision="approve", manager_a="manager", manager_b="manager-b"
    )
    code = approved["customer_code"]
    yield 18 * _HOUR
    plan = yield from stage.once_known(
        lambda: _file(stage, "manager", _COUNTY, customer_code=code, lines=["express", "logistics"])
    )
    yield 5 * _HOUR
    _on_plan(stage, "centre", plan, "review", decision="register")
    yield 2 * _DAY
    with stage.telling_refusals(phrase("cli.demo.rival_files")):
        _file(stage, "manager-nanjing", _RIVAL_CITY, customer_code=code, lines=["express"])
    for days, stage_name, note in (
        (2, "contact", "拜访采购部"), (5, "proposal", "提交物流方案"), (6, "negotiation", "商定价格"), (5, "trial", "试发一周"),
    ):  # fmt: skip
        yield days * _DAY
        body = {"stage": stage_name, "note": note, "evidence": [f"走访记录 {stage.now:%m-%d}"]}
        _on_plan(stage, "manager", plan, "progress", **body)
        if stage_name == "proposal":
            yield 8 * _HOUR
            _on_plan(stage, "centre", plan, "judge", significant=True, note="进展显著，尽快签约")
    yield 4 * _DAY
    body = {
        "agreement_no": f"DEMO-{stage.tag}-1",
        "signed_on": business_date(stage.session.clock().now()).isoformat(),
        "unit_code": _COUNTY,
    }
    act(stage.by("centre"), "registry", f"/v1/customers/{code}", "agreements", body)


def _overdue(stage: Stage) -> Story:
    """A county's own declaration goes straight to the centre, which lets its 48 hours pass."""
    _declare(stage, "reviewer-kunshan", stage.name("昆山花桥冷链有限公司"), _COUNTY, ["parcels"], "90000.00")
    yield 0 * _HOUR


def _lost(stage: Stage) -> Story:
    """A prospect's window opens and nobody works in it: it ends, and the city that has waited in line gets it."""
    named, credit_code = stage.name("苏州智能装备有限公司"), stage.credit_code()
    prospect = {"uscc": credit_code, "name": named}
    stage.teller.names[f"uscc:{credit_code}"] = named
    plan = _file(stage, "manager", CITY, prospect=prospect, lines=["express"])
    yield 6 * _HOUR
    window = _on_plan(stage, "centre", plan, "review", decision="register")
    yield 3 * _DAY
    waiting = None
    with stage.telling_refusals(phrase("cli.demo.rival_queues")):
        waiting = _file(
            stage, "manager-nanjing", _RIVAL_CITY, prospect=prospect, lines=["express"], queue=True
        )
    if waiting is None:
        return
    yield datetime.fromisoformat(window["settled_at"] or window["ends_at"]) + 6 * _HOUR
    for _ in range(_TRIES):
        path = f"/v1/plans/{waiting['plan_id']}"
        if not fetch(stage.by("centre-nanjing"), "claims", path)[0]["queued"]:
            break
        yield 4 * _HOUR
    _on_plan(stage, "centre-nanjing", waiting, "review", decision="register")


def _returned_and_merged(stage: Stage) -> Story:
    """A declaration comes back for a missing credit code and is handed in again; later it turns out to be a customer
    that was there already, and the two codes become one with three signatures."""
    there = _customer_of(stage, CITY)
    named = there.name.removesuffix("有限公司") if there else stage.name("苏州恒信商贸")
    declared = _declare(stage, "manager-b", named, _BUREAU, ["express"], "150000.00", uscc=None)
    yield 3 * _HOUR
    _on(stage, "reviewer", declared, "pre-review", decision="pass")
    yield 4 * _HOUR
    _on(stage, "centre", declared, "decide", decision="return", comment="请补充统一社会信用代码")
    yield 20 * _HOUR
    path = f"/v1/declarations/{declared['id']}"
    change(
        stage.by("manager-b"),
        "registry",
        path,
        {"uscc": stage.credit_code(), "address": "苏州市姑苏区人民路1号"},
    )
    _on(stage, "manager-b", declared, "submit", comment="已补充")
    yield 5 * _HOUR
    approved = _on(stage, "centre", declared, "decide", decision="approve")
    if there is None:
        return
    yield 9 * _DAY
    body = {
        "survivor": stage.codes[there.number],
        "alias": approved["customer_code"],
        "reason": "同一企业重复注册",
    }
    proposed = create(stage.by("steward"), "registry", "/v1/merges", body)
    for approver in ("approver", "approver-business", "approver-supervision"):
        yield 7 * _HOUR
        act(stage.by(approver), "registry", f"/v1/merges/{proposed['id']}", "sign", {"comment": "同意合并"})


def _rejected(stage: Stage) -> Story:
    """Nanjing's own centre rejects what a bureau of the city has passed."""
    declared = _declare(
        stage, "manager-nanjing", stage.name("南京个体经营户"), _RIVAL_CITY, ["letters"], "2000.00"
    )
    yield 4 * _HOUR
    _on(stage, "reviewer-nanjing", declared, "pre-review", decision="pass")
    yield 5 * _HOUR
    _on(stage, "centre-nanjing", declared, "decide", decision="reject", comment="不属于大客户范围")


def _mapped(stage: Stage) -> Story:
    """Now and then a steward maps the counter's code behind which most is held; some are left as they are.

    Simulated outlets stand in no organisation, so that what their codes mean is for the steward of the root to say."""
    for _ in range(4):
        known = stage.province.local_codes
        waiting = [
            (count, code)
            for code, count in stage.teller.held.items()
            if count > 0
            and code in known
            and known[code].unit_code.startswith(CITY)
            and known[code].number in stage.codes
        ]
        if waiting:
            _count, code = max(waiting)
            body = {"code": code, "customer_code": stage.codes[known[code].number]}
            with stage.telling_refusals(phrase("cli.demo.mapping", code=code)):
                create(stage.by(OPERATOR), "registry", "/v1/counter-codes", body)
        yield 5 * _DAY


# Acts
# --------------------------------------------------------------------------------------------------------


def _declare(
    stage: Stage, user: str, name: str, unit: str, lines: list[str], revenue: str, uscc: str | None = ""
) -> dict[str, Any]:
    """`uscc` None leaves the credit code out; by default one is made up."""
    body = {
        "name": name, "uscc": stage.credit_code() if uscc == "" else uscc, "unit_code": unit, "expected_lines": lines,
        "expected_yearly_revenue": revenue, "submit": True,
    }  # fmt: skip
    return create(stage.by(user), "registry", "/v1/declarations", body)


def _on(stage: Stage, user: str, declared: dict[str, Any], verb: str, /, **body: Any) -> dict[str, Any]:
    return act(stage.by(user), "registry", f"/v1/declarations/{declared['id']}", verb, body)


def _file(stage: Stage, user: str, unit: str, /, **body: Any) -> dict[str, Any]:
    plan = {
        "unit_code": unit, "kind": "regular", "plan_text": "上门走访，按其发货量设计专属方案。", "manager_a": user,
        "expected_yearly_revenue": "300000.00", "expected_margin": "45000.00", "submit": True, **body,
    }  # fmt: skip
    return create(stage.by(user), "claims", "/v1/plans", plan)


def _on_plan(stage: Stage, user: str, plan: dict[str, Any], verb: str, /, **body: Any) -> dict[str, Any]:
    return act(stage.by(user), "claims", f"/v1/plans/{plan['plan_id']}", verb, body)


def _customer_of(stage: Stage, city: str) -> Customer | None:
    """A registered customer of that city, without an agreement if there is one: merging then changes least."""
    found = [
        customer
        for customer in stage.province.customers
        if customer.unit_code.startswith(city) and customer.number in stage.codes
    ]
    return min(found, key=lambda customer: (customer.agreement, customer.number), default=None)
