"""Work spread over processes and over a Dask cluster: every answer once, whatever is killed on the way."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from rostering.scale import Asked, Done, PoolLostError, ProcessPool, Task
from rostering.scale_cluster import ClusterPool

ROOT = Path(__file__).parent.parent.parent


def doubled(value: int, asked: Asked) -> int:
    del asked
    if value < 0:
        raise ValueError("less than nothing")
    return 2 * value


def until_asked(value: int, asked: Asked) -> int:
    for _ in range(600):
        if asked():
            return value
        time.sleep(0.05)
    raise AssertionError("nobody asked")


def once_allowed(value: str, asked: Asked) -> str:
    """Says that it has begun and waits for the file `go` beside: a worker can be killed in between."""
    del asked
    folder = Path(value).parent
    with Path(value).open("a") as began:
        began.write(f"{os.getpid()}\n")
    while not (folder / "go").exists():
        time.sleep(0.05)
    return Path(value).name


def dies_first(value: str, asked: Asked) -> str:
    """Dies by SIGKILL the first time."""
    del asked
    seen = Path(value)
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return seen.name


def always_dies(value: int, asked: Asked) -> int:
    del asked
    os.kill(os.getpid(), signal.SIGKILL)
    return value


def tasks(*values: object) -> list[Task]:
    return [Task(key=str(value), value=value) for value in values]


def test_every_task_is_answered_once_and_a_failure_is_only_its_own() -> None:
    """One locality that cannot be solved must not take the others with it."""
    found = {done.key: done for done in ProcessPool(processes=2).map_unordered(work=doubled, tasks=tasks(1, -2, 3))}
    assert (found["1"].answer, found["3"].answer) == (2, 6)
    assert found["-2"].answer is None
    assert found["-2"].failed.startswith("ValueError: less than nothing")


def test_a_task_whose_process_is_killed_is_done_again(tmp_path: Path) -> None:
    """A killed process may cost time, never a roster."""
    found = ProcessPool(processes=2).map_unordered(
        work=dies_first, tasks=tasks(str(tmp_path / "a"), str(tmp_path / "b"))
    )
    assert {done.answer for done in found} == {"a", "b"}


def test_a_task_that_kills_every_process_is_given_up_with_its_reason() -> None:
    """Something that always runs out of memory would otherwise be begun for ever."""
    (done,) = ProcessPool(processes=1, tries_max=2).map_unordered(work=always_dies, tasks=tasks(1))
    assert "died 2 times (exit code -9)" in done.failed


def test_tasks_are_taken_only_as_there_is_room() -> None:
    """A whole county's problems would not fit into memory at once."""
    taken = []

    def slowly() -> Iterator[Task]:
        for number in range(5):
            taken.append(number)
            yield Task(key=str(number), value=number)

    answers = ProcessPool(processes=2).map_unordered(work=doubled, tasks=slowly())
    next(answers)
    assert len(taken) <= 3
    answers.close()  # type: ignore[attr-defined]


def test_asked_to_stop_it_answers_what_runs_and_begins_nothing_more() -> None:
    """Ctrl-C keeps what has been found and does not go on with the next locality."""
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    answers = ProcessPool(processes=1).map_unordered(work=until_asked, tasks=tasks(1, 2), asked=stop.is_set)
    assert [done.answer for done in answers] == [1]


def test_closing_the_answers_kills_what_runs() -> None:
    """A command that ends must not leave searches running behind it."""
    pool = ProcessPool(processes=1)
    answers = pool.map_unordered(work=dies_or_waits, tasks=tasks(1, 0))
    first = next(answers)
    assert first.key == "1"
    answers.close()  # type: ignore[attr-defined]
    assert pool.pids() == {}


def dies_or_waits(value: int, asked: Asked) -> int:
    while value == 0 and not asked():
        time.sleep(0.05)
    return value


def test_no_process_at_all_is_refused() -> None:
    """Nothing would ever be answered."""
    with pytest.raises(ValueError, match="processes: 0; give 1 or more"):
        ProcessPool(processes=0)


@pytest.fixture
def scheduler() -> Iterator[str]:
    """The address of a Dask scheduler in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"):
        address = f"tcp://127.0.0.1:{port}"
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield address


class started:  # noqa: N801 -- read as a sentence
    """A `dask …` process, killed at the end with its children."""

    def __init__(self, *words: str) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            env=environment,
            cwd="/tmp",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def worker(address: str) -> started:
    return started(
        "worker", address, "--nthreads", "1", "--nworkers", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"
    )


@pytest.mark.slow
def test_killing_a_dask_worker_in_mid_run_loses_nothing(scheduler: str, tmp_path: Path) -> None:
    """What a killed machine was solving is solved by another, and every answer comes once."""
    names = [str(tmp_path / f"task{number}") for number in range(4)]
    with worker(scheduler) as one, worker(scheduler) as two:
        pool = ClusterPool(address=scheduler)
        try:
            kill_one_when_both_work(tmp_path, [one, two])
            answers: list[Done] = list(pool.map_unordered(work=once_allowed, tasks=tasks(*names)))
        finally:
            pool.close()
    assert sorted(done.answer for done in answers) == ["task0", "task1", "task2", "task3"]
    assert all(done.failed == "" for done in answers)
    begun = [len(Path(name).read_text().splitlines()) for name in names]
    assert sum(begun) == 5
    assert one.process.returncode == -signal.SIGKILL


def kill_one_when_both_work(folder: Path, workers: list[started]) -> None:
    """From a thread: once both workers are in the middle of a task, SIGKILL the first; then let all work end."""

    def watch() -> None:
        for _ in range(1200):
            busy = {int(line) for file in folder.glob("task*") for line in file.read_text().split()}
            if {each.process.pid for each in workers} <= busy:
                break
            time.sleep(0.05)
        workers[0].kill()
        (folder / "go").touch()

    threading.Thread(target=watch, daemon=True).start()


@pytest.mark.slow
def test_asked_to_stop_a_cluster_answers_what_runs(scheduler: str) -> None:
    """What a night of machines has found must not be thrown away with the last hour."""
    stop = threading.Event()
    with worker(scheduler):
        pool = ClusterPool(address=scheduler)
        try:
            threading.Timer(0.5, stop.set).start()
            answers = list(pool.map_unordered(work=until_asked, tasks=tasks(1), asked=stop.is_set))
        finally:
            pool.close()
    assert [done.answer for done in answers] == [1]


@pytest.mark.slow
def test_a_cluster_without_a_worker_is_said_with_what_to_start(scheduler: str) -> None:
    """A cluster that can do nothing would leave a person waiting for ever."""
    with pytest.raises(PoolLostError, match=f"no worker: start some with dask worker {scheduler}"):
        ClusterPool(address=scheduler)


def test_an_address_where_nothing_answers_is_said() -> None:
    """A mistyped address ends in a sentence, not in a traceback."""
    with pytest.raises(PoolLostError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        ClusterPool(address="tcp://127.0.0.1:1")
