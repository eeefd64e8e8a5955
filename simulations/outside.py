"""The outside world that popback tells: a web server of our own on this machine that accepts, fails, hangs or answers late, and remembers
every telling. Not a gateway (evm.gateways): it stands at the other end of one."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

Manner = Literal["accepts", "fails", "hangs", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One thing we were told: under which key, for whom, what."""

    key: str
    address: str
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Outside:
    """Takes tellings by HTTP. `manners` says how each address takes them (`manner` for the rest): "accepts"; "fails" with 500 and forgets;
    "hangs" until told to stop and never answers; "late" takes it at once and says so after `late_seconds`. Use as a context manager."""

    manner: Manner = "accepts"
    manners: dict[str, Manner] = field(default_factory=dict)
    late_seconds: float = 0.5
    asked: list[Telling] = field(default_factory=list)
    taken: list[Telling] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="outside", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where to tell it, for the setting `notify_to`."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/told"

    def times_taken(self) -> Counter[str]:
        """How often each key was taken."""
        with self._lock:
            return Counter(telling.key for telling in self.taken)

    def answer_to(self, telling: Telling) -> int | None:
        """The status to answer, after whatever this address's manner makes of it; None: never."""
        manner = self.manners.get(telling.address, self.manner)
        with self._lock:
            self.asked.append(telling)
            if manner in ("accepts", "late"):
                self.taken.append(telling)
        if manner == "hangs":
            self._stopping.wait()
            return None
        if manner == "late":
            time.sleep(self.late_seconds)
        return 500 if manner == "fails" else 204


def _handler(outside: Outside) -> type[BaseHTTPRequestHandler]:
    class Listener(BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            telling = Telling(key=self.headers["Idempotency-Key"], address=told["address"], body=told["body"])
            status = outside.answer_to(telling)
            if status is not None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's signature
            """Say nothing."""

    return Listener
