"""The one simulated clock that server and devices share, and the random words that must not depend on real time. Not the playing of a
day (play): it decides when the clock may move."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta


class SimulatedClock:
    """Stands still until it is set; after `run_on` it goes at real speed from where it stood. Safe to read from any thread."""

    def __init__(self, *, start: datetime) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._runs_since: float | None = None

    def now(self) -> datetime:
        """The simulated instant, aware UTC."""
        with self._lock:
            if self._runs_since is None:
                return self._now
            return self._now + timedelta(seconds=time.monotonic() - self._runs_since)

    def set(self, now: datetime) -> None:
        """Move to `now`. Never backwards: that would be a bug of the simulation."""
        with self._lock:
            assert now >= self._now, f"the clock was at {self._now} and cannot go back to {now}"
            self._now = now

    def run_on(self) -> None:
        """From here the clock goes on at real speed."""
        with self._lock:
            self._runs_since = time.monotonic()


def challenges(*, seed: int) -> Callable[[], str]:
    """Challenges as the server draws them, of a fixed series for each seed instead of from the system's randomness."""
    lock = threading.Lock()
    drawn = 0

    def next_challenge() -> str:
        nonlocal drawn
        with lock:
            drawn += 1
            return hashlib.sha256(f"challenge {seed} {drawn}".encode()).hexdigest()[:32]

    return next_challenge
