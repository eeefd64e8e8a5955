"""Visits and workers as CSV and JSON: read, refused with line and column, solved, and the roster written back."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.formats import plain
from rostering.formats.any_file import read_any
from rostering.formats.error import FormatError
from rostering.formats.solve_file import solve_file
from rostering.problem import Break, Shift, Window

VISITS = """visit,customer,date,latitude,longitude,earliest,latest,minutes,workers,skills,note_address
v1,Ada,26/11/2026,53.80,-1.55,07:00,08:00,30,1,,1 Mill Lane
v2,Bea,26/11/2026,53.81,-1.55,08:00,09:30,45,2,hoist,"=HYPERLINK(""x"")"
v3,Ada,27/11/2026,53.80,-1.55,18:00,19:00,30,,,
"""
WORKERS = """worker,date,latitude,longitude,start,end,skills,mode
w1,26/11/2026,53.79,-1.54,06:30,14:00,hoist; medication,car
w2,26/11/2026,53.79,-1.56,07:00,13:00,hoist,car
w1,27/11/2026,53.79,-1.54,16:00,22:00,,
"""


@pytest.fixture
def pair(tmp_path):
    """The two files of a small branch."""
    return files(tmp_path)


def files(folder, visits=VISITS, workers=WORKERS):
    """A pair of files of these texts."""
    (folder / "visits.csv").write_bytes(visits if isinstance(visits, bytes) else visits.encode())
    (folder / "workers.csv").write_bytes(workers if isinstance(workers, bytes) else workers.encode())
    return folder / "visits.csv"


def test_rows_become_visits_and_workers(pair):
    """A column read into the wrong place would roster another day."""
    file_format, instance = read_any(path=pair)
    assert file_format is plain
    first, second, third = instance.problem.demands
    assert first.windows == (Window(7 * 3600, 8 * 3600),)
    assert third.windows == (Window(86_400 + 18 * 3600, 86_400 + 19 * 3600),)
    assert [len(demand.slots) for demand in (first, second, third)] == [1, 2, 1]
    assert second.slots[0].skills == {"hoist"}
    assert (first.customer, first.place, second.slots[0].service_seconds) == ("Ada", third.place, 45 * 60)
    w1, w2 = instance.problem.workers
    assert w1.shifts == (Shift(6 * 3600 + 1800, 14 * 3600), Shift(86_400 + 16 * 3600, 86_400 + 22 * 3600))
    assert w1.skills == {"hoist", "medication"}
    assert w2.id == "w2"
    assert instance.problem.travel.between("car", 0, 1) % 60 == 0


def test_the_roster_comes_back_as_csv_with_the_notes_and_no_formula(pair, tmp_path):
    """A spreadsheet runs a cell that begins with an equals sign; a branch needs its own columns beside each stop."""
    out = tmp_path / "roster.csv"
    result = solve_file(path=pair, seconds=1.5, seed=1, out=out)
    assert result["feasible"]
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert sorted((row["visit"], row["slot"], row["date"]) for row in rows) == [
        ("v1", "1", "26/11/2026"),
        ("v2", "1", "26/11/2026"),
        ("v2", "2", "26/11/2026"),
        ("v3", "1", "27/11/2026"),
    ]
    together = [row for row in rows if row["visit"] == "v2"]
    assert together[0]["start"] == together[1]["start"]
    assert {row["worker"] for row in together} == {"w1", "w2"}
    assert together[0]["note_address"].startswith("'=")
    assert next(row for row in rows if row["visit"] == "v1")["note_address"] == "1 Mill Lane"


def test_the_same_tables_as_json_give_the_same_problem(pair, tmp_path):
    """Two ways in with two meanings."""
    tables = {}
    for name, whole in (("visits", VISITS), ("workers", WORKERS)):
        rows = list(csv.DictReader(io.StringIO(whole)))
        tables[name] = [{key: value for key, value in row.items() if value} for row in rows]
    tables["visits"][0]["minutes"] = 30
    tables["workers"][0]["skills"] = ["hoist", "medication"]
    path = tmp_path / "day.json"
    path.write_text(json.dumps(tables))
    assert plain.read(path=path).problem.demands == plain.read(path=pair).problem.demands
    assert plain.read(path=path).problem.workers == plain.read(path=pair).problem.workers
    out = tmp_path / "out.json"
    solve_file(path=path, seconds=1.5, seed=1, out=out)
    answer = json.loads(out.read_text())
    assert sorted(stop["visit"] for run in answer["runs"] for stop in run["stops"]) == ["v1", "v2", "v2", "v3"]
    assert answer["unfilled"] == []


def test_an_unfilled_visit_is_a_row_with_its_reason(tmp_path):
    """A visit that nobody can do must not vanish from the sheet."""
    path = files(tmp_path, VISITS.replace("hoist,", "lift,"))
    out = tmp_path / "roster.csv"
    result = solve_file(path=path, seconds=1, seed=1, out=out)
    assert result["unfilled"] == 2
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    missing = [row for row in rows if row["visit"] == "v2"]
    assert len(missing) == 2
    assert all(row["reason"] and not row["worker"] for row in missing)


def test_without_out_the_roster_goes_to_a_file_like_the_one_read(pair, tmp_path, monkeypatch):
    """A CSV user is given CSV."""
    monkeypatch.chdir(tmp_path)
    assert solve_file(path=pair, seconds=0.5, seed=1)["solution"] == "visits.solution.csv"
    assert (tmp_path / "visits.solution.csv").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("earliest", "earlyest", "visits.csv, line 1, earlyest: not a column that is known; is 'earliest' meant?"),
        (",latest", ",lates", "'latest' meant"),
        ("customer", "visit", "line 1, visit: a column that stands twice"),
        ("minutes,", "", "visits.csv, line 1, minutes: missing"),
        ("07:00", "7am", "visits.csv, line 2, earliest: '7am' is not a time"),
        ("07:00", "07:60", "line 2, earliest"),
        ("08:00,30", "06:00,30", "line 2, latest: before the earliest start 07:00"),
        ("26/11/2026", "2026-11-26", "line 2, date: '2026-11-26' is not a date; write DD/MM/YYYY"),
        ("27/11/2026", "31/02/2026", "line 4, date"),
        ("27/11/2026", "27/11/2027", "line 4, date: 367 days after the first"),
        ("27/11/2026", "", "line 4, date: empty, and other rows have one"),
        ("53.80", "abc", "line 2, latitude: 'abc' is not a number"),
        ("53.80", "nan", "line 2, latitude"),
        ("53.80", "530.80", "line 2, latitude: 530.80 is not from -90 to 90"),
        ("08:00,30", "08:00,-30", "line 2, minutes: -30 is not from 0"),
        ("08:00,30", "08:00,7.5", "line 2, minutes: 7.5 is not whole"),
        ("45,2", "45,3", "line 3, workers: 3 is not from 1 to 2"),
        ("v2,", "v1,", "'v1' twice"),
        ("v2,", ",", "line 3, visit: empty"),
        ("1 Mill Lane", "1 Mill Lane,more", "line 2: 12 cells, and 11 columns"),
        ("1 Mill Lane", '"1 Mill', "broken CSV"),
        ("1 Mill Lane", "x" * 140_000, "broken CSV"),
    ],
)
def test_a_broken_table_is_refused_with_its_line_and_column(tmp_path, old, new, said):
    """Whoever keeps the sheet must be told which cell."""
    with pytest.raises(FormatError) as refused:
        plain.read(path=files(tmp_path, VISITS.replace(old, new, 1)))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("14:00", "06:00", "workers.csv, line 2, end: not after the start 06:30; a shift over midnight ends at 31:00"),
        ("car", "boat", "line 2, mode: 'boat' is none of"),
        ("53.79,-1.54,16:00", "53.70,-1.54,16:00", "line 4, latitude: unlike workers.csv, line 2"),
    ],
)
def test_a_broken_table_of_workers_is_refused_with_its_line_and_column(tmp_path, old, new, said):
    """Whoever keeps the sheet must be told which cell."""
    with pytest.raises(FormatError) as refused:
        plain.read(path=files(tmp_path, workers=WORKERS.replace(old, new, 1)))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (VISITS.encode("utf-16"), "UTF-16"),
        (VISITS.replace("Mill", "Café").encode("cp1252"), "CSV UTF-8"),
        (b"", "empty"),
        (b"\x00\x01", "no text"),
    ],
)
def test_row_60_another_encoding_is_refused_not_mangled(tmp_path, raw, said):
    """Names turned into mojibake without a word."""
    with pytest.raises(FormatError, match=said):
        plain.read(path=files(tmp_path, raw))


def test_a_byte_order_mark_and_blank_lines_are_read_over(tmp_path):
    """Spreadsheets write both."""
    path = files(tmp_path, b"\xef\xbb\xbf" + VISITS.replace("\n", "\r\n").encode() + b"\r\n,,,,\r\n")
    assert len(plain.read(path=path).problem.demands) == 3


def test_a_missing_partner_is_named(tmp_path):
    """Half a pair is no question."""
    path = files(tmp_path)
    (tmp_path / "workers.csv").unlink()
    with pytest.raises(FormatError, match=r"workers\.csv: there is no such file beside visits\.csv"):
        plain.read(path=path)
    (tmp_path / "calls.csv").write_text(VISITS)
    with pytest.raises(FormatError, match=r"visits\.csv and workers\.csv"):
        plain.read(path=tmp_path / "calls.csv")


def test_no_visits_and_no_workers_are_legal(tmp_path):
    """A day off, and a day when nobody is on."""
    head = VISITS.splitlines()[0] + "\n"
    assert solve_file(path=files(tmp_path, head), seconds=0.3, seed=1, out=tmp_path / "a.csv")["feasible"]
    nobody = files(tmp_path, workers=WORKERS.splitlines()[0] + "\n")
    assert solve_file(path=nobody, seconds=0.3, seed=1, out=tmp_path / "a.csv")["unfilled"] == 4


def test_every_column_reaches_the_problem_and_the_roster_keeps_it(tmp_path):
    """A wish or a rule of a column that is read and then forgotten."""
    visits = (
        "visit,customer,latitude,longitude,earliest,latest,minutes,gender,language,preferred_start,preferred_workers,"
        "excluded_workers,pinned_workers,gap_minutes\n"
        "a,Ada,53.80,-1.55,08:00,12:00,30,female,,10:00,,,,60\n"
        "b,Ada,53.80,-1.55,08:00,12:00,30,,Urdu,,,,,60\n"
        "c,Bea,53.80,-1.56,08:00,12:00,30,,,,w2,w1,,\n"
        "d,Cyd,53.80,-1.56,08:00,12:00,30,,,,,,w1,\n"
    )
    workers = (
        "worker,latitude,longitude,start,end,gender,languages,hours_max,break_minutes,break_after_hours,excluded_customers\n"
        "w1,53.79,-1.54,07:00,14:00,female,Urdu;Polish,6.5,30,3,Bea\n"
        "w2,53.79,-1.56,07:00,14:00,male,,,,,Ada\n"
    )
    path = files(tmp_path, visits, workers)
    problem = plain.read(path=path).problem
    a, b, c, d = problem.demands
    w1, w2 = problem.workers
    assert (a.gender, a.preferred_start, a.gap_seconds, b.language) == ("female", 10 * 3600, 3600, "Urdu")
    assert (c.preferred_workers, c.excluded_workers, d.pinned_workers) == ({"w2"}, {"w1"}, ("w1",))
    assert (w1.gender, w1.languages, w1.hours_limit_seconds) == ("female", {"Urdu", "Polish"}, 23_400)
    assert (w1.break_rule, w1.excluded_customers) == (Break(1800, 10_800), {"Bea"})
    assert (w2.break_rule, w2.excluded_customers) == (None, {"Ada"})
    assert problem.weights.off_preferred == 1
    out = tmp_path / "roster.csv"
    assert solve_file(path=path, seconds=1.5, seed=1, out=out)["feasible"]
    rows = {row["visit"]: row for row in csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig")))}
    assert {visit: row["worker"] for visit, row in rows.items()} == {"a": "w1", "b": "w1", "c": "w2", "d": "w1"}


def test_half_of_a_json_pair_is_named(tmp_path):
    """A file without its workers was taken for another format, and another field was blamed."""
    for name in ("visits", "workers"):
        path = tmp_path / "half.json"
        path.write_text(json.dumps({name: []}))
        with pytest.raises(FormatError, match="missing"):
            read_any(path=path)


def test_a_night_shift_ends_the_next_day(tmp_path):
    """A night of 22:00 to 07:00 refused, or read as a shift backwards."""
    path = files(tmp_path, workers=WORKERS.replace("06:30,14:00", "22:00,31:00"))
    assert plain.read(path=path).problem.workers[0].shifts[0] == Shift(22 * 3600, 31 * 3600)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_damaged_table_brings_anything_but_a_format_error(tmp_path, data):
    """Truncated, or with bytes changed: never a traceback."""
    raw = bytearray(VISITS.encode())
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = files(tmp_path, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    refused = None
    try:
        plain.read(path=path)
    except FormatError as error:
        refused = error
    assert refused is None or refused.where


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 10**30), st.floats(), st.text(max_size=3), st.just([]), st.just({})
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(choice=st.randoms(use_true_random=False), junk=JUNK)
def test_any_one_json_value_replaced_by_junk_is_read_or_refused(tmp_path, choice, junk):
    """Any exception but a named refusal on a fuzzed file."""
    tables = {
        name: [dict(row) for row in csv.DictReader(io.StringIO(whole))]
        for name, whole in (("visits", VISITS), ("workers", WORKERS))
    }
    row = choice.choice(tables[choice.choice(["visits", "workers"])])
    row[choice.choice(list(row))] = junk
    path = tmp_path / "fuzzed.json"
    path.write_text(json.dumps(tables))
    refused = None
    try:
        plain.read(path=path)
    except FormatError as error:
        refused = error
    assert refused is None or refused.where
