"""Works on uploaded files, one after another on a thread of its own, so that no other request of the site waits. Not the pages
(api.pages.imports) and not the taking in itself (api.importing).

A file that is being taken in when this process dies leaves nothing: its rows and the word TAKEN are one transaction. Whoever looks at it
afterwards finds no beat of it, marks it as stopped and is told to upload it again."""

import queue
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session, sessionmaker

from api import importing
from api.importing import FileRefused, ImportReport, LayoutRefused, Order
from evm.domain.ids import CouncilId, ProviderId
from evm.domain.policy import Policy
from evm.store import uploads
from evm.store.uploads import RUNNING, Upload, UploadState

BEAT_SECONDS: Final = 5
SILENT_SECONDS_MAX: Final = 60
KEPT_HOURS: Final = 1
"""How long an upload waits for its confirmation."""
SHOWN_HOURS: Final = 24
"""How long its report can be read afterwards."""
INTERRUPTED: Final = (
    "The service was stopped while it worked on this file. Nothing was taken in. Upload the file again."
)
STOPPED: Final = "You stopped it. Nothing was taken in."
BUG: Final = "The service failed on this file. Nothing was taken in. Try again, or tell whoever runs it."

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Job:
    """One file being worked on here."""

    upload_id: str
    who: str
    rows_done: int = 0
    rows_total: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    beat_at: datetime | None = None


class ImportDesk:
    """The uploads of one process. `name` marks them as its own."""

    def __init__(
        self, *, sessions: sessionmaker[Session], clock: Callable[[], datetime], policy: Policy, name: str
    ) -> None:
        self.name = name
        self._sessions = sessions
        self._clock = clock
        self._policy = policy
        self._jobs: dict[str, Job] = {}
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.holds_the_only_writer = False
        """While a file is taken in on SQLite: what can wait a minute (noting that a session is still used) does not write."""

    def submit(self, *, upload_id: str, who: str) -> None:
        """Work on an upload that is CHECKING or TAKING in our name, as soon as those before it are done."""
        job = Job(upload_id=upload_id, who=who)
        with self._lock:
            self._jobs[upload_id] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="imports", daemon=True)
                self._thread.start()
        self._queue.put(job)

    def job(self, upload_id: str) -> Job | None:
        """The work on an upload, if it is ours and not done."""
        with self._lock:
            return self._jobs.get(upload_id)

    def wait(self, *, upload_id: str, seconds: float) -> None:
        """Give a small file the moment it needs, so that its page shows the result at once."""
        job = self.job(upload_id)
        if job is not None:
            job.done.wait(seconds)

    def is_silent(self, upload: Upload) -> bool:
        """Whether nobody works on it any more though it is said to be worked on."""
        if upload.state not in RUNNING or self.job(upload.upload_id) is not None:
            return False
        return upload.worker == self.name or self._clock() - upload.beat_at > timedelta(seconds=SILENT_SECONDS_MAX)

    def close(self, *, seconds: float = 5.0) -> None:
        """Stop what is going on; what it wrote is rolled back."""
        with self._lock:
            thread, jobs = self._thread, list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        if thread is not None:
            self._queue.put(None)
            thread.join(seconds)

    def _work(self) -> None:
        sweep_leftovers(before=self._clock() - timedelta(hours=KEPT_HOURS))
        while (job := self._queue.get()) is not None:
            try:
                self._run(job)
            except Exception:  # the desk is one thread for every upload: one that breaks must not stop the next
                log.exception("an upload could not be worked on", upload=job.upload_id)
            finally:
                with self._lock:
                    self._jobs.pop(job.upload_id, None)
                job.done.set()

    def _run(self, job: Job) -> None:
        with self._sessions() as session:
            upload = uploads.upload(session, upload_id=job.upload_id)
            content = uploads.content(session, upload_id=job.upload_id)
        if upload is None or content is None or upload.state not in RUNNING or upload.worker != self.name:
            return
        job.rows_total = upload.rows_total
        with tempfile.TemporaryDirectory(prefix="popback-import-") as directory:
            path = Path(directory) / upload.file_name
            path.write_bytes(content)
            del content
            self._judge(job, upload, path)

    def _judge(self, job: Job, upload: Upload, path: Path) -> None:
        taking = upload.state is UploadState.TAKING
        with self._sessions() as session:
            self.holds_the_only_writer = taking and not uploads.may_beat(session)
        try:
            report = importing.take_in(
                sessions=self._sessions,
                path=path,
                order=_order(upload, who=job.who),
                policy=self._policy,
                now=self._clock(),
                dry_run=not taking,
                progress=lambda done, total: self._beat(job, done, total),
                stop=job.stop.is_set,
                before_commit=lambda session, report: self._end(session, upload, UploadState.TAKEN, report=report),
            )
        except (FileRefused, LayoutRefused) as refused:
            self._close(upload, UploadState.REFUSED, words=str(refused))
        except Exception:  # a fault of ours: nothing was taken in, and the upload's own page must say so
            log.exception("an import failed", upload=upload.upload_id, kind=upload.kind)
            self._close(upload, UploadState.STOPPED, words=BUG)
        else:
            if not report.taken_in:
                self._close_after(upload, report)
        finally:
            self.holds_the_only_writer = False

    def _close_after(self, upload: Upload, report: ImportReport) -> None:
        if report.stopped:
            self._close(upload, UploadState.STOPPED, words=STOPPED)
        elif report.refused or report.already is not None:
            self._close(upload, UploadState.REFUSED, report=report)
        else:
            self._close(upload, UploadState.CHECKED, report=report)

    def _beat(self, job: Job, done: int, total: int) -> None:
        job.rows_done, job.rows_total = done, total
        now = self._clock()
        if job.beat_at is not None and now - job.beat_at < timedelta(seconds=BEAT_SECONDS):
            return
        job.beat_at = now
        with self._sessions() as session:
            if uploads.may_beat(session):
                if not uploads.beat(session, upload_id=job.upload_id, rows_done=done, rows_total=total, now=now):
                    job.stop.set()
                session.commit()

    def _close(
        self, upload: Upload, state: UploadState, *, report: ImportReport | None = None, words: str | None = None
    ) -> None:
        with self._sessions.begin() as session:
            self._end(session, upload, state, report=report, words=words)

    def _end(
        self,
        session: Session,
        upload: Upload,
        state: UploadState,
        *,
        report: ImportReport | None = None,
        words: str | None = None,
    ) -> bool:
        kept = timedelta(hours=KEPT_HOURS if state is UploadState.CHECKED else SHOWN_HOURS)
        return uploads.end(
            session,
            upload_id=upload.upload_id,
            state=state,
            was=upload.state,
            expires_at=self._clock() + kept,
            report=None if report is None else importing.report_body(report),
            words=words,
        )


def sweep_leftovers(*, before: datetime) -> int:
    """Remove the working folders of processes that were killed: people's data stand in them. How many there were."""
    folder = Path(tempfile.gettempdir())
    found = [each for prefix in ("popback-import-*", "popback-try-*") for each in folder.glob(prefix)]
    old = [each for each in found if _is_older(each, before)]
    for each in old:
        shutil.rmtree(each, ignore_errors=True)
    return len(old)


def _is_older(folder: Path, before: datetime) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:  # whoever worked in it has just ended
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_mtime < before.timestamp()


def _order(upload: Upload, *, who: str) -> Order:
    return Order(
        kind=upload.kind,
        layout=upload.layout,
        provider=None if upload.provider_id is None else ProviderId(upload.provider_id),
        council=None if upload.council_id is None else CouncilId(upload.council_id),
        exported_at=upload.exported_at,
        who=who,
    )
