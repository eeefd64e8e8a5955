"""How one server process fares, for its supervisor and for Prometheus: `/health/live`, `/health/ready`, `/metrics` on a port of its own.
Not the site's own pages of these (api.routes.service), which ask for a sign-in, and no personal data.

Every metric is described in docs/operations-metrics.md."""

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api.parts import Parts
from api.pulse import Pulse
from devices.ingest import Ingest, Received, Reply
from devices.mqtt import IngestClient
from evm.store.database import reading_factory
from evm.store.screens import service

HUNG_SECONDS_MAX: Final = 60.0
"""So long without a turn of ingest, and the process has hung: its supervisor starts it anew (faults.md, 9). Pulses say it of themselves."""

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class MeasuredIngest(Ingest):
    """Ingest that counts what it stores and refuses, and times its transactions."""

    health: "Health | None" = None

    def take(self, batch: Sequence[Received]) -> tuple[Reply, ...]:
        """As `Ingest.take`."""
        began = monotonic()
        replies = super().take(batch)
        if self.health is not None:
            self.health.batch_taken(batch=batch, replies=replies, seconds=monotonic() - began)
        return replies


class Health:
    """What a process is made of and how each of it fares. Parts are told of as they are started."""

    def __init__(self, *, parts: Parts) -> None:
        self._clock = parts.clock
        self._reading = reading_factory(parts.engine)
        self._pulses: list[Pulse] = []
        self._clients: list[IngestClient] = []
        self.registry = CollectorRegistry()
        r = self.registry
        self._events = Counter("popback_ingest_events", "Events receipted, by outcome.", ["outcome"], registry=r)
        self._batches = Counter("popback_ingest_batches", "Transactions of ingest.", registry=r)
        self._messages = Counter("popback_ingest_messages", "Messages taken in, by channel.", ["channel"], registry=r)
        self._stored = Histogram(
            "popback_ingest_batch_seconds", "From a batch in hand to its commit.", buckets=SECONDS, registry=r
        )
        self._receipt = Histogram(
            "popback_receipt_seconds", "From a message's arrival to its receipt.", buckets=SECONDS, registry=r
        )
        self._jobs = Histogram(
            "popback_job_seconds", "How long a standing job took.", ["job"], buckets=SECONDS, registry=r
        )
        self._failures = Counter(
            "popback_job_failures", "Runs of a standing job that failed and are tried again.", ["job"], registry=r
        )
        self._beats = Gauge("popback_beats", "Beats since the start, by pulse.", ["pulse"], registry=r)
        self._silent = Gauge(
            "popback_silent_seconds", "Since anything was last finished, by part of the process.", ["part"], registry=r
        )
        self._subscribed = Gauge(
            "popback_broker_subscribed", "Whether the broker feeds this process: 1 or 0.", registry=r
        )
        self._waiting = {name: Gauge(f"popback_{name}", words, registry=r) for name, words in service.WAITING.items()}
        self._unsent = Gauge(
            "popback_outbox_unsent_messages", "Messages waiting to be sent, by channel.", ["channel"], registry=r
        )
        self._answers = Gauge("popback_database_up", "Whether the database answers: 1 or 0.", registry=r)

    def pulse(self, pulse: Pulse) -> Pulse:
        """Watch over a pulse, and answer it."""
        pulse.observe = self.job_done
        self._pulses.append(pulse)
        for job in pulse.jobs:
            self._failures.labels(job=job.name)
        return pulse

    def watch_client(self, client: IngestClient) -> None:
        """Watch over ingest's connection."""
        self._clients.append(client)
        client.on_answered = self.answered

    def job_done(self, name: str, seconds: float, failed: bool) -> None:  # noqa: FBT001 -- the pulse's `Observe`
        """A standing job ran."""
        self._jobs.labels(job=name).observe(seconds)
        if failed:
            self._failures.labels(job=name).inc()

    def batch_taken(self, *, batch: Sequence[Received], replies: Sequence[Reply], seconds: float) -> None:
        """Ingest committed a batch."""
        self._batches.inc()
        self._stored.observe(seconds)
        for received in batch:
            self._messages.labels(channel=received.channel).inc()
        self._events.labels(outcome="stored").inc(sum(len(reply.receipt.stored) for reply in replies))
        self._events.labels(outcome="refused").inc(sum(len(reply.receipt.refused) for reply in replies))

    def answered(self, seconds: Sequence[float]) -> None:
        """Receipts left, so long after their messages had arrived."""
        for each in seconds:
            self._receipt.observe(each)

    @property
    def hung(self) -> bool:
        """Whether some part of the process has finished nothing for too long."""
        return bool(self.why_not_live())

    def why_not_live(self) -> tuple[str, ...]:
        """What of the process has hung; empty when it lives."""
        return tuple(
            f"{name} has finished nothing for {silent:.0f} s"
            for name, (silent, patience) in self._silences().items()
            if silent > patience
        )

    def why_not_ready(self) -> tuple[str, ...]:
        """What keeps it from doing its work now; empty when nothing does."""
        found = [
            f"{name} has finished nothing for {silent:.0f} s"
            for name, (silent, patience) in self._silences().items()
            if silent > patience / 2
        ]
        found += ["the broker feeds it nothing: no subscription stands" for c in self._clients if not c.subscribed]
        if not self._ask_database():
            found.append("the database does not answer")
        return tuple(found)

    def exposition(self) -> bytes:
        """The metrics as Prometheus reads them."""
        for name, (silent, _) in self._silences().items():
            self._silent.labels(part=name).set(silent)
        for pulse in self._pulses:
            self._beats.labels(pulse=pulse.name).set(pulse.beats)
        self._subscribed.set(all(client.subscribed for client in self._clients))
        self._answers.set(self._ask_database())
        return generate_latest(self.registry)

    def _silences(self) -> dict[str, tuple[float, float]]:
        """How long each part has finished nothing, and how long it may."""
        found = {pulse.name: (pulse.silent_seconds, pulse.patience_seconds) for pulse in self._pulses}
        if self._clients:
            found["broker connection"] = max(c.silent_seconds for c in self._clients), HUNG_SECONDS_MAX
        return found

    def _ask_database(self) -> bool:
        """Whether it answers; what it says of what waits goes into the metrics."""
        try:
            with self._reading() as session:
                found = service.waiting(session, now=self._clock())
        except SQLAlchemyError:
            return False
        for name, value in found.figures.items():
            self._waiting[name].set(value)
        for channel, count in found.unsent.items():
            self._unsent.labels(channel=channel).set(count)
        return True


class HealthServer:
    """The health port: a small server on a thread of its own. `port` 0 takes a free one; `port` after `start` tells which."""

    def __init__(self, *, health: Health, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._health = health
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Start to listen. Raises RuntimeError when the port cannot be had."""
        try:
            self._server = ThreadingHTTPServer((self.host, self.port), _handler(self._health))
        except OSError as error:
            raise RuntimeError(
                f"health cannot be asked on {self.host}:{self.port} ({error.strerror}): choose another --health-port"
            ) from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    questions: dict[str, Callable[[], tuple[str, ...]]] = {
        "/health/live": health.why_not_live,
        "/health/ready": health.why_not_ready,
    }

    class Answers(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._send(200, health.exposition(), CONTENT_TYPE_LATEST)
            elif self.path in questions:
                wrong = questions[self.path]()
                self._send(503 if wrong else 200, ("\n".join(wrong) or "ok").encode() + b"\n")
            else:
                self._send(404, b"ask /health/live, /health/ready or /metrics\n")

        def _send(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's signature
            """Say nothing: a supervisor asks every few seconds."""

    return Answers
