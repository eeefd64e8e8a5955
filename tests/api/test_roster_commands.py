"""`popback roster …` as typed: drafts for a person to publish, whatever is stopped or killed on the way; and sentences for what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import time_machine
from click.testing import Result
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from api.cli import app
from evm.domain.ids import CustomerId, LocalityId, ProviderId, WorkerId
from evm.domain.people import Locality, Provider
from evm.gateways import road_table
from evm.services.contracts import add_contract
from evm.store import people, plans, rosters
from evm.store.rosters import RosterRecord, RosterState
from tests.planning import COUNCIL, LOCALITY, MONDAY, PROVIDER, a_customer, a_visit, a_worker, home, instant, settle
from tests.rostering.test_scale import scheduler, started, worker

__all__ = ["scheduler"]

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = ROOT / "api" / "schema"
WEEK = [MONDAY + timedelta(days=number) for number in range(7)]
PLACES = ("m14", "m15", "m16")

Run = Callable[..., Result]


def plan_week(session: Session, locality: str) -> None:
    visits = [
        a_visit(
            f"{locality}-{day:%a}{hour}".lower(),
            customer=f"c{number + 1}" if locality == LOCALITY else f"{locality}-c{number + 1}",
            at=instant(hour, day=day),
            locality_id=LocalityId(locality),
        )
        for day in WEEK
        for number, hour in enumerate((8, 9, 12))
    ]
    plans.add_planned_visits(session, visits=visits)


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """Three localities of three customers, three workers and a planned week each."""
    with sessions.begin() as session:
        settle(session)
        plan_week(session, "m14")
        for locality in PLACES[1:]:
            place = LocalityId(locality)
            people.add_localities(
                session,
                localities=[Locality(locality_id=place, council_id=COUNCIL, name=locality, outward_codes=())],
            )
            people.add_customers(
                session,
                customers=[
                    a_customer(n, customer_id=CustomerId(f"{locality}-c{n}"), locality_id=place) for n in (1, 2, 3)
                ],
            )
            people.add_workers(
                session,
                workers=[a_worker(n, worker_id=WorkerId(f"{locality}-w{n}"), locality_id=place) for n in (1, 2, 3)],
            )
            plan_week(session, locality)
    return sessions


@pytest.fixture
def words(database_url: str, tmp_path: Path) -> list[str]:
    """What every command line ends with."""
    return ["--data", str(tmp_path / "data"), "--database", database_url]


@pytest.fixture
def run(words: list[str], town: sessionmaker[Session]) -> Iterator[Run]:
    """Types a command against the town, on the Friday before its week."""
    del town
    with time_machine.travel(instant(12, day=MONDAY - timedelta(days=3)), tick=True):
        yield lambda *given: CliRunner().invoke(app, ["roster", *map(str, given), *words])


def answer(result: Result, *, exit_code: int = 0) -> Any:
    assert result.exit_code == exit_code, result.output
    found = json.loads(result.stdout)
    jsonschema.validate(found, json.loads((SCHEMAS / "roster_make.json").read_text()))
    return found


def kept(town: sessionmaker[Session]) -> tuple[RosterRecord, ...]:
    with town() as session:
        return rosters.list_rosters(session, since_day=WEEK[0], until_day=WEEK[6] + timedelta(days=1))


def test_a_day_s_roster_is_made_as_a_draft(run: Run, town: sessionmaker[Session]) -> None:
    """Without a command a branch could make its rosters only by writing Python."""
    made = answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "20", "--json"))
    assert (made["day"], made["unfilled"], made["stopped"]) == (MONDAY.isoformat(), 0, False)
    assert made["objective"] >= made["lower_bound"] >= 0
    (record,) = kept(town)
    assert [record.roster_id] == made["rosters"]
    assert record.state is RosterState.DRAFT


def test_the_same_seed_and_iterations_give_the_same_roster(run: Run, town: sessionmaker[Session]) -> None:
    """Nobody could explain a roster that comes out differently each time."""
    for _ in range(2):
        answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "20", "--seed", "4", "--json"))
    first, second = kept(town)
    assert first.body["runs"] == second.body["runs"]


def test_a_week_is_seven_drafts(run: Run, town: sessionmaker[Session]) -> None:
    """The office plans by weeks."""
    made = answer(run("make", "--locality", "m14", "--week", MONDAY, "--iterations", "20", "--json"))
    assert [record.roster_id for record in kept(town)] == made["rosters"]
    assert [record.day for record in kept(town)] == WEEK


def test_all_localities_are_made_and_not_made_again(run: Run, town: sessionmaker[Session]) -> None:
    """A run that was broken off goes on where it was; one with nothing to do does nothing."""
    options = ("--all-localities", "--week", MONDAY, "--iterations", "20", "--processes", "2", "--json")
    made = answer(run(*options))
    assert (made["localities"], made["made"], made["saved_before"], made["failed"]) == (3, 3, 0, 0)
    assert {week["locality_id"] for week in made["weeks"]} == set(PLACES)
    assert len(kept(town)) == 21
    again = answer(run(*options))
    assert (again["made"], again["saved_before"]) == (0, 3)
    assert len(kept(town)) == 21
    with town.begin() as session:
        plans.add_planned_visits(session, visits=[a_visit("more", at=instant(13, day=WEEK[3]))])
    changed = answer(run(*options))
    assert (changed["made"], changed["saved_before"]) == (1, 2)
    anew = answer(run(*options, "--again"))
    assert (anew["made"], anew["saved_before"]) == (3, 0)


def test_one_locality_that_cannot_be_made_leaves_the_others(run: Run, town: sessionmaker[Session]) -> None:
    """One contract that has ended must not cost the county its rosters."""
    with town.begin() as session:
        people.add_providers(session, providers=[Provider(provider_id=ProviderId("other"), name="Other")])
        for locality in PLACES:
            add_contract(
                session,
                contract_id=f"c-{locality}",
                provider_id="other" if locality == "m15" else PROVIDER,
                locality_id=locality,
                since=MONDAY,
            )
    made = answer(run("--all-localities", "--week", MONDAY, "--iterations", "5", "--json"), exit_code=1)
    assert (made["made"], made["failed"]) == (2, 1)
    (failed,) = [week for week in made["weeks"] if week["failed"]]
    assert "northcare holds no contract for locality m15" in failed["failed"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("make", "--locality", "m14"), "say --day or --week, one of them"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--week", "2026-11-23"), "say --day or --week"),
        (("make", "--day", "2026-11-23"), "say --locality with its id, or --all-localities"),
        (("make", "--locality", "nowhere", "--day", "2026-11-23"), "there is no 'nowhere'; there are m14, m15, m16"),
        (("make", "--locality", "m14", "--day", "2027-02-01"), "no visit is planned in m14 from 2027-02-01 to before 2027-02-02"),
        (("make", "--locality", "m14", "--week", "2026-11-25"), "2026-11-25 is no Monday: name the week by its Monday, 2026-11-23"),
        (("--all-localities", "--week", "2026-11-25"), "2026-11-25 is no Monday"),
        (("--all-localities", "--day", "2026-11-23"), "--all-localities makes weeks"),
        (("make", "--locality", "m14", "--provider", "x", "--day", "2026-11-23"), "name one that has visits or care workers in m14: northcare"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--cluster", "tcp://x"), "go with --all-localities"),
        (("--all-localities", "--week", "2026-11-23", "--cluster", "tcp://127.0.0.1:1"), "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--seconds", "5", "--iterations", "5"), "not both"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--travel", "train"), "'train' is no source of travel times: say great-circle, roads:"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--travel", "roads:nowhere.osm.pbf"), "nowhere.osm.pbf is no file"),
        (("make", "--locality", "m14", "--day", "2026-11-23", "--travel", "osrm:http://example.org"), "would send the places of homes in the clear"),
    ],
)  # fmt: skip
@pytest.mark.database("sqlite")
def test_what_cannot_be_meant_is_answered_with_the_remedy(run: Run, given: tuple[str, ...], sentence: str) -> None:
    """Broken: a mistyped word would end in a traceback, or in a roster of something else."""
    refused = run(*given)
    assert refused.exit_code == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.output
    assert refused.stdout == ""


@pytest.mark.database("sqlite")
def test_a_silent_routing_server_is_said_and_the_roster_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The week must be rostered although a server is down, and everybody must see that it was."""
    monkeypatch.setattr(road_table, "TRIES_MAX", 1)
    done = run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "5", "--json", "--travel", "osrm:http://127.0.0.1:1")  # fmt: skip
    made = answer(done)
    (said,) = made["said"]
    assert said.startswith("Travel times are the policy's, as the crow flies: the routing server at 127.0.0.1 does not")
    assert said in done.stderr


