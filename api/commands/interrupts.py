"""Ctrl-C as a question to a long command: once keeps what it has found, twice ends it. It ends nothing by itself."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stoppable(*, words: str) -> Iterator[Event]:
    """An event that the first Ctrl-C sets, saying `words` on standard error; the second does what it did before."""
    stop = Event()

    def asked(number: int, frame: object) -> None:
        del number, frame
        stop.set()
        signal.signal(signal.SIGINT, before)
        sys.stderr.write(f"\n{words}\n")

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
