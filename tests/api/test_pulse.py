"""The once-a-second beat: what fails does not stop the rest, and what fails is tried again."""

import threading
from collections.abc import Iterator

from sqlalchemy.exc import OperationalError

from api.pulse import Job, Pulse, Pulses


def _noted(into: list[str], name: str) -> Job:
    return Job(name=name, run=lambda: into.append(name))


def test_a_failing_job_does_not_stop_the_alerts_after_it() -> None:
    """Broken when a webhook that is down, or a locked table, keeps deadlines from being judged."""
    done: list[str] = []

    def database_is_locked() -> None:
        raise OperationalError("select 1", {}, Exception("database is locked"))

    def nobody_foresaw_this() -> None:
        raise KeyError("surprise")

    pulse = Pulse(
        jobs=(
            Job(name="tell", run=database_is_locked),
            Job(name="odd", run=nobody_foresaw_this),
            _noted(done, "sweep"),
        )
    )
    pulse.beat()
    pulse.beat()
    assert done == ["sweep", "sweep"]
    assert pulse.failures == 4
    assert pulse.beats == 2


def test_a_rare_job_runs_at_every_nth_beat_and_at_the_first() -> None:
    """Broken when pricing, asked for every thirtieth beat, runs every second or never."""
    done: list[str] = []
    pulse = Pulse(jobs=(_noted(done, "sweep"), Job(name="price", run=lambda: done.append("price"), every_beats=3)))
    for _ in range(7):
        pulse.beat()
    assert done.count("sweep") == 7
    assert done.count("price") == 3


def test_stopping_lets_the_job_in_hand_finish() -> None:
    """Broken when a stop in mid-beat leaves a transaction of a sweep hanging in a dying process."""
    entered, leave = threading.Event(), threading.Event()
    finished: list[str] = []

    def slow() -> None:
        entered.set()
        leave.wait(10)
        finished.append("slow")

    pulse = Pulse(jobs=(Job(name="slow", run=slow),), every_seconds=0.01)
    pulse.start()
    assert entered.wait(10)
    leave.set()
    pulse.stop()
    assert len(finished) == pulse.beats
    assert not any(thread.name == "pulse" for thread in threading.enumerate())


def test_a_job_of_many_transactions_counts_each_as_progress_and_stops_between_them() -> None:
    """Broken when an eight-hour backlog looks like a process that has hung, or keeps one that was told to end from ending."""
    done: list[int] = []

    def backlog() -> Iterator[int]:
        for number in range(1000):
            done.append(number)
            if number == 3:
                pulse._stopped.set()
            yield number

    pulse = Pulse(jobs=(Job(name="sweep", run=backlog),))
    before = pulse.turns
    pulse.beat()
    assert done == [0, 1, 2, 3]
    assert pulse.turns >= before + 4


def test_every_run_of_a_job_is_told_with_whether_it_failed() -> None:
    """Broken when a job that fails at every beat moves no figure."""
    told: list[tuple[str, bool]] = []

    def fails() -> None:
        raise KeyError("surprise")

    pulse = Pulse(
        jobs=(Job(name="odd", run=fails), Job(name="sweep", run=list)),
        observe=lambda name, seconds, failed: told.append((name, failed)),
    )
    pulse.beat()
    assert told == [("odd", True), ("sweep", False)]


def test_what_hangs_in_one_pulse_holds_up_no_other() -> None:
    """Broken when a webhook that does not answer stops deadlines from being judged in a server of one process."""
    swept, leave = threading.Event(), threading.Event()
    pulses = Pulses(
        pulses=(
            Pulse(jobs=(Job(name="tell", run=lambda: leave.wait(30)),), name="notify", every_seconds=0.01),
            Pulse(jobs=(Job(name="sweep", run=swept.set),), name="watch", every_seconds=0.01),
        )
    )
    pulses.start()
    assert swept.wait(10)
    swept.clear()
    assert swept.wait(10), "and again"
    leave.set()
    pulses.stop()
