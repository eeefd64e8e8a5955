"""Each page as a person meets it: with a mouse, with a keyboard, on a phone, without scripts, through a screen reader's rules."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evm.services import watch
from evm.store import alerts
from evm.store.alerts import NewAlert
from tests.api import town
from tests.browser.conftest import OpenPage, Running
from tests.factories import PROVIDER

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = [
    "/",
    "/visits",
    "/visits?status=missed&locality=m14",
    "/visits?day=2026-12-24",
    "/visits/v-done",
    "/visits/v-short",
    "/visits/v-missed",
    "/visits/v-cancelled",
    "/alerts",
    "/alerts?state=closed",
    "/alerts/1",
    "/alerts/2",
    "/invoices",
    "/invoices/inv-1",
    "/invoices/inv-1?verdict=query",
    "/findings",
    "/findings?kind=worker",
    "/rosters",
    "/rosters/r-1",
    "/exports",
    "/localities",
    "/devices",
    "/imports",
    "/nowhere",
]


def faults(page: Page) -> list[str]:
    """What axe-core finds serious or critical under WCAG 2.2 AA, one line each. Run outside the page's own policy for scripts."""
    found: dict[str, Any] = page.evaluate(
        AXE.read_text(encoding="utf-8")
        + "\n;axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{fault['id']}: {node['html'][:120]}"
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_page_has_a_serious_fault_of_accessibility(open_page: OpenPage, size: str) -> None:
    """Broken: somebody who uses a screen reader, a keyboard or large letters could not do their work."""
    page = open_page(size=size, who="admin")
    found = {}
    for path in PAGES:
        page.goto(path)
        found[path] = faults(page)
    out = open_page(size=size, who=None)
    out.goto("/sign-in")
    found["/sign-in"] = faults(out)
    out.get_by_role("button", name="Sign in").click()
    found["/sign-in, refused"] = faults(out)
    assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_page_is_wider_than_its_window_or_asks_a_stranger(open_page: OpenPage, size: str) -> None:
    """Broken: on a phone half a row would be out of sight; or a third party would learn who reads what."""
    page = open_page(size=size, who="admin")
    for path in PAGES:
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, path
    assert page.strangers == []


def test_no_page_breaks_its_own_policy_or_has_an_error(open_page: OpenPage) -> None:
    """Broken: a script or style that the policy forbids would quietly not run."""
    page = open_page(who="admin")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES[:-1]:
        page.goto(path)
    assert said == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_from_the_first_page_to_the_evidence_of_a_missed_visit(open_page: OpenPage, size: str) -> None:
    """Broken: a number on the first page would not lead to its rows, nor a row to its evidence."""
    page = open_page(size=size, who="safeguarding")
    page.get_by_role("link", name="1 Missed").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Today")
    page.get_by_role("link", name="10:00").click()
    expect(page.get_by_role("heading", name="Customer c3")).to_be_visible()
    page.get_by_role("link", name="Missed visit, 10:30").click()
    expect(page.get_by_role("heading", name="Missed visit")).to_be_visible()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_branch_takes_its_payroll_away(open_page: OpenPage, size: str) -> None:
    """Broken: the payroll clerk's file could be had from the command line only."""
    page = open_page(size=size, who="branch")
    page.goto("/exports")
    section = page.get_by_role("region", name="Payroll, a line each care worker")
    section.get_by_label("First day").fill("2026-11-02")
    section.get_by_label("Last day").fill("2026-11-08")
    with page.expect_download() as waiting:
        section.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "payroll-2026-11-02-2026-11-08.csv"
    assert waiting.value.path().read_text().splitlines()[0].startswith("worker")  # the whole file has come
    assert faults(page) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_an_alert_is_acknowledged_and_closed(open_page: OpenPage, scripts: bool) -> None:
    """Broken: without scripts nobody could act; or one press would do nothing."""
    page = open_page(who="safeguarding", scripts=scripts)
    page.goto("/alerts")
    page.get_by_role("button", name="Acknowledge Missed visit, Customer c3").click()
    expect(page.get_by_text("acknowledged by Safeguarding Person")).to_be_visible()
    page.get_by_role("button", name="Close this alert").click()
    expect(page.get_by_role("alert")).to_contain_text("Say how it ended")
    page.get_by_label("How it ended").select_option("Another care worker went")
    page.get_by_label("In your words").fill("at 10:50")
    page.get_by_role("button", name="Close this alert").click()
    expect(page.get_by_text("Closed: Another care worker went. at 10:50")).to_be_visible()


def test_everything_can_be_reached_by_keyboard_alone(open_page: OpenPage, running: Running) -> None:
    """Broken: whoever cannot hold a mouse could not sign in, skip to the content, filter or acknowledge."""
    page = open_page(who=None)
    page.goto("/sign-in?next=/alerts")
    _press_until(page, "Tab", "email")
    page.keyboard.type(town.email("branch"))
    page.keyboard.press("Tab")
    page.keyboard.type(town.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{running.url}/alerts")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to main content"
    assert page.evaluate("getComputedStyle(document.activeElement).clipPath") != "inset(50%)", (
        "the link is seen when it is reached"
    )
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main-content"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    outline = page.evaluate(
        "getComputedStyle(document.activeElement).boxShadow + getComputedStyle(document.activeElement).outlineStyle"
    )
    assert outline != "nonenone", "what is reached is marked"
    page.keyboard.press("Enter")
    expect(page.get_by_text("acknowledged by Branch Person")).to_be_visible()


def _press_until(page: Page, key: str, name: str) -> None:
    for _ in range(20):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{name} was not reached")


def test_new_alerts_come_to_an_open_page_by_themselves_and_keep_the_focus(
    open_page: OpenPage, running: Running
) -> None:
    """Broken: a safeguarding lead would have to reload; or the list would take the button from under their hand."""
    first, second = open_page(who="safeguarding"), open_page(who="branch", size="phone")
    for page in (first, second):
        page.goto("/alerts")
        expect(page.locator("#live")).to_contain_text("Live.")
    first.locator('[data-alert="1"] button').focus()
    first.wait_for_timeout(1500)
    new = NewAlert(
        kind="assistance",
        key="help",
        provider=PROVIDER,
        customer="c1",
        worker="w1",
        risk="time_critical",
        due_at=running.clock(),
        words="The care worker asks for help.",
    )
    with running.sessions.begin() as session:
        raised = alerts.add(session, alerts_=[new], now=running.clock())["help"]
    for page in (first, second):
        expect(page.locator(f'[data-alert="{raised}"]')).to_contain_text("The care worker asks for help.", timeout=5000)
        expect(page.locator("#live")).to_contain_text(f"Alert {raised} raised")
    assert first.evaluate("document.activeElement.closest('[data-alert]').dataset.alert") == "1"
    with running.sessions.begin() as session:
        watch.close(session, alert_id=raised, who="Somebody", outcome="Helped", now=running.clock())
    for page in (first, second):
        expect(page.locator(f'[data-alert="{raised}"]')).to_have_count(0, timeout=5000)


def test_a_page_that_cannot_be_renewed_says_that_it_may_be_old(open_page: OpenPage, running: Running) -> None:
    """Broken: a stale list would look like a quiet day."""
    page = open_page(who="branch")
    page.goto("/alerts")
    expect(page.locator("#live")).to_contain_text("Live.")
    page.wait_for_timeout(1500)
    page.route("**/alerts/list*", lambda route: route.abort())
    new = NewAlert(
        kind="assistance",
        key="unseen",
        provider=PROVIDER,
        customer="c1",
        risk="standard",
        due_at=running.clock(),
        words="x",
    )
    with running.sessions.begin() as session:
        alerts.add(session, alerts_=[new], now=running.clock())
    expect(page.locator("#live")).to_contain_text("What you see may be old", timeout=5000)


def test_without_scripts_the_alerts_page_reloads_itself(open_page: OpenPage) -> None:
    """Broken: with scripts forbidden the list would stand still for ever."""
    page = open_page(who="branch", scripts=False)
    page.goto("/alerts")
    assert page.locator('meta[http-equiv="refresh"]').get_attribute("content") == "30"
    assert "reloads every 30 seconds" in page.content()


def test_filters_work_without_scripts(open_page: OpenPage) -> None:
    """Broken: choosing a status would need a script."""
    page = open_page(who="branch", scripts=False, size="phone")
    page.goto("/visits")
    page.get_by_label("Status", exact=True).select_option("Missed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("1 to 1 of 1 visit")).to_be_visible()


def test_an_invoice_prints_its_totals_and_lines_without_the_navigation(open_page: OpenPage) -> None:
    """Broken: paper would be spent on links and buttons, or the rows stacked as on a phone."""
    page = open_page(who="commissioner")
    page.goto("/invoices/inv-1?all=yes")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Doors")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(page.get_by_text("£11.70").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#lines ~ table thead')).position") == "static"
    assert page.pdf()[:5] == b"%PDF-"


def test_at_twice_the_letter_size_nothing_is_lost(open_page: OpenPage) -> None:
    """Broken: WCAG 1.4.4 and 1.4.10: whoever needs large letters would lose columns."""
    page = open_page(who="branch")
    page.set_viewport_size({"width": 320, "height": 800})
    for path in ("/visits", "/visits/v-done", "/invoices/inv-1", "/rosters/r-1", "/alerts/1"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
