"""The once-a-second beat: what fails does not stop the rest, and what fails is tried again."""

import threading

from sqlalchemy.exc import OperationalError

from api.pulse import Job, Pulse


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
