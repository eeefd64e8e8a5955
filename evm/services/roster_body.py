"""A roster as plain JSON, as it is stored and shown: runs with their stops, unfilled slots with reasons, score, findings, changes.
Not the roster library's values and not the making.

Shape: `made` ("generated", "by hand", or "mended" around the workers in `away`), `seed`, `runs` [{worker, leave, back, travel_seconds,
hash, stops [{visit, slot, customer, start, end, arrive, agreed_start, travel_seconds, waiting_seconds, popback, revision}]}], `unfilled`
[{visit, slot, customer, start, popback, revision, reason, nearest [{worker, rule, sentence}]}], `suspended` [visit], `violations` [{rule,
sentence, visit, worker}], `findings` [sentence], `score` {rule: points}, `objective`, `lower_bound`, `iterations`, `curve`, `pins` {visit:
{workers, start}}, `changes` [{visit, slot, was_worker, worker, was_start, start, words}]; of a week's making, `week` {monday, sha256,
seed}. Instants are ISO 8601 in UTC."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from evm.domain.ids import VisitId
from evm.domain.period import in_zone
from evm.services.roster_problem import Day, Pin
from rostering.constraint import Violation
from rostering.explain import score as score_of
from rostering.problem import Problem
from rostering.roster import Roster, Run, Stop, Unfilled
from rostering.solver import Result

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said about a roster beside its runs: hard rules it breaks and findings, as sentences."""

    violations: tuple[Violation, ...] = ()
    findings: tuple[str, ...] = ()


def generated_body(
    *, day: Day, problem: Problem, result: Result, seed: int, pins: Mapping[VisitId, Pin], said: Said, zone: str
) -> Body:
    """The body of a roster that was solved."""
    body = _body(day=day, problem=problem, roster=result.roster, pins=pins, said=said, zone=zone)
    return body | {
        "made": "generated",
        "seed": seed,
        "objective": result.objective,
        "lower_bound": result.lower_bound,
        "iterations": result.iterations,
        "curve": [list(point) for point in result.curve],
    }


def hand_made_body(
    *, day: Day, problem: Problem, roster: Roster, pins: Mapping[VisitId, Pin], said: Said, zone: str
) -> Body:
    """The body of a roster that a person made, imported or changed."""
    body = _body(day=day, problem=problem, roster=roster, pins=pins, said=said, zone=zone)
    objective = sum(body["score"].values())
    return body | {
        "made": "by hand",
        "seed": None,
        "objective": objective,
        "lower_bound": None,
        "iterations": 0,
        "curve": [],
    }


def _body(*, day: Day, problem: Problem, roster: Roster, pins: Mapping[VisitId, Pin], said: Said, zone: str) -> Body:
    body: Body = {
        "runs": [_run(day, run) for run in sorted(roster.runs, key=lambda run: (run.worker, run.leave))],
        "unfilled": [_unfilled(day, slot) for slot in roster.unfilled],
        "suspended": [visit.visit_id for visit in day.suspended],
        "violations": [asdict(violation) for violation in said.violations],
        "findings": list(said.findings),
        "score": asdict(score_of(problem=problem, roster=roster)),
        "pins": {visit_id: _pin(pin) for visit_id, pin in sorted(pins.items())},
    }
    was: Mapping[str, Any] = {"runs": [], "unfilled": []} if day.published is None else day.published.body
    return body | {"changes": [] if day.published is None else changes(was=was, becomes=body, zone=zone)}


def changes(*, was: Mapping[str, Any], becomes: Mapping[str, Any], zone: str) -> list[Body]:
    """What differs between two rosters, slot by slot, each with the sentence that says it. Workers and visits by id."""
    old, new = _slots(was), _slots(becomes)
    found = []
    for visit, slot in sorted(old.keys() | new.keys()):
        before, after = old.get((visit, slot), (None, None)), new.get((visit, slot), (None, None))
        if before == after:
            continue
        found.append(
            {
                "visit": visit,
                "slot": slot,
                "was_worker": before[0],
                "worker": after[0],
                "was_start": before[1],
                "start": after[1],
                "words": _words(visit, before, after, zone=zone),
            }
        )
    return found


