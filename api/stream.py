"""Live alerts: one look at the database a second for all watchers together, and to each only what their scope covers.
Not the alerts themselves: watchers are told which changed and read them again under their own scope."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from evm.store.screens import Scope, alerts
from evm.store.screens.alerts import Change

log = structlog.get_logger(__name__)
WAITING_MAX = 1000
CHANGES_A_LOOK_MAX = 1000
PING_SECONDS = 15.0


@dataclass(eq=False, slots=True)
class Watcher:
    """One open page. Its queue holds changes it may see; None: the database could not be read (the page says so)."""

    scope: Scope
    changes: "asyncio.Queue[Change | None]" = field(default_factory=lambda: asyncio.Queue(maxsize=WAITING_MAX))


class AlertStream:
    """Polls only while somebody watches. All methods run on the server's event loop."""

    def __init__(self, *, reading: sessionmaker[Session], poll_seconds: float) -> None:
        self._reading = reading
        self._poll_seconds = poll_seconds
        self._watchers: set[Watcher] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> int:
        """How many pages are open."""
        return len(self._watchers)

    async def watch(self, *, scope: Scope, still_allowed: Callable[[], bool]) -> AsyncIterator[Change | None]:
        """Changes as they come, None as a sign of life. Ends when `still_allowed` (asked every `PING_SECONDS`, however much happens)
        says no, or when the page is too slow to take its changes: the browser then connects again and reads everything anew."""
        watcher = Watcher(scope=scope)
        self._watchers.add(watcher)
        if self._task is None:
            self._task = asyncio.create_task(self._poll())
        clock = asyncio.get_running_loop().time
        asked = clock()
        try:
            while watcher in self._watchers:
                try:
                    change = await asyncio.wait_for(watcher.changes.get(), timeout=PING_SECONDS)
                except TimeoutError:
                    change = None
                if change is None or clock() - asked >= PING_SECONDS:
                    asked = clock()
                    if not await asyncio.to_thread(still_allowed):
                        return
                yield change
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _poll(self) -> None:
        told: frozenset[int] | None = None
        while True:
            try:
                told, changes = await asyncio.to_thread(self._look, told)
                for change in changes:
                    self._tell(change)
            except SQLAlchemyError as error:
                log.warning("live alerts could not be read; trying again", error=str(error))
            await asyncio.sleep(self._poll_seconds)

    def _look(self, told: frozenset[int] | None) -> tuple[frozenset[int], tuple[Change, ...]]:
        """The newest entries' numbers, and what came since those that were told (None: nobody watched before)."""
        with self._reading() as session:
            newest = alerts.newest_entry(session) if told is None else max(told, default=0)
            late = alerts.late_entries_max(session)
            changes = alerts.changes_after(session, entry_id=newest - late - 1, limit=late + CHANGES_A_LOOK_MAX)
        known = frozenset(change.entry_id for change in changes)
        return known, () if told is None else tuple(change for change in changes if change.entry_id not in told)

    def _tell(self, change: Change) -> None:
        for watcher in tuple(self._watchers):
            if not watcher.scope.permits(
                provider_id=change.provider_id, locality_id=change.locality_id, council_id=change.council_id
            ):
                continue
            try:
                watcher.changes.put_nowait(change)
            except asyncio.QueueFull:
                self._watchers.discard(watcher)
