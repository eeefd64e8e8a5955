"""One search in several processes at once, each with its own seed; the best answer wins. Not an engine of its own.

Every process but the caller's is a child that follows the caller's stop rule by what it is told through a pipe: it
stops when told, and when the pipe closes because the caller is gone. So nothing is left behind.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from rostering.problem import Problem
from rostering.search.compiled import Compiled, compile_problem
from rostering.search.engine import Answer, Engine, Stops
from rostering.stop import Progress, StopRule, share_used

FAREWELL_SECONDS = 3.0
SEED_STEP = 1_000_003
STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class IslandsEngine:
    """`engine` in `processes` processes: an engine like any other, but what it finds depends on the machine's speed."""

    engine: Engine
    processes: int

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.engine.name

    def refuses(self, *, compiled: Compiled) -> str | None:
        """What the engine refuses."""
        return self.engine.refuses(compiled=compiled)

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer of all processes when `stop` says so; a child that fails leaves the others' answers."""
        given = start if start is None else dict(start)
        children = [
            _Child.born(engine=self.engine, problem=compiled.problem, seed=seed + SEED_STEP * number, start=given)
            for number in range(1, self.processes)
        ]
        try:
            rule = _Together(stop=stop, children=children)
            own = self.engine.search(compiled=compiled, stop=rule, seed=seed, start=start, report=_seen(rule, report))
            answers = [own, *(answer for child in children if (answer := child.answer()) is not None)]
        finally:
            for child in children:
                child.end()
        return min(answers, key=lambda answer: answer.curve[-1][1])


def _seen(rule: _Together, report: Callable[[Progress], None] | None) -> Callable[[Progress], None] | None:
    return None if report is None else lambda progress: report(rule.best(progress))


@dataclass(slots=True, kw_only=True)
class _Child:
    """A process that searches, and this end of its pipe."""

    process: BaseProcess
    pipe: Connection
    progress: Progress | None = None
    found: Answer | None = None
    gone: bool = False

    @classmethod
    def born(cls, *, engine: Engine, problem: Problem, seed: int, start: Mapping[int, Stops] | None) -> _Child:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_live, args=(theirs, engine, problem, seed, start), daemon=True)
        process.start()
        theirs.close()
        return cls(process=process, pipe=ours)

    def tell(self, what: float | str) -> None:
        """The share used so far, or that it is time to stop."""
        try:
            self.pipe.send(what)
        except OSError:
            self.gone = True

    def listen(self, *, seconds: float = 0.0) -> bool:
        """Takes in one thing the child has said within `seconds`; whether there was one."""
        try:
            if self.gone or not self.pipe.poll(seconds):
                return False
            said = self.pipe.recv()
        except (EOFError, OSError):
            self.gone = True
            return False
        if isinstance(said, Answer):
            self.found = said
        else:
            self.progress = said
        return True

    def answer(self) -> Answer | None:
        """What it found, waiting a while for it to end; None when it never says, or had hardly begun."""
        self.tell(STOP)
        while self.listen():
            pass
        while self.found is None and self.progress is not None and self.listen(seconds=FAREWELL_SECONDS):
            pass
        return self.found

    def end(self) -> None:
        """It is gone when this returns."""
        self.pipe.close()
        if self.found is None:
            self.process.terminate()
        self.process.join(FAREWELL_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


@dataclass(slots=True, kw_only=True)
class _Together:
    """The caller's stop rule, asked about the best of all processes; the children are told what share is used."""

    stop: StopRule
    children: list[_Child]
    told: float = field(default=-1.0)

    def __call__(self, progress: Progress) -> bool:
        for child in self.children:
            while child.listen():
                pass
        best = self.best(progress)
        share = share_used(stop=self.stop, progress=best)
        if share is not None and share - self.told >= 0.001:
            self.told = share
            for child in self.children:
                child.tell(share)
        return self.stop(best)

    def share(self, progress: Progress) -> float | None:
        """What share of the caller's rule is used."""
        return share_used(stop=self.stop, progress=self.best(progress))

    def best(self, progress: Progress) -> Progress:
        """The progress with the best objective of all processes."""
        known = [progress, *(child.progress for child in self.children if child.progress is not None)]
        best = min(known, key=lambda each: (not each.legal, each.objective))
        return Progress(
            iterations=progress.iterations,
            objective=best.objective,
            unfilled=best.unfilled,
            improved_at=min(best.improved_at, progress.iterations),
            legal=best.legal,
        )


@dataclass(slots=True, kw_only=True)
class _Told:
    """A child's stop rule: what it is told; True also when nobody is there to tell."""

    pipe: Connection
    used: float = 0.0
    over: bool = False
    said: tuple[bool, int] | None = None

    def __call__(self, progress: Progress) -> bool:
        try:
            while not self.over and self.pipe.poll():
                heard = self.pipe.recv()
                if heard == STOP:
                    self.over = True
                else:
                    self.used = heard
            said = (not progress.legal, progress.objective)
            if self.said is None or said < self.said:
                self.said = said
                self.pipe.send(progress)
        except (EOFError, OSError):
            self.over = True
        return self.over

    def share(self, progress: Progress) -> float:  # noqa: ARG002 -- the shape of every rule
        """The share last told."""
        return self.used


def _live(pipe: Connection, engine: Engine, problem: Problem, seed: int, start: Mapping[int, Stops] | None) -> None:
    """A child's life: it searches until told to stop, says what it found, and ends. Ctrl-C is the caller's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rule = _Told(pipe=pipe)
    answer = engine.search(compiled=compile_problem(problem=problem), stop=rule, seed=seed, start=start)
    try:
        pipe.send(answer)
    except OSError:
        return
    finally:
        pipe.close()
