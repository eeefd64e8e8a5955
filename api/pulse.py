"""Beats once a second: runs some of a server's standing jobs one after the other, on a thread of its own, until the process is told to end.
Not the jobs (api.jobs).

A job that fails is logged and tried again at the next beat, and never stops the others: alerts go on when telling people fails."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

Observe = Callable[[str, float, bool], None]
"""Is told of every run of a job: its name, the seconds it took, and whether it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One standing job; `run` does what is due now, in transactions of its own, at every `every_beats`-th beat.

    A job of many transactions answers an iterator, one step a transaction: it counts as progress after each, and can be stopped
    between them."""

    name: str
    run: Callable[[], object]
    every_beats: int = 1


@dataclass(slots=True, kw_only=True)
class Pulse:
    """The jobs in a thread of their own. `turns` is the progress a watchdog looks at, and `patience_seconds` how long it waits for some;
    `failures` counts jobs that raised."""

    jobs: Sequence[Job]
    name: str = "pulse"
    every_seconds: float = 1.0
    patience_seconds: float = 60.0
    observe: Observe | None = None
    beats: int = 0
    turns: int = 0
    failures: int = 0
    _turned_at: float = field(default_factory=time.monotonic)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat every second until stopped."""
        self._turned()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the transaction in hand finish, then stop."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self) -> None:
        """Every job once, each guarded from the others' failures."""
        for job in self.jobs:
            if self.beats % job.every_beats == 0:
                self._guarded(job)
        self.beats += 1
        self._turned()

    @property
    def silent_seconds(self) -> float:
        """How long ago anything was last finished: hung when it grows."""
        return time.monotonic() - self._turned_at

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.beat()
            self._stopped.wait(self.every_seconds)

    def _turned(self) -> None:
        self.turns += 1
        self._turned_at = time.monotonic()

    def _guarded(self, job: Job) -> None:
        began, failed = time.monotonic(), True
        try:
            self._finish(job.run())
            failed = False
        except SQLAlchemyError as error:
            log.warning("a job failed and will be tried again at the next beat", job=job.name, error=str(error))
        except Exception:  # whatever one job has wrong, the next must still run; logged whole, counted
            log.exception("a job failed in a way nobody foresaw; it will be tried again at the next beat", job=job.name)
        self.failures += failed
        self._turned()
        if self.observe is not None:
            self.observe(job.name, time.monotonic() - began, failed)

    def _finish(self, answer: object) -> None:
        """Take the steps of a job of many, until told to stop."""
        if isinstance(answer, Iterator):
            for _ in answer:
                self._turned()
                if self._stopped.is_set():
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """Several pulses started and stopped together: what hangs in one (a webhook) holds up no other (the deadlines)."""

    pulses: tuple[Pulse, ...]

    def start(self) -> None:
        for pulse in self.pulses:
            pulse.start()

    def stop(self) -> None:
        """Let every transaction in hand finish, then stop them all."""
        for pulse in self.pulses:
            pulse._stopped.set()  # noqa: SLF001 -- all are told before any is waited for
        for pulse in self.pulses:
            pulse.stop()

    def beat(self) -> None:
        """Each once, in their order: for tests and simulations that hold the clock."""
        for pulse in self.pulses:
            pulse.beat()

    @property
    def silent_seconds(self) -> float:
        """Of the one that has been silent longest."""
        return max((pulse.silent_seconds for pulse in self.pulses), default=0.0)


class ToldToEnd:
    """Whether this process was told to end (SIGTERM, Ctrl-C). Not a `threading.Event`: its waiter holds a lock for moments at a time, and a
    signal that comes in one of them has its handler wait for that lock for ever."""

    def __init__(self) -> None:
        self._said: SimpleQueue[None] = SimpleQueue()  # its `put` may interrupt its own `get`
        self._told = False

    def listen(self) -> "ToldToEnd":
        """From now on signals tell it. Only in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.tell())
        return self

    def tell(self) -> None:
        """Wake whoever waits, and whoever will."""
        self._told = True
        self._said.put(None)

    def wait(self, seconds: float) -> bool:
        """Sleep so long, or until told; whether it was."""
        if not self._told:
            with contextlib.suppress(Empty):
                self._said.get(timeout=seconds)
        return self._told
