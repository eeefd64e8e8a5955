"""A real Chromium on a real server over the small town of tests/api. Without Chromium these tests are skipped, unless
POPBACK_REQUIRE_ALL=1 says that nothing may be."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.settings import Settings
from tests.api import town
from tests.api.conftest import Clock

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


class Running:
    """The site on a free port of this machine, with what tests need to change behind it."""

    def __init__(self, *, sessions: sessionmaker[Session], clock: Clock) -> None:
        self.sessions = sessions
        self.clock = clock
        app = create_app(
            sessions=sessions, ingest=None, clock=clock, settings=Settings(sign_ins_per_address_minute_max=10_000)
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a browser; it ends with them, because it holds the thread's event loop."""
    if not Path(CHROMIUM).exists():
        assert os.environ.get("POPBACK_REQUIRE_ALL") != "1", f"{CHROMIUM} is missing, and nothing may be skipped here"
        pytest.skip(f"{CHROMIUM} is missing (apt: chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def running(sessions: sessionmaker[Session]) -> Iterator[Running]:
    """The site over a town of its own."""
    with sessions.begin() as session:
        town.build(session)
    site = Running(sessions=sessions, clock=Clock(town.NOON))
    yield site
    site.stop()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, running: Running) -> Iterator[OpenPage]:
    """Opens a page of the size named, signed in as the account named; nothing outside this machine may be asked for."""
    contexts = []

    def make(*, size: str = "desktop", who: str | None = "branch", scripts: bool = True) -> Page:
        context = chromium.new_context(viewport=SIZES[size], java_script_enabled=scripts, base_url=running.url)
        contexts.append(context)
        page = context.new_page()
        strangers: list[str] = []
        page.on(
            "request",
            lambda request: strangers.append(request.url) if not request.url.startswith(running.url) else None,
        )
        page.strangers = strangers
        if who is not None:
            page.goto("/sign-in")
            page.get_by_label("E-mail address").fill(town.email(who))
            page.get_by_label("Password").fill(town.PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{running.url}/")
        return page

    yield make
    for context in contexts:
        context.close()
