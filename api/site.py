"""What every request of one running site shares: sessions, ingest, clock, settings, policy. Not global: it hangs on the app."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from fastapi import Request
from sqlalchemy.orm import Session, sessionmaker

from api.settings import Settings
from evm.domain.policy import Policy

if TYPE_CHECKING:
    from devices.ingest import Ingest


class Counter(Protocol):
    """Something that limits tries (api.auth.Throttle; another store for several processes later)."""

    def allows(self, *, key: str, now: datetime) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`sessions` may write; `reading` may not, and waits for nobody. `ingest` None: this process takes no events."""

    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    ingest: "Ingest | None"
    clock: Callable[[], datetime]
    settings: Settings
    policy: Policy
    addresses: Counter
    addressees: Counter
    zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", ZoneInfo(self.settings.zone))

    def today(self) -> date:
        """The local date now."""
        return self.clock().astimezone(self.zone).date()


def site_of(request: Request) -> Site:
    """The site this request reached."""
    site: Site = request.app.state.site
    return site