def stops_of(body: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """(worker, stop) of every stop, run by run."""
    return ((run["worker"], stop) for run in body["runs"] for stop in run["stops"])


def roster_of(*, body: Mapping[str, Any], day: Day) -> Roster:
    """The stored roster as the library's value again, in seconds of its day."""
    runs = tuple(
        Run(
            worker=run["worker"],
            leave=_second(day, run["leave"]),
            back=_second(day, run["back"]),
            travel_seconds=run["travel_seconds"],
            stops=tuple(
                Stop(
                    visit=stop["visit"],
                    slot=stop["slot"],
                    start=_second(day, stop["start"]),
                    end=_second(day, stop["end"]),
                    arrive=_second(day, stop["arrive"]),
                    travel_seconds=stop["travel_seconds"],
                )
                for stop in run["stops"]
            ),
        )
        for run in body["runs"]
    )
    unfilled = tuple(
        Unfilled(visit=each["visit"], slot=each["slot"], reason=each["reason"]) for each in body["unfilled"]
    )
    return Roster(runs=runs, unfilled=unfilled)


def _run(day: Day, run: Run) -> Body:
    body: Body = {
        "worker": run.worker,
        "leave": _iso(day, run.leave),
        "back": _iso(day, run.back),
        "travel_seconds": run.travel_seconds,
        "stops": [_stop(day, stop) for stop in run.stops],
    }
    return body | {"hash": run_hash(body)}


def run_hash(run: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what a worker is asked to do: equal runs have equal hashes, so a phone fetches only what changed."""
    asked = [[stop["visit"], stop["slot"], stop["start"], stop["end"], stop["revision"]] for stop in run["stops"]]
    return hashlib.sha256(orjson.dumps([run["worker"], asked])).hexdigest()


def _stop(day: Day, stop: Stop) -> Body:
    visit = day.visit(stop.visit)
    return {
        "visit": stop.visit,
        "slot": stop.slot,
        "customer": visit.customer_id,
        "start": _iso(day, stop.start),
        "end": _iso(day, stop.end),
        "arrive": _iso(day, stop.arrive),
        "agreed_start": day.agreed[visit.visit_id].isoformat(),
        "travel_seconds": stop.travel_seconds,
        "waiting_seconds": stop.waiting_seconds,
        "popback": visit.popback,
        "revision": visit.revision,
    }


def _unfilled(day: Day, slot: Unfilled) -> Body:
    visit = day.visit(slot.visit)
    return {
        "visit": slot.visit,
        "slot": slot.slot,
        "customer": visit.customer_id,
        "start": visit.start.isoformat(),
        "popback": visit.popback,
        "revision": visit.revision,
        "reason": slot.reason,
        "nearest": [asdict(near) for near in slot.nearest],
    }


def _pin(pin: Pin) -> Body:
    return {"workers": list(pin.workers), "start": None if pin.start is None else pin.start.isoformat()}


def _slots(body: Mapping[str, Any]) -> dict[tuple[str, int], tuple[str | None, str | None]]:
    found: dict[tuple[str, int], tuple[str | None, str | None]] = {
        (stop["visit"], stop["slot"]): (worker, stop["start"]) for worker, stop in stops_of(body)
    }
    return found | {(each["visit"], each["slot"]): (None, None) for each in body["unfilled"]}


def _words(visit: str, before: Sequence[str | None], after: Sequence[str | None], *, zone: str) -> str:
    def said(worker: str | None, start: str | None) -> str:
        if worker is None or start is None:
            return "nobody"
        return f"{worker} at {in_zone(datetime.fromisoformat(start), zone=zone):%H:%M}"

    return f"Visit {visit}: was {said(*before)}, becomes {said(*after)}."


def _iso(day: Day, second: int) -> str:
    return day.instant(second).isoformat()


def _second(day: Day, text: str) -> int:
    return day.second(datetime.fromisoformat(text))
