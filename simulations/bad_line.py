"""A bad line between a phone and the broker, for faults 21 to 23: a TCP proxy that delays, cuts, freezes and refuses. Knows no MQTT.

All choices come from the given random source; only the waiting is real."""

import random
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Self

_READ_BYTES: Final = 16_384
_TURN_SECONDS: Final = 0.02


@dataclass(slots=True, kw_only=True)
class _Pipe:
    """One direction of one connection: what was read from `source` waits its delay, then goes to `sink`."""

    source: socket.socket
    sink: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)


class BadLine:
    """Listens on `port` of the loopback and passes on to `to`. Use it in a `with`.

    `delay_seconds`: each way, for every byte, in order. `cut_share`: how many of the readings end the connection instead of being passed
    on, what is under way with them. `frozen`: everything stays connected and nothing is passed on (a half-open line). `down`: connections
    are refused and those that stand are ended."""

    def __init__(
        self, *, to: tuple[str, int], rng: random.Random, delay_seconds: float = 0.0, cut_share: float = 0.0
    ) -> None:
        self._to = to
        self._rng = rng
        self.delay_seconds, self.cut_share = delay_seconds, cut_share
        self.frozen = self.down = False
        self.cuts = self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._pipes: dict[socket.socket, _Pipe] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bad-line", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)
        for pipe in tuple(self._pipes.values()):
            self._end(pipe)
        self._selector.close()
        self._listener.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_TURN_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                elif not self.frozen and key.fileobj in self._pipes:
                    self._read(self._pipes[key.fileobj])
            if self.down:
                for pipe in tuple(self._pipes.values()):
                    self._end(pipe)
            elif self.frozen:
                time.sleep(_TURN_SECONDS)
            else:
                self._pass_on()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self.down:
            near.close()
            return
        try:
            far = socket.create_connection(self._to, timeout=5)
        except OSError:  # nobody behind the line: the caller sees it break
            near.close()
            return
        self.connections += 1
        for source, sink in ((near, far), (far, near)):
            source.settimeout(5)
            self._pipes[source] = _Pipe(source=source, sink=sink)
            self._selector.register(source, selectors.EVENT_READ)

    def _read(self, pipe: _Pipe) -> None:
        try:
            read = pipe.source.recv(_READ_BYTES)
        except OSError:
            read = b""
        if read and self._rng.random() < self.cut_share:
            self.cuts += 1
            read = b""
        if read:
            pipe.waiting.append((time.monotonic() + self.delay_seconds, read))
        else:
            self._end(pipe)

    def _pass_on(self) -> None:
        now = time.monotonic()
        for pipe in tuple(self._pipes.values()):
            while pipe.waiting and pipe.waiting[0][0] <= now:
                try:
                    pipe.sink.sendall(pipe.waiting.popleft()[1])
                except OSError:
                    self._end(pipe)
                    break

    def _end(self, pipe: _Pipe) -> None:
        """End a connection, both directions of it."""
        for sock in (pipe.source, pipe.sink):
            if self._pipes.pop(sock, None) is not None:
                self._selector.unregister(sock)
            sock.close()