@pytest.mark.database("sqlite")
def test_roads_of_an_extract_are_read_once(run: Run, tmp_path: Path) -> None:
    """A roster by road takes the long way round, and the second does not read the extract again."""
    road = [(home(1).latitude, home(1).longitude + side) for side in (0, 0.02)] + [
        (home(n).latitude, home(n).longitude + 0.02) for n in (3, -3)
    ]
    nodes = "".join(
        f'<node id="{n}" version="1" lat="{lat}" lon="{lon}"/>' for n, (lat, lon) in enumerate(road, start=1)
    )
    ways = "".join(
        f'<way id="{n}" version="1"><nd ref="{a}"/><nd ref="{b}"/><tag k="highway" v="service"/></way>'
        for n, (a, b) in enumerate([(1, 2), (2, 3), (2, 4)], start=1)
    )
    extract = tmp_path / "town.osm"
    extract.write_text(f'<osm version="0.6" generator="test">{nodes}{ways}</osm>')
    words = (
        "make",
        "--locality",
        "m14",
        "--day",
        MONDAY,
        "--iterations",
        "5",
        "--travel",
        f"roads:{extract}",
        "--json",
    )
    done = run(*words)
    made = answer(done)
    assert "reading the roads of town.osm" in done.stderr
    assert "OpenStreetMap contributors" in made["travel_attribution"]
    assert made["said"][0].endswith("too far from any road for car; journeys there are the policy's, as the crow flies. Check the place.")  # fmt: skip
    again = run(*words)
    assert answer(again)["travel_minutes"] == made["travel_minutes"]
    assert "reading the roads" not in again.stderr
    flown = answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "5", "--json"))
    assert flown["travel_minutes"] < made["travel_minutes"]


