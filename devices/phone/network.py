"""One thread that moves the bytes of many phones: a selector, timers and calls from other threads. Not MQTT (devices.phone.link).

A real phone runs one link in it; a simulation runs its whole fleet, without a thread for each."""

import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

_LOG: Final = logging.getLogger(__name__)
_IDLE_SECONDS_MAX: Final = 0.5


class Transport(Protocol):
    """What the network drives: one connection's reading and writing."""

    def readable(self) -> None: ...
    def writable(self) -> None: ...


class Network:
    """Everything a link does happens on this thread; other threads hand it calls. `start` before use, `stop` when done."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second start does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="phone-network", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and close what it held. Links must be closed before."""
        self._stopping = True
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        self._thread = None
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` on the network thread, soon. From any thread."""
        self._calls.append(function)
        if threading.current_thread() is not self._thread:
            self._wake()

    def call_and_wait(self, function: Callable[[], None], *, timeout_seconds: float = 10.0) -> bool:
        """Run `function` on the network thread and wait for its end; False when it did not end in time."""
        if threading.current_thread() is self._thread or self._thread is None:
            function()
            return True
        done = threading.Event()

        def run() -> None:
            try:
                function()
            finally:
                done.set()

        self.call(run)
        return done.wait(timeout_seconds)

    def call_later(self, *, seconds: float, function: Callable[[], None]) -> None:
        """Run `function` once, `seconds` from now. On the network thread only."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), function))

    def watch(self, sock: Any, transport: Transport) -> None:
        """Drive `transport` when `sock` is ready. On the network thread only."""
        self._selector.register(sock, selectors.EVENT_READ, transport)

    def want_write(self, sock: Any, *, wanted: bool) -> None:
        """Whether the transport of `sock` has something to write."""
        if sock.fileno() >= 0:
            key = self._selector.get_key(sock)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            if key.events != events:
                self._selector.modify(sock, events, key.data)

    def forget(self, sock: Any) -> None:
        """Stop driving `sock`; harmless when it is not driven."""
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            _LOG.debug("a socket was closed before it was watched")

    def _wake(self) -> None:
        try:
            self._wake_write.send(b"\0")
        except (BlockingIOError, OSError):
            return  # full: the thread is being woken already; closed: it has ended

    def _run(self) -> None:
        while not self._stopping:
            for key, events in self._selector.select(self._patience()):
                if key.data is None:
                    self._drain_wake()
                    continue
                self._guarded(partial(_serve, key.data, events))
            while self._calls:
                self._guarded(self._calls.popleft())
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._guarded(heapq.heappop(self._timers)[2])

    def _patience(self) -> float:
        if self._calls:
            return 0.0
        if not self._timers:
            return _IDLE_SECONDS_MAX
        return min(_IDLE_SECONDS_MAX, max(0.0, self._timers[0][0] - time.monotonic()))

    def _drain_wake(self) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            return

    @staticmethod
    def _guarded(function: Callable[[], None]) -> None:
        """One link's failure must not silence the others on this thread; it is logged and the link's own timers heal it."""
        try:
            function()
        except Exception:  # noqa: BLE001 -- see the docstring
            _LOG.exception("a phone's link failed")


def _serve(transport: Transport, events: int) -> None:
    if events & selectors.EVENT_READ:
        transport.readable()
    if events & selectors.EVENT_WRITE:
        transport.writable()
