"""Beats once a second: runs a server's standing jobs one after the other. Not the jobs (api.jobs).

A job that fails is logged and tried again at the next beat, and never stops the others: alerts go on when telling people fails."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One standing job; `run` does what is due now, in transactions of its own, at every `every_beats`-th beat."""

    name: str
    run: Callable[[], object]
    every_beats: int = 1


@dataclass(slots=True, kw_only=True)
class Pulse:
    """The jobs in a thread of their own. `beats` is the progress a watchdog looks at; `failures` counts jobs that raised."""

    jobs: Sequence[Job]
    every_seconds: float = 1.0
    beats: int = 0
    failures: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat every second until stopped."""
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the beat in hand finish, then stop."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self) -> None:
        """Every job once, each guarded from the others' failures."""
        for job in self.jobs:
            if self.beats % job.every_beats == 0:
                self._guarded(job)
        self.beats += 1

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.beat()
            self._stopped.wait(self.every_seconds)

    def _guarded(self, job: Job) -> None:
        try:
            job.run()
        except SQLAlchemyError as error:
            self.failures += 1
            log.warning("a job failed and will be tried again at the next beat", job=job.name, error=str(error))
        except Exception:  # whatever one job has wrong, the next must still run; logged whole, counted
            self.failures += 1
            log.exception("a job failed in a way nobody foresaw; it will be tried again at the next beat", job=job.name)
