"""The site over a small town, and readers of every role. Not a browser (tests/browser)."""

import re
import secrets
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.auth import token_hash
from api.settings import Settings
from evm.store import accounts
from tests.api import town

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would rather have httpx2, which is not in the lock
    from fastapi.testclient import TestClient

Reader = Callable[..., "TestClient"]
BASE = "http://127.0.0.1:8080"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock(town.NOON)


@pytest.fixture
def there(sessions: sessionmaker[Session]) -> town.Town:
    """The town, committed."""
    with sessions.begin() as session:
        return town.build(session)


@pytest.fixture
def site_settings() -> Settings:
    return Settings(public_url=BASE, sign_ins_per_address_minute_max=100)


@pytest.fixture
def visitor(
    sessions: sessionmaker[Session], there: town.Town, clock: Clock, site_settings: Settings
) -> Iterator[Reader]:
    """Makes a client, signed in as the named account or as nobody."""
    app = create_app(sessions=sessions, ingest=None, clock=clock, settings=site_settings)
    opened: list[TestClient] = []

    def held(name: str) -> str:
        """A session as signing in would begin it, without the time that hashing a password takes."""
        token = secrets.token_urlsafe(32)
        with sessions.begin() as session:
            accounts.begin_session(
                session,
                token_sha256=token_hash(token),
                account_id=name,
                csrf_token=secrets.token_urlsafe(32),
                now=clock(),
                expires_at=clock() + timedelta(hours=12),
            )
        return token

    def make(name: str | None = None) -> TestClient:
        client = TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)
        opened.append(client)
        if name is not None:
            client.cookies.set("popback", held(name))
        return client

    yield make
    for client in opened:
        client.close()


def csrf(page: str) -> str:
    """The token in a page's forms."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]
