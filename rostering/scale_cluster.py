"""The pool of `rostering.scale` on a Dask cluster that somebody started; it starts no cluster and keeps nothing there.

Needs the extra `cluster` (`distributed`). Dask begins a task again elsewhere when its worker dies; a task that has killed several
workers is answered as failed. Tasks travel with their call, never as data kept on a worker: what dies with a worker is only time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from queue import Empty, Queue
from typing import Any

from rostering.scale import Asked, Done, PoolLostError, Task, Work, never, outcome

POLL_SECONDS = 1.0
CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 120.0
MISSING = "a Dask cluster needs an extra: pip install 'popback[cluster]'"


class ClusterPool:
    """A Dask cluster by the address of its scheduler, such as tcp://10.0.0.5:8786.

    Raises PoolLostError when nothing answers there, when it has no worker, or when a worker has another popback. While working, a
    cluster left without any worker for `patience_seconds` is lost, too.
    """

    def __init__(self, *, address: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        try:
            distributed = _distributed()
        except ImportError as missing:
            raise PoolLostError(MISSING) from missing
        import_module("dask.config").set({"distributed.admin.large-graph-warning-threshold": "1GB"})
        try:
            self._client: Any = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise PoolLostError(
                f"no Dask scheduler answers at {address} ({error}): start one with dask scheduler"
            ) from error
        self._address = address
        self._patience_seconds = patience_seconds
        self._stop_name = f"popback-stop-{uuid.uuid4().hex}"
        self._stopping = False
        try:
            self._check_workers()
        except PoolLostError:
            self._client.close()
            raise

    def map_unordered(self, *, work: Work, tasks: Iterable[Task], asked: Asked = never) -> Iterator[Done]:
        """Answers as they come. Raises PoolLostError when the cluster is gone: what was answered before stands."""
        fresh = iter(tasks)
        answered: Queue[Any] = Queue()
        running: dict[str, tuple[Any, str]] = {}
        try:
            while True:
                self._fill(work, fresh, running, answered)
                if not running:
                    return
                yield from self._settle(running, self._next(answered, asked))
        finally:
            self._client.cancel([future for future, _ in running.values()], force=True)

    def close(self) -> None:
        """Leave the cluster as it was found."""
        self._client.close()

    def _fill(
        self, work: Work, fresh: Iterator[Task], running: dict[str, tuple[Any, str]], answered: Queue[Any]
    ) -> None:
        room = max(1, sum(self._threads().values()) + 1)
        while len(running) < room and not self._stopping:
            task = next(fresh, None)
            if task is None:
                return
            name = f"popback-{uuid.uuid4().hex}"
            future = self._client.submit(_remote, work, task.value, self._stop_name, key=name, pure=False)
            running[name] = (future, task.key)
            future.add_done_callback(answered.put)

    def _settle(self, running: dict[str, tuple[Any, str]], future: Any) -> Iterator[Done]:
        _, key = running.pop(future.key)
        if future.status == "finished":
            failed, answer = future.result()
            yield Done(key=key, answer=answer, failed=failed)
        elif future.status == "error":
            yield Done(key=key, failed=str(future.exception()))
        else:
            raise PoolLostError(f"the Dask scheduler at {self._address} went away: run it again when it is back")

    def _next(self, answered: Queue[Any], asked: Asked) -> Any:
        alone = 0.0
        while True:
            began = time.monotonic()
            if not self._stopping and asked():
                self._stopping = True
                _distributed().Event(self._stop_name, client=self._client).set()
            try:
                return answered.get(timeout=POLL_SECONDS)
            except Empty:
                alone = 0.0 if self._threads() else alone + time.monotonic() - began
            if alone >= self._patience_seconds:
                raise PoolLostError(f"{self._address} has no worker left: start some with dask worker {self._address}")

    def _threads(self) -> dict[str, int]:
        """Threads of each worker of the cluster, by its address; none when the scheduler does not answer."""
        try:
            return {str(address): int(threads) for address, threads in self._client.nthreads().items()}
        except (OSError, ValueError):
            return {}

    def _check_workers(self) -> None:
        until = time.monotonic() + CONNECT_SECONDS
        while not self._threads():
            if time.monotonic() >= until:
                raise PoolLostError(f"{self._address} has no worker: start some with dask worker {self._address}")
            time.sleep(0.1)
        try:
            found = self._client.run(installed)
        except (ImportError, AttributeError) as error:
            words = f"a worker of {self._address} has no popback ({error}): install the same version beside each dask worker"
            raise PoolLostError(words) from error
        others = {address: theirs for address, theirs in found.items() if theirs != installed()}
        if others:
            address, theirs = next(iter(others.items()))
            words = f"the worker {address} has popback {theirs} and here is {installed()}: install the same version"
            raise PoolLostError(words)


def installed() -> str:
    """The version of popback that is installed here."""
    try:
        return version("popback")
    except PackageNotFoundError:
        return "not installed"


def _distributed() -> Any:
    """Dask's distributed, which has few types; ImportError without the extra."""
    return import_module("distributed")


def _remote(work: Work, value: Any, stop_name: str) -> tuple[str, Any]:
    """On a worker: one task, asked now and then whether to stop."""
    return outcome(work=work, value=value, asked=_sparsely(_distributed().Event(stop_name).is_set))


def _sparsely(asked: Asked) -> Asked:
    """The same question, put to the scheduler at most once a second."""
    last, answer = time.monotonic(), False

    def is_asked() -> bool:
        nonlocal last, answer
        if not answer and time.monotonic() - last >= POLL_SECONDS:
            last, answer = time.monotonic(), bool(asked())
        return answer

    return is_asked
