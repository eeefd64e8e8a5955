"""Ctrl-C as a question to a long command: once keeps what it has found, twice ends it. It ends nothing by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

STANDARD_ERROR = 2


@contextmanager
def stoppable(*, words: str) -> Iterator[Event]:
    """An event that the first Ctrl-C sets, saying `words` on standard error; the second does what it did before."""
    stop = Event()

    def asked(number: int, frame: object) -> None:
        del number, frame
        stop.set()
        signal.signal(signal.SIGINT, before)
        os.write(STANDARD_ERROR, f"\n{words}\n".encode())  # not the buffered stream: it may be in the middle of a line

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
