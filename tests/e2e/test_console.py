"""The console as people use it: a real browser on a running instance, every room, several roles, both languages, light and
dark, desk and phone."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.packages import chromium
from tests.support.browser import Browsers, Person, browsing
from tests.support.instance import Instance
from tests.support.people import CENTRE, COUNTY_REVIEWER, MANAGER, OPERATOR, credit_code
from tests.support.streams import Record

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.req("REP-16"),
    pytest.mark.skipif(
        chromium() is None,
        reason="no Chromium: install it (make setup as root does), or name it in KEYPOST_CHROMIUM",
    ),
]

ROOMS = (
    "/",
    "/customers",
    "/declarations",
    "/merges",
    "/plans",
    "/windows",
    "/cases",
    "/suspense",
    "/dead-letters",
    "/freshness",
)
LOCAL_CODE = "CONSOLE-17"
CUSTOMERS = 14
NUMBER = 77_000_000
"""Credit codes and customer codes of these tests begin here; nobody else on the instance has them."""


@dataclass
class Desk:
    """The instance with something to see, and browsers before it."""

    instance: Instance
    browsers: Browsers
    tokens: dict[str, str]
    held: int = 0

    def token(self, user: str) -> str:
        if user not in self.tokens:
            self.tokens[user] = self.instance.token(user)
        return self.tokens[user]

    def sell(self, code: str, yuan: str, id: str, day: str = "2026-03-09") -> None:
        data = {"customer_code": code, "counter_id": "32050001", "line": "express", "kind": "sale", "amount": yuan,
                "occurred_at": f"{day}T09:00:00+08:00", "pieces": 3}  # fmt: skip
        event = {"specversion": "1.0", "id": id, "source": "/counters/console",
        "type": "keypost.counter.transaction.v1",
                 "time": f"{day}T09:00:00+08:00", "data": data}  # fmt: skip
        status, answer = self.instance.call(
            "tiering", "POST", "/v1/transactions", [event], self.token(OPERATOR)
        )
        assert status == 200 and answer["accepted"] == 1, answer


def assert_none(problems: list[str]) -> None:
    assert not problems, "\n".join(problems)


def code_of(number: int) -> str:
    return f"3205{NUMBER + number:09d}"


@pytest.fixture(scope="module")
def desk(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    seed(instance, tmp_path_factory.mktemp("console"))
    with browsing(f"http://127.0.0.1:{instance.ports['reporting']}") as browsers:
        yield Desk(instance, browsers, {})


def seed(instance: Instance, folder: Path) -> None:
    """A small book: customers of two cities with agreements and revenue, a code that nobody knows, a broken message."""
    kinds = ("丝绸织造", "精密机械", "跨境电商", "图书发行", "医药连锁", "光电科技", "旅游集团")
    columns = "name customer_code unit_code kind agreement_no agreement_signed_on manager_a"
    customers = [columns.split()]
    sales = [["id", "customer_code", "line", "kind", "amount", "business_date", "pieces"]]
    for number in range(CUSTOMERS):
        unit = ("3205", "320583", "3205-express", "3201")[number % 4]
        signed = [f"XY-CON-{number}", "2026-01-05"] if number % 5 else ["", ""]
        manager = "manager-nanjing" if unit == "3201" else MANAGER
        name = f"控制台{kinds[number % 7]}{number}号有限公司"
        customers.append([name, code_of(number), unit, "active", *signed, manager])
        for month in (1, 2, 3):
            for line in ("express", "letters", "parcels")[: 1 + number % 3]:
                yuan = f"{(number + 1) ** 3 * 90 + month * 37}.50"
                sales.append(
                    [f"con-{len(sales)}", code_of(number), line, "sale", yuan, f"2026-0{month}-05", "12"]
                )
    sales += [
        [f"con-held-{n}", LOCAL_CODE, "express", "sale", f"{800 + n}.00", "2026-03-02", ""] for n in range(4)
    ]
    for name, rows in (("customers", customers), ("transactions", sales)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows(rows)
        instance.must("import", name, str(folder / f"{name}.csv"))
    broken = Record(b"console", b'{"this is": "no event"', (), None)  # type: ignore[arg-type]
    instance.publish([broken])
    instance.idle()


def test_somebody_signs_in_with_a_token_and_is_told_how_to_get_one(desk: Desk) -> None:
    with desk.browsers.person(None, "zh") as person:
        person.open("/customers")
        assert "/sign-in" in person.page.url
        problems = person.look("sign-in-zh")
        assert "keypost token --user" in person.page.inner_text("main")
        person.fill(token="nonsense")
        person.press("登录")
        assert "令牌无效" in person.page.inner_text("main [role=alert]")
        person.fill(token=desk.token(CENTRE))
        person.press("登录")
        assert person.page.url.endswith("/customers")
        assert_none(problems + person.said)


@pytest.mark.parametrize(
    ("user", "language", "phone", "dark"),
    [
        (OPERATOR, "zh", False, False),
        (CENTRE, "en", False, True),
        (MANAGER, "zh", True, False),
        ("approver", "en", True, True),
    ],
)
def test_every_room_can_be_entered_read_and_left(
    desk: Desk, user: str, language: str, phone: bool, dark: bool
) -> None:
    problems: list[str] = []
    with desk.browsers.person(
        desk.token(user), language, phone=phone, color_scheme="dark" if dark else "light"
    ) as person:
        person.open("/")
        rooms = person.page.eval_on_selector_all(
            "#nav a", "links => links.map(link => link.getAttribute('href'))"
        )
        assert set(rooms) <= set(ROOMS) and len(rooms) >= 5
        for path in [*rooms, *inner_pages(person)]:
            assert person.open(path) == 200, path
            person.page.wait_for_selector("#live-state[data-state=live]")
            name = path.strip("/").replace("/", "-").partition("?")[0] or "dashboard"
            problems += person.look(
                f"{user}-{language}-{'phone' if phone else 'desk'}-{re.sub('[0-9a-f-]{36}', 'one', name)}"
            )
        assert_none(problems + person.said)


def inner_pages(person: Person) -> list[str]:
    """One page of each kind behind the lists, and the forms, as far as this person sees any."""
    found = []
    for path in ("/customers", "/suspense", "/dead-letters"):
        if person.open(path) == 200:
            link = person.page.locator("tbody th a").first
            if link.count():
                found.append(link.get_attribute("href") or "/")
    if (
        person.page.locator("#nav a[href='/declarations']").count()
        and person.open("/declarations/new") == 200
    ):
        found += ["/declarations/new", "/plans/new"]
    return found


@pytest.mark.req("REG-1", "REG-2", "REG-6", "CLM-1", "CLM-2", "CLM-4", "CLM-8")
def test_a_customer_is_declared_decided_developed_and_won_by_people_at_their_desks(desk: Desk) -> None:
    problems: list[str] = []
    uscc = credit_code(NUMBER + 1)
    with (
        desk.browsers.person(desk.token(MANAGER)) as manager,
        desk.browsers.person(desk.token(COUNTY_REVIEWER)) as reviewer,
        desk.browsers.person(desk.token(CENTRE)) as centre,
        desk.browsers.person(desk.token("manager-nanjing"), "en") as rival,
    ):
        manager.open("/declarations/new")
        manager.fill(
            name="苏州太湖云锦文化有限公司",
            uscc="91320500BAD",
            unit_code="3205-express",
            manager_b="manager-b",
        )
        manager.fill(
            expected_yearly_revenue="240000.00", contact_name_0="张三", contact_phone_0="0512-65123456"
        )
        manager.page.check("[name=lines][value=express]")
        manager.press("提交")
        assert "统一社会信用代码" in manager.page.inner_text("main [role=alert]")
        assert manager.page.input_value("[name=contact_name_0]") == "张三", "what was typed is kept"
        problems += manager.look("declaration-refused")
        manager.fill(uscc=uscc)
        manager.press("预演")
        assert "苏州市大客户中心" in manager.page.inner_text("[role=status]:has(h2)")
        problems += manager.look("declaration-rehearsed")
        manager.press("提交")
        assert manager.shown()[0] == "申报已提交。"
        declaration = manager.page.url.removeprefix(manager.base).partition("?")[0]

        reviewer.open(declaration)
        reviewer.page.check("[name=decision][value=pass]")
        reviewer.press("提交预审意见")
        assert reviewer.shown()[0].startswith("预审已通过")
        centre.open(declaration)
        problems += centre.look("declaration-to-decide")
        # Somebody else has decided meanwhile: who was late is told by whom and what came of it.
        reviewer.open(declaration)
        centre.page.check("[name=decision][value=approve]")
        centre.fill(comment="资料齐全")
        centre.press("提交决定")
        assert centre.shown()[0] == "已批准并赋码。"
        code = centre.page.inner_text(".head-actions .code")
        assert re.fullmatch(r"320500\d{7}", code)
        problems += centre.look("declaration-approved")

        desk.instance.idle()
        manager.open(f"/plans/new?customer={code}")
        manager.fill(
            unit_code="3205-express", plan_text="先速递，后函件，两个月内签约。", manager_b="manager-b"
        )
        manager.page.check("[name=lines][value=express]")
        manager.press("提交审核")
        assert manager.shown()[0] == "预案已提交审核。"
        plan = manager.page.url.removeprefix(manager.base).partition("?")[0]
        centre.open(plan)
        problems += centre.look("plan-to-review")
        centre.page.check("[name=decision][value=register]")
        centre.press("提交审核意见")
        assert centre.shown()[0] == "已登记备案，独家开发期开始。"

        rival.open(f"/plans/new?customer={code}")
        rival.fill(plan_text="We want it as well.")
        rival.page.check("[name=lines][value=parcels]")
        rival.press("Submit for review")
        refusal = rival.page.inner_text("main [role=alert]")
        assert "Suzhou Express bureau" in refusal and "2026-05-11 00:00" in refusal and "queue" in refusal
        assert rival.page.input_value("[name=plan_text]") == "We want it as well."
        problems += rival.look("plan-refused")

        manager.open(plan)
        manager.page.select_option("[name=stage]", "proposal")
        manager.fill(note="已提交方案，客户认可。")
        manager.press("报告进展")
        assert manager.shown()[0] == "进展已登记。"
        centre.open("/windows")
        centre.page.wait_for_selector("[data-chart=line] canvas")
        assert "苏州太湖云锦文化有限公司" in centre.page.inner_text("tbody")
        problems += centre.look("windows")

        # The plan's page is open while the agreement is signed elsewhere: it follows without being loaded again.
        manager.open(plan)
        centre.open(f"/customers/{code}")
        centre.page.click("summary:has-text('登记签订的协议')")
        centre.fill(agreement_no="XY-CON-WON", unit_code="3205-express")
        centre.press("登记签订的协议")
        assert centre.shown()[0].startswith("协议已登记")
        manager.page.wait_for_selector(".lead .badge:has-text('开发成功')")
        centre.page.wait_for_selector("td:has-text('全部专业'), th:has-text('XY-CON-WON')")
        problems += centre.look("customer-won") + manager.look("plan-succeeded")
        assert_none(problems + manager.said + reviewer.said + centre.said + rival.said)


@pytest.mark.req("REP-12", "REG-10")
def test_held_transactions_are_booked_by_mapping_their_code_and_dead_letters_disposed_of(desk: Desk) -> None:
    with desk.browsers.person(desk.token(OPERATOR)) as person:
        person.open("/suspense?reason=unknown_code")
        row = person.page.locator(f"[aria-labelledby=h-codes] tr:has(.code:text-is('{LOCAL_CODE}'))")
        assert "3,206.00" in row.inner_text(), "what the code holds up"
        row.locator("a").click()
        person.fill(customer_code=code_of(1))
        person.press("对应到客户")
        assert person.shown()[0].startswith("代码已对应到客户")
        person.page.wait_for_function(
            f"() => ![...document.querySelectorAll('#held .code')].some(cell => cell.innerText === '{LOCAL_CODE}')"
        )
        person.open("/dead-letters?service=tiering")
        person.page.locator("tbody th a").first.click()
        assert "this is" in person.page.inner_text("pre")
        person.press("关闭")
        assert person.shown()[0] == "异常报文已关闭。"
        assert person.said == []


@pytest.mark.req("REG-7")
def test_two_codes_of_one_customer_are_merged_by_three_signatures(desk: Desk) -> None:
    survivor, alias = code_of(2), code_of(6)
    with desk.browsers.person(desk.token("steward")) as steward:
        steward.open("/merges")
        steward.fill(survivor=survivor, alias=alias)
        steward.press("查看影响")
        problems = steward.look("merge-previewed")
        assert "合并为一个客户后" in steward.page.inner_text("main"), "looked at before it is proposed"
        steward.fill(reason="同一家公司两次登记")
        steward.press("提出合并")
        assert steward.shown()[0].startswith("合并已提出")
        merge = steward.page.url.removeprefix(steward.base).partition("?")[0]
        problems += steward.look("merge-proposed")
        assert steward.page.locator("main button:has-text('签字同意')").count() == 0, "not one's own"
    for approver in ("approver", "approver-business", "approver-supervision"):
        with desk.browsers.person(desk.token(approver)) as person:
            person.open(merge)
            person.press("签字同意")
            said = person.shown()[0]
    assert said == "三人已签字，客户已合并。"
    desk.instance.idle()
    with desk.browsers.person(desk.token(CENTRE)) as centre:
        centre.open(f"/customers/{alias}")
        assert f"代码 {alias} 已并入此客户" in centre.page.inner_text("main")
        problems += centre.look("customer-merged")
    assert_none(problems)


@pytest.mark.req("REP-17")
def test_figures_follow_what_happens_without_reloading_and_a_lost_link_is_told(desk: Desk) -> None:
    with desk.browsers.person(desk.token(OPERATOR)) as person:
        person.open(f"/customers/{code_of(3)}")
        person.page.wait_for_selector("#live-state[data-state=live]")
        person.page.evaluate("window.stayed = true")
        details = person.page.locator("#file details.fold").first
        details.locator("summary").click()
        took = []
        for number in range(3):
            before = person.page.inner_text("#h-revenue + span")
            began = time.monotonic()
            desk.sell(code_of(3), f"{1000 + number}.00", f"con-live-{number}")
            person.page.wait_for_function(
                "before => document.querySelector('#h-revenue + span').innerText !== before", arg=before
            )
            took.append(time.monotonic() - began)
        assert person.page.evaluate("window.stayed") and details.get_attribute("open") is not None
        # The promise is two seconds at the 95th percentile on a machine of its own; the suite's is shared by everything.
        assert sorted(took)[1] < 8, took

        person.context.set_offline(True)
        person.page.evaluate("live.source.close(); connect()")
        person.page.wait_for_selector("#live-state[data-state=lost]")
        assert "连接已中断" in person.page.inner_text("#link-notice")
        desk.sell(code_of(3), "777.00", "con-live-away")
        desk.instance.idle()
        before = person.page.inner_text("#h-revenue + span")
        person.context.set_offline(False)
        person.page.wait_for_selector("#live-state[data-state=live]")
        person.page.wait_for_function(
            "before => document.querySelector('#h-revenue + span').innerText !== before", arg=before
        )
        assert not [said for said in person.said if "ERR_INTERNET_DISCONNECTED" not in said]


def test_hours_that_are_left_are_drawn_again_with_every_minute_of_the_servers_clock(desk: Desk) -> None:
    with desk.browsers.person(desk.token(CENTRE)) as person:
        person.open("/declarations")
        person.page.wait_for_selector("#live-state[data-state=live]")
        with person.page.expect_response(
            lambda answer: answer.request.headers.get("hx-request") == "true"
        ) as drawn:
            # As when a beat tells that the clock, which in a sandbox jumps, stands an hour further on.
            person.page.evaluate("live.offset += 3600000; tick()")
        assert drawn.value.ok and drawn.value.url.endswith("/declarations")
        assert person.page.locator("#list .tabs").count() == 1, "the counts of the tabs move with the list"
        assert person.said == []


def test_pressed_twice_without_scripts_a_form_does_its_act_once(desk: Desk) -> None:
    with desk.browsers.person(desk.token(CENTRE), "en", java_script_enabled=False) as person:
        person.open("/declarations/new")
        fields = {
            field.get_attribute("name") or "": field.input_value()
            for field in person.page.locator("main form.stack input[type=hidden]").all()
        }
        sent = {
            **fields,
            "name": "Pressed Twice Ltd",
            "unit_code": "3205",
            "lines": "express",
            "act": "submit",
        }
        headers = {"origin": person.base}
        answers = [
            person.context.request.post(
                f"{person.base}/declarations/new", form=sent, headers=headers, max_redirects=0
            )
            for _ in range(2)
        ]
        assert [answer.status for answer in answers] == [303, 303]
        assert answers[0].headers["location"] == answers[1].headers["location"]
        desk.instance.idle()
        person.open("/declarations?q=Pressed")
        assert person.page.locator("tbody tr").count() == 1


def test_everything_can_be_reached_by_keyboard(desk: Desk) -> None:
    with desk.browsers.person(desk.token(OPERATOR), "en") as person:
        person.open("/customers")
        person.page.keyboard.press("Tab")
        assert person.page.evaluate("document.activeElement.className") == "skip"
        person.page.keyboard.press("Enter")
        assert person.page.evaluate("document.activeElement.id") == "main"
        reached = []
        for _ in range(12):
            person.page.keyboard.press("Tab")
            reached.append(
                person.page.evaluate("document.activeElement.name || document.activeElement.innerText")
            )
            ring = person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", f"no ring around {reached[-1]}"
        assert {"CSV", "q", "unit", "tier"} <= set(reached)
        person.page.keyboard.type("")
        person.page.focus("[name=q]")
        person.page.keyboard.type("丝绸")
        with person.page.expect_navigation():
            person.page.keyboard.press("Enter")
        assert "q=%E4%B8%9D%E7%BB%B8" in person.page.url and "unit=" not in person.page.url
    with desk.browsers.person(desk.token(OPERATOR), "en", phone=True) as person:
        person.open("/")
        menu = person.page.locator(".menu-button")
        assert not person.page.locator("#nav").is_visible()
        menu.focus()
        person.page.keyboard.press("Enter")
        assert person.page.locator("#nav").is_visible() and menu.get_attribute("aria-expanded") == "true"
        person.page.keyboard.press("Escape")
        assert not person.page.locator("#nav").is_visible()
        assert person.page.evaluate("document.activeElement.className") == "menu-button"


@pytest.mark.req("REP-15")
def test_a_list_is_taken_along_as_the_file_of_the_same_rows(desk: Desk) -> None:
    with desk.browsers.person(desk.token(CENTRE), "zh") as person:
        person.open("/customers?q=控制台&tier=gold")
        shown = person.page.locator("tbody th .code").all_inner_texts()
        with person.page.expect_download() as download:
            person.page.click(".exports a:has-text('CSV')")
        path = download.value.path()
        assert path is not None
        text = Path(path).read_text(encoding="utf-8-sig")
        assert shown and all(code in text for code in shown)
        rows = list(csv.reader(io.StringIO(text)))
        assert len([row for row in rows if set(row) & {code_of(n) for n in range(CUSTOMERS)}]) >= len(shown)


def test_the_page_works_without_scripts(desk: Desk) -> None:
    with desk.browsers.person(desk.token(OPERATOR), "zh", phone=True, java_script_enabled=False) as person:
        person.open("/")
        assert person.page.locator("#nav").is_visible()
        person.page.click("#nav a[href='/customers']")
        assert person.page.locator("tbody tr").count() > 3