def typed(words: list[str], *given: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "roster", *given, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def heard(command: subprocess.Popen[str], said: str) -> None:
    """Wait until the command has said something on standard error."""
    assert command.stderr is not None
    lines = []
    for line in command.stderr:
        if said in line:
            return
        lines.append(line)
    raise AssertionError(f"never said {said!r}, but {''.join(lines)}")


@pytest.mark.slow
@pytest.mark.database("sqlite")
def test_ctrl_c_keeps_the_best_roster_found_so_far(town: sessionmaker[Session], words: list[str]) -> None:
    """Somebody who has seen enough must not have to throw the roster away."""
    command = typed(words, "make", "--locality", "m14", "--day", MONDAY.isoformat(), "--seconds", "600", "--json")
    heard(command, "iterations, best")
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    made = json.loads(out)
    assert made["stopped"]
    assert "the best roster found so far is kept as a draft" in err
    (record,) = kept(town)
    assert ([record.roster_id], record.unfilled) == (made["rosters"], 0)


@pytest.mark.slow
@pytest.mark.database("sqlite")
def test_ctrl_c_keeps_the_best_week_found_so_far(town: sessionmaker[Session], words: list[str]) -> None:
    """A week takes minutes: its first plan is soon there, and stopping must keep it."""
    command = typed(words, "make", "--locality", "m14", "--week", MONDAY.isoformat(), "--seconds", "600", "--json")
    heard(command, " iterations, best ")
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    made = json.loads(out)
    assert (made["stopped"], len(made["rosters"])) == (True, 7)
    assert made["unfilled"] < made["worker_visits"] / 4
    assert [record.violations for record in kept(town)] == [0] * 7


@pytest.mark.slow
@pytest.mark.database("sqlite")
def test_ctrl_c_keeps_what_every_locality_has_found(town: sessionmaker[Session], words: list[str]) -> None:
    """Stopping a long run must not throw away the weeks it was in the middle of."""
    given = ("--all-localities", "--week", MONDAY.isoformat(), "--seconds", "600", "--processes", "2", "--json")
    command = typed(words, *given)
    heard(command, "solving on")
    time.sleep(1)
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    made = json.loads(out)
    assert (made["made"], made["failed"], made["stopped"]) == (2, 0, True), err
    assert "2 of 3 are made and saved; the same command goes on with the rest" in err
    assert len(kept(town)) == 14


@pytest.mark.slow
@pytest.mark.database("sqlite")
def test_a_killed_command_goes_on_where_it_was(town: sessionmaker[Session], words: list[str]) -> None:
    """A night's work must not begin again because a machine was restarted."""
    given = ("--all-localities", "--week", MONDAY.isoformat(), "--seconds", "1.5", "--processes", "1", "--json")
    command = typed(words, *given)
    heard(command, "1 of 3: ")
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate()
    saved = len(kept(town))
    assert saved in {7, 14}
    out, err = typed(words, *given).communicate(timeout=120)
    made = json.loads(out)
    assert (made["saved_before"], made["made"]) == (saved // 7, 3 - saved // 7), err
    assert len(kept(town)) == 21


@pytest.mark.slow
def test_a_killed_dask_worker_costs_no_roster(scheduler: str, town: sessionmaker[Session], words: list[str]) -> None:
    """Machines of a cluster come and go: every roster is made all the same, once."""
    given = ("--all-localities", "--week", MONDAY.isoformat(), "--seconds", "6", "--cluster", scheduler, "--json")
    with worker(scheduler) as one, worker(scheduler):
        command = typed(words, *given)
        kill_when_busy(one, command)
        out, err = command.communicate(timeout=240)
    assert command.returncode == 0, err
    made = json.loads(out)
    assert (made["made"], made["failed"]) == (3, 0), err
    assert len(kept(town)) == 21
    assert one.process.returncode == -signal.SIGKILL


def kill_when_busy(one: started, command: subprocess.Popen[str]) -> None:
    """SIGKILL the worker once the command has begun to use it."""
    heard(command, "solving on")
    time.sleep(2)
    one.kill()


def published(run: Run) -> str:
    """m14's Monday, made and published; the roster's id."""
    (roster_id,) = answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "20", "--json"))["rosters"]
    done = run("publish", "--roster", roster_id, "--by", "ana", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["roster"] == roster_id
    return str(roster_id)


def fits(result: Result, schema: str) -> Any:
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{schema}.json").read_text()))
    return found


def test_the_visits_of_somebody_sick_are_given_to_others_in_a_draft(run: Run, town: sessionmaker[Session]) -> None:
    """At eight in the morning the office needs the day mended, and to see it before anybody is told."""
    roster_id = published(run)
    (record,) = kept(town)
    sick = record.body["runs"][0]["worker"]
    theirs = {stop["visit"] for run_ in record.body["runs"] if run_["worker"] == sick for stop in run_["stops"]}
    done = fits(run("replan", "--locality", "m14", "--day", MONDAY, "--sick", sick, "--json"), "roster_replan")
    assert (done["published"], done["away"], done["unfilled"]) == (roster_id, [sick], [])
    assert {change["visit"] for change in done["changed"] if change["is_of_those_away"]} == theirs
    assert sick not in {change["becomes"]["worker"] for change in done["changed"]}
    with town() as session:
        draft = rosters.roster(session, roster_id=done["roster"])
    assert draft is not None
    assert (draft.state, draft.violations, draft.body["made"], draft.body["away"]) == (RosterState.DRAFT, 0, "mended", [sick])  # fmt: skip
    assert sick not in {run_["worker"] for run_ in draft.body["runs"]}
    assert run("publish", "--roster", done["roster"], "--by", "ana").exit_code == 0


@pytest.mark.database("sqlite")
def test_a_roster_says_why_it_is_as_it_is(run: Run) -> None:
    """A roster nobody can question is one nobody trusts."""
    roster_id = published(run)
    whole = fits(run("explain", "--roster", roster_id, "--json"), "roster_explain")
    assert (whole["state"], whole["made"], whole["unfilled"]) == ("published", "generated", [])
    assert whole["objective"] == sum(whole["score"].values()) >= whole["lower_bound"]
    one = fits(run("explain", "--roster", roster_id, "--visit", "m14-mon9", "--json"), "roster_explain")
    assert len(one["workers"]) == 1
    assert {other["workers"][0] for other in one["others"]} == {"w1", "w2", "w3"} - set(one["workers"])
    assert all(other["points"] >= one["points"] for other in one["others"])


@pytest.mark.database("sqlite")
def test_a_visit_nobody_has_says_what_would_make_it_possible(run: Run, town: sessionmaker[Session]) -> None:
    """The office has to decide what gives: it must be told the least that would do."""
    with town.begin() as session:
        plans.add_planned_visits(session, visits=[a_visit("late", at=instant(21))])
    (roster_id,) = answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "5", "--json"))["rosters"]
    one = fits(run("explain", "--roster", roster_id, "--visit", "late", "--json"), "roster_explain")
    assert (one["workers"], len(one["unfilled"])) == ([], 1)
    assert set(one["possible_if"]["conflict"]) == {"windows", "availability"}
    assert one["possible_if"]["relax"] == ["let it start outside its window"]
    assert one["possible_if"]["workers"][0] in {"w1", "w2", "w3"}


