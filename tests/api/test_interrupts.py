"""Ctrl-C as a question: what the first and the second one do."""

import io
import os
import signal
import sys

import pytest

from api.commands.interrupts import stoppable


def test_the_first_ctrl_c_is_said_even_amid_a_line_of_progress(capfd: pytest.CaptureFixture[str]) -> None:
    """A handler that writes into the buffered stream it interrupts ends the command with a traceback, and the roster is gone."""

    class Interrupted(io.RawIOBase):
        """A standard error whose write is interrupted by Ctrl-C."""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            signal.raise_signal(signal.SIGINT)
            return len(bytes(data))  # type: ignore[call-overload]

    stream = io.TextIOWrapper(io.BufferedWriter(Interrupted()), write_through=True)
    before, sys.stderr = sys.stderr, stream
    try:
        with stoppable(words="stopping") as stop:
            sys.stderr.write("12.0 s, best 5\r")
            sys.stderr.flush()
            assert stop.is_set()
    finally:
        sys.stderr = before
    assert "stopping" in capfd.readouterr().err


def test_the_second_ctrl_c_does_what_it_did_before() -> None:
    """A command that cannot be ended when it does not stop."""
    with stoppable(words="stopping") as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
