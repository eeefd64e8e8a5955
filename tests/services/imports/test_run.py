"""A file is taken in whole or not at all, once, in order, with every wrong row named: bad-input rows 67, 69, 70, 71 and 74."""

import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.services.imports.csv_file import FileRefused
from evm.store import imports, people
from tests.services.imports.files import ANN, BOB, CUSTOMERS, NOW, OTHER, PROVIDER, settle, take, taken, words_of


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    settle(sessions)
    return sessions


def names(town: sessionmaker[Session]) -> list[str]:
    with town() as session:
        return [one.name for one in people.customers(session)]


def test_a_dry_run_shows_what_would_change_and_keeps_nothing(town, tmp_path):
    """A preview that writes is no preview; one by other code would promise what the real run does not do."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN)
    changed = CUSTOMERS + ANN.replace("Ann", "Anne") + BOB
    report = take(town, tmp_path, "customers", changed, dry_run=True)
    assert (report.new, report.changed, report.same, report.rejected, report.taken_in) == (1, 1, 0, 0, False)
    assert [(each.row, each.outcome, each.words) for each in report.changes] == [
        (2, "changed", "name: Ann → Anne"),
        (3, "new", "Bob"),
    ]
    assert names(town) == ["Ann"]
    with town() as session:
        assert len(imports.records(session)) == 1
    assert taken(town, tmp_path, "customers", changed).changes == report.changes
    assert names(town) == ["Anne", "Bob"]


def test_row_70_the_same_file_again_is_done_nothing_about_and_says_when_it_was(town, tmp_path):
    """A second click would make a second version of every plan."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN)
    again = take(town, tmp_path, "customers", CUSTOMERS + ANN, now=NOW + timedelta(days=1))
    assert again.already is not None
    assert (again.already.imported_at, again.already.imported_by, again.already.rows_new) == (NOW, "a test", 1)
    assert (again.rows, again.taken_in, again.refused) == (0, False, False)


def test_row_71_one_bad_row_in_5000_keeps_all_out_and_is_named(town, tmp_path):
    """4,999 customers taken in and one forgotten is worse than none."""
    rows = [f"c{n},Name {n},{n} Example Road,LS1 4AP,53.7997,-1.5492\n" for n in range(5_000)]
    rows[3_210] = rows[3_210].replace("LS1 4AP", "nowhere")
    report = take(town, tmp_path, "customers", [CUSTOMERS, *rows])
    assert (report.rejected, report.errors_total, report.new) == (1, 1, 4_999)
    assert words_of(report)[0][:2] == (3_212, "postcode")
    assert names(town) == []
    with town() as session:
        assert imports.records(session) == ()


def test_every_error_is_counted_and_the_first_thousand_kept(town, tmp_path):
    """A wrong column would fill the memory and the terminal with fifty thousand sentences."""
    rows = [f"c{n},Name,Road,nowhere,53.7997,-1.5492\n" for n in range(2_500)]
    report = take(town, tmp_path, "customers", [CUSTOMERS, *rows])
    assert (report.errors_total, len(report.errors), report.rejected) == (2_500, 1_000, 2_500)
    assert [error.row for error in report.errors] == list(range(2, 1_002))


def test_a_key_that_stands_twice_in_a_file_is_refused_naming_both_lines(town, tmp_path):
    """The second row would silently win over the first, a thousand lines apart as well."""
    rows = [f"c{n},Name {n},Road,LS1 4AP,53.7997,-1.5492\n" for n in range(1_500)]
    report = take(town, tmp_path, "customers", [CUSTOMERS, *rows, rows[3]])
    assert words_of(report) == [(1_502, "customer", "'c3' stands on line 5 already: a file has each once")]


def test_row_74_an_export_older_than_the_last_one_taken_in_is_refused(town, tmp_path):
    """Last week's file would put last week's addresses back."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN, exported_at=NOW - timedelta(days=1))
    with pytest.raises(FileRefused, match="is taken in already: export it anew") as caught:
        take(town, tmp_path, "customers", CUSTOMERS + BOB, exported_at=NOW - timedelta(days=2))
    assert caught.value.field == "exported_at"
    taken(town, tmp_path, "customers", CUSTOMERS + "c9" + BOB[2:], provider=OTHER, exported_at=NOW - timedelta(days=2))
    taken(town, tmp_path, "customers", CUSTOMERS + BOB, exported_at=NOW)


def test_progress_is_told_and_a_stop_leaves_nothing(town, tmp_path):
    """A long import that cannot be stopped is ended by pulling the plug."""
    rows = [f"c{n},Name {n},Road,LS1 4AP,53.7997,-1.5492\n" for n in range(2_500)]
    told: list[tuple[int, int]] = []
    report = take(
        town,
        tmp_path,
        "customers",
        [CUSTOMERS, *rows],
        progress=lambda done, total: told.append((done, total)),
        stop=lambda: len(told) == 2,
    )
    assert told == [(1_000, 2_500), (2_000, 2_500)]
    assert (report.stopped, report.taken_in) == (True, False)
    assert names(town) == []


def test_row_67_what_looks_like_a_formula_is_stored_as_it_came(town, tmp_path):
    """Stripping it would change what was said; writing it out again is where it is made harmless."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN.replace("Ann", '"=HYPERLINK(""x"")"'))
    assert names(town) == ['=HYPERLINK("x")']


def test_row_69_a_pin_keeps_its_noughts_and_a_spoilt_number_is_refused(town, tmp_path):
    """0042 typed at the door would be nobody's, and 4.47E+11 rings nobody."""
    header = "worker,name,gender,latitude,longitude,postcode,pin,dialled_number\n"
    report = take(town, tmp_path, "workers", header + "w1,Cy,female,53.79,-1.54,LS1 4AP,0042,4.47E+11\n")
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "dialled_number")]
    taken(town, tmp_path, "workers", header + "w1,Cy,female,53.79,-1.54,LS1 4AP,0042,\n")
    with town() as session:
        assert people.worker_of_pin(session, provider_id=PROVIDER, pin="0042") == "w1"
        assert people.worker_of_pin(session, provider_id=PROVIDER, pin="42") is None


@pytest.mark.slow
@pytest.mark.database("sqlite")
def test_memory_stays_flat_however_many_rows_a_file_has(town, tmp_path):
    """Fifty thousand customers held at once would end a small server, and with it everybody's check-ins."""

    def peak(rows: int) -> int:
        content = [f"c{n},Name {n},{n} Example Road,LS1 4AP,53.7997,-1.5492\n" for n in range(rows)]
        take(town, tmp_path, "customers", [CUSTOMERS, *content[:2]], dry_run=True)
        tracemalloc.start()
        report = take(town, tmp_path, "customers", [CUSTOMERS, *content], dry_run=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert report.new == rows
        return most

    assert peak(9_000) < 2 * peak(3_000)


def test_two_imports_of_one_kind_follow_each_other(town, tmp_path):
    """Interleaved, each would check against a state that the other is changing."""
    import threading

    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()
    rows = [f"c{n},Name {n},Road,LS1 4AP,53.7997,-1.5492\n" for n in range(1_500)]

    def held(_done: int, _total: int) -> None:
        inside.set()
        assert leave.wait(30)

    def first() -> None:
        taken(town, tmp_path / "a", "customers", [CUSTOMERS, *rows], progress=held)
        order.append("first")

    def second() -> None:
        report = taken(town, tmp_path / "b", "customers", CUSTOMERS + "c1,Other,Road,LS1 4AP,53.7997,-1.5492\n")
        order.append("second")
        assert (report.new, report.changed) == (0, 1)

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]