@pytest.mark.database("sqlite")
def test_rosters_are_listed_by_week(run: Run) -> None:
    """Explaining and publishing ask for a roster's id: it must be found somewhere."""
    roster_id = published(run)
    listed = json.loads(run("list", "--week", MONDAY, "--locality", "m14", "--json").stdout)["rosters"]
    assert [(each["roster"], each["state"], each["day"]) for each in listed] == [(roster_id, "published", MONDAY.isoformat())]  # fmt: skip
    assert roster_id in run("list", "--week", MONDAY).stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("replan", "--locality", "m14", "--day", "2026-11-24", "--sick", "w1"), "No roster of m14 is published for 2026-11-24: make one instead"),
        (("replan", "--locality", "m14", "--day", "2026-11-23", "--sick", "w9"), "w9 is not a worker of this locality; there are w1, w2, w3"),
        (("explain", "--roster", "r0"), "There is no roster r0: popback roster list names them"),
        (("publish", "--roster", "r0", "--by", "ana"), "There is no such roster"),
        (("list", "--week", "2026-11-23", "--locality", "m41"), "--locality: there is no 'm41'; there are m14, m15, m16"),
    ],
)  # fmt: skip
@pytest.mark.database("sqlite")
def test_what_cannot_be_mended_or_explained_is_said(run: Run, given: tuple[str, ...], sentence: str) -> None:
    """Broken: a wrong day or worker would end in a traceback."""
    published(run)
    refused = run(*given)
    assert refused.exit_code == 2
    assert sentence in refused.stderr


@pytest.mark.database("sqlite")
def test_a_roster_of_the_past_or_by_nobody_is_not_published(run: Run, town: sessionmaker[Session]) -> None:
    """Workers would be told today where to be last week, and nobody would have said so."""
    (roster_id,) = answer(run("make", "--locality", "m14", "--day", MONDAY, "--iterations", "5", "--json"))["rosters"]
    nobody = run("publish", "--roster", roster_id, "--by", " ")
    with time_machine.travel(instant(8, day=MONDAY + timedelta(days=1))):
        late = run("publish", "--roster", roster_id, "--by", "ana")
    assert (nobody.exit_code, late.exit_code) == (2, 2)
    assert "--by: empty; say who publishes it" in nobody.stderr
    assert "2026-11-23 is over: a roster of the past is not published" in late.stderr
    assert [record.state for record in kept(town)] == [RosterState.DRAFT]
