"""Files on the site: looked at first, taken in whole or not at all, by those whose they are."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api import importing
from api.import_desk import INTERRUPTED, STOPPED
from api.importing import UPLOAD_BYTES_MAX
from api.pages import imports as pages
from evm.domain.ids import CouncilId
from evm.domain.people import Council
from evm.domain.policy import Policy
from evm.store import imports, people, uploads
from tests.api.conftest import Clock, Reader, TestClient, csrf
from tests.api.town import NOON
from tests.factories import PROVIDER

HEADER = "worker,name,gender,locality,latitude,longitude,phone\n"
GOOD = HEADER + "w-new,Nora New,female,m14,53.45,-2.22,0161 496 0200\n"
BAD = GOOD + "w-bad,Bert Bad,unknown,m14,53.45,-2.22,\n"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine too, a page is asked for only when the work on its file is done."""
    monkeypatch.setattr(pages, "WAIT_SECONDS", 60)


def upload(
    client: TestClient,
    text: str | bytes = GOOD,
    *,
    name: str = "staff.csv",
    choice: str = "workers:standard",
    **more: str,
) -> Any:
    """Send a file as a browser does, and follow to its page."""
    fields = {"csrf_token": csrf(client.get("/imports").text), "choice": choice, **more}
    content = text.encode() if isinstance(text, str) else text
    answer = client.post("/imports", data=fields, files={"file": (name, content, "text/csv")})
    return client.get(answer.headers["location"]) if answer.status_code == 303 else answer


def act(client: TestClient, page: Any, verb: str, **changes: str) -> Any:
    """Press one of the page's buttons, and follow."""
    where = page.url.path
    sha256 = page.text.partition('name="sha256" value="')[2][:64]
    fields = {"csrf_token": csrf(page.text), **({"sha256": sha256} if verb == "confirm" else {}), **changes}
    answer = client.post(f"{where}/{verb}", data=fields)
    return client.get(answer.headers["location"]) if answer.status_code == 303 else answer


def names(sessions: sessionmaker[Session]) -> set[str]:
    with sessions() as session:
        return {one.name for one in people.workers(session)}


def test_a_file_is_looked_at_then_taken_in_and_stands_in_the_history(
    visitor: Reader, sessions: sessionmaker[Session]
) -> None:
    """Broken: looking at a file would change something, or confirming it would not."""
    client = visitor("branch")
    page = upload(client)
    assert "Nothing was taken in yet" in page.text
    assert "Nora New" not in names(sessions)
    done = act(client, page, "confirm")
    assert "Taken in" in done.text
    assert "Nora New" in names(sessions)
    with sessions() as session:
        (record,) = imports.records(session)
        assert uploads.content(session, upload_id=page.url.path[-32:]) is None, "the bytes are gone"
    assert (record.file_name, record.imported_by, record.provider_id) == ("staff.csv", "Branch Person", "kindly")
    assert "staff.csv" in client.get("/imports").text
    assert "staff.csv" not in visitor("commissioner").get("/imports").text


def test_a_file_with_one_wrong_row_names_it_and_takes_nothing_in(
    visitor: Reader, sessions: sessionmaker[Session]
) -> None:
    """Broken: half a file would be taken in, or nobody would learn which row to mend."""
    page = upload(visitor("branch"), BAD)
    assert "Nothing was taken in" in page.text
    assert "&#39;unknown&#39; is not one of" in page.text
    assert 'data-label="Row">3</th>' in page.text
    assert "/confirm" not in page.text
    assert "Nora New" not in names(sessions)


def test_the_same_file_twice_is_nothing_to_do(visitor: Reader) -> None:
    """Broken: pressing twice would take a file in twice, or frighten with an error."""
    client = visitor("branch")
    act(client, upload(client), "confirm")
    assert "This very file was taken in before, by Branch Person" in upload(client).text


def test_only_the_file_that_was_looked_at_is_taken_in(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: what one confirms would not be what one saw."""
    client = visitor("branch")
    page = upload(client)
    refused = act(client, page, "confirm", sha256="0" * 64)
    assert refused.status_code == 409
    assert "not the file you looked at" in refused.text
    assert "Nora New" not in names(sessions)


def test_confirming_twice_takes_in_once(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a double click would be two imports."""
    client = visitor("branch")
    page = upload(client)
    act(client, page, "confirm")
    assert "Taken in" in act(client, page, "confirm").text
    with sessions() as session:
        assert len(imports.records(session)) == 1


def test_a_branch_takes_in_people_of_its_own_provider_only(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: one provider could bring or change another's people."""
    foreign = (
        "worker,name,gender,locality,latitude,longitude,provider\nw9,Taken Over,female,m5,53.45,-2.22,other-care\n"
    )
    page = upload(visitor("branch"), foreign, provider="other-care")
    assert "this file is imported for kindly only, not for other-care" in page.text
    assert "Taken Over" not in names(sessions)


@pytest.mark.parametrize("who, choice", [("branch", "contracts:standard"), ("commissioner", "customers:standard"), ("branch", "x:y"), ("branch", "")])  # fmt: skip
def test_what_is_not_the_roles_to_take_in_is_not_chosen(visitor: Reader, who: str, choice: str) -> None:
    """Broken: a provider could write itself a contract."""
    page = upload(visitor(who), choice=choice)
    assert page.status_code == 422
    assert "Choose what the file holds" in page.text


def test_a_layout_is_never_a_path_of_the_server(visitor: Reader) -> None:
    """Broken: a form could make the server read a file of its own."""
    assert upload(visitor("admin"), choice="workers:/etc/passwd.toml").status_code == 422


def test_nobody_sees_or_confirms_anothers_upload(visitor: Reader) -> None:
    """Broken: a link would show one provider's people to another."""
    page = upload(visitor("branch"))
    stranger = visitor("admin")
    assert stranger.get(page.url.path).status_code == 404
    token = csrf(stranger.get("/imports").text)
    for verb, more in (("confirm", {"sha256": "0" * 64}), ("discard", {})):
        answer = stranger.post(f"{page.url.path}/{verb}", data={"csrf_token": token, **more})
        assert answer.status_code == 404


def test_who_may_not_take_files_in_sends_none(visitor: Reader) -> None:
    """Broken: a stranger could fill the disk."""
    for who, status in ((None, 401), ("worker", 403), ("safeguarding", 403)):
        answer = visitor(who).post("/imports", data={"csrf_token": "x"}, files={"file": ("a.csv", b"a", "text/csv")})
        assert answer.status_code == status, who


def test_a_form_of_another_session_is_refused(visitor: Reader) -> None:
    """Broken: another site's page could take a file in through somebody's browser."""
    client = visitor("branch")
    answer = client.post("/imports", data={"csrf_token": "x" * 43, "choice": ""}, files={"file": ("a.csv", b"a")})
    assert answer.status_code == 403
    answer = client.post(
        "/imports", data={"csrf_token": "x"}, files={"file": ("a.csv", b"a")}, headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403


def test_row_65_a_file_beyond_ten_megabytes_is_cut_off(visitor: Reader) -> None:
    """Broken: one upload would fill memory or disk; declared or not, it is refused (413) before it is kept."""
    client = visitor("branch")
    token = csrf(client.get("/imports").text)
    large = b"x" * (UPLOAD_BYTES_MAX + 1)
    sent = {"data": {"csrf_token": token, "choice": "workers:standard"}, "files": {"file": ("a.csv", large)}}
    assert client.post("/imports", **sent).status_code == 413
    much = UPLOAD_BYTES_MAX + 70_000
    body = (b"--b\r\n" + b"x" * 8191 for _ in range(much // 8192 + 1))
    unsaid = client.post("/imports", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert unsaid.status_code in {400, 413}
    filler = (b"x" * 8192 for _ in range(much // 8192 + 1))
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    long = client.post(
        "/imports",
        content=(part for parts in ([head], filler) for part in parts),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert long.status_code == 413


@pytest.mark.parametrize(
    "content, words",
    [
        (b"PK\x03\x04" + b"\0" * 100, "a workbook"),
        (HEADER.encode() + b"w,n,female,m14,53,-2,\n" * 50_001, "more than 50,000 rows"),
        (b"\xff\xfeh\0", "UTF-16"),
        (b"", "it is empty"),
    ],
)
def test_row_65_a_workbook_or_a_million_rows_are_never_opened(visitor: Reader, content: bytes, words: str) -> None:
    """Broken: a zip bomb would be unpacked by whoever sends it."""
    page = upload(visitor("branch"), content)
    assert "Nothing was taken in" in page.text
    assert words in page.text


def test_the_name_of_a_file_cannot_lead_anywhere(visitor: Reader) -> None:
    """Broken: a file name could write outside its folder or disguise itself on the page."""
    assert importing.safe_name("../../etc/pass\x00wd") == "passwd"
    assert importing.safe_name("C:\\fakepath\\staff\u202evsc.csv") == "staffvsc.csv"
    assert importing.safe_name(None) == importing.safe_name("..") == "file.csv"
    assert "Nothing was taken in yet" in upload(visitor("branch"), name="../../x.csv").text


def test_a_file_waits_an_hour_for_its_confirmation(
    visitor: Reader, clock: Clock, sessions: sessionmaker[Session]
) -> None:
    """Broken: people's data would lie about for ever, or be taken in long after anybody looked."""
    client = visitor("branch")
    page = upload(client)
    clock.move(minutes=10)
    client.get("/imports")
    clock.move(minutes=51)
    later = visitor("branch")
    assert later.get(page.url.path).status_code == 404
    with sessions.begin() as session:
        assert uploads.forget_expired(session, now=clock()) == 1
        assert uploads.count(session) == 0


def test_what_is_discarded_is_gone(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a file uploaded by mistake would stay."""
    client = visitor("branch")
    page = upload(client)
    assert "Waiting for you" not in act(client, page, "discard").text
    with sessions() as session:
        assert uploads.content(session, upload_id=page.url.path[-32:]) is None


def test_more_uploads_than_one_person_can_look_at_are_refused(visitor: Reader) -> None:
    """Broken: one account could fill the database with files."""
    client = visitor("branch")
    for number in range(5):
        upload(client, GOOD + f"w-{number},N,female,m14,53.45,-2.22,\n")
    assert upload(client).status_code == 409


def test_a_restart_half_way_leaves_nothing_and_says_so(
    visitor: Reader, sessions: sessionmaker[Session], clock: Clock
) -> None:
    """Broken: a page would wait for ever for a process that is gone, or its late end would belie what the page said."""
    client = visitor("branch")
    page = upload(client)
    name = page.url.path[-32:]
    with sessions.begin() as session:
        assert uploads.start_taking(session, upload_id=name, worker="a-process-that-died", now=clock())
    assert "is being taken in" in client.get(page.url.path).text
    clock.move(minutes=2)
    assert INTERRUPTED in client.get(page.url.path).text
    with sessions.begin() as session:
        ended = uploads.end(
            session,
            upload_id=name,
            state=uploads.UploadState.TAKEN,
            was=uploads.UploadState.TAKING,
            expires_at=clock() + timedelta(hours=1),
        )
    assert not ended
    assert "Nora New" not in names(sessions)


def test_a_long_import_holds_nobody_up_shows_how_far_it_is_and_can_be_stopped(
    visitor: Reader, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: the site would stand while a large file is checked, and nobody could stop it."""
    going, may_go_on = threading.Event(), threading.Event()
    real = importing.take_in

    def slow(**given: Any) -> Any:
        given["progress"](1_000, 3_000)
        going.set()
        assert may_go_on.wait(60)
        return real(**given)

    monkeypatch.setattr(importing, "take_in", slow)
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0)
    client = visitor("branch")
    page = upload(client)
    assert going.wait(60)
    page = client.get(page.url.path)
    monkeypatch.setattr(pages, "WAIT_SECONDS", 60)
    assert "1,000 of 3,000 rows" in page.text
    assert page.headers["refresh"] == "2"
    assert client.get("/visits").status_code == 200
    fields = {"csrf_token": csrf(page.text)}
    threading.Timer(0.2, may_go_on.set).start()
    stopped = client.post(f"{page.url.path}/discard", data=fields)
    assert STOPPED in client.get(stopped.headers["location"]).text
    assert "Nora New" not in names(sessions)


def test_an_example_of_every_kind_is_a_file_of_that_kind(visitor: Reader) -> None:
    """Broken: the columns would have to be guessed, one refusal at a time."""
    client = visitor("branch")
    example = client.get("/imports/example/workers.csv")
    assert example.status_code == 200
    assert example.text.startswith("worker,")
    assert client.get("/imports/example/contracts.csv").status_code == 403
    assert client.get("/imports/example/nothing.csv").status_code == 404
    page = upload(client, example.text)
    assert "the header" not in page.text
    assert "<dt>Rows</dt><dd>1</dd>" in page.text


def test_looking_at_a_file_holds_up_no_writer(sessions: sessionmaker[Session], there: object, tmp_path: Path) -> None:
    """Broken: while somebody looks at a large file, no check-in would be stored and nobody could acknowledge an alert."""
    path = tmp_path / "staff.csv"
    path.write_text(GOOD)
    order = importing.Order(
        kind="workers", layout="standard", provider=PROVIDER, council=None, exported_at=None, who="Somebody"
    )
    written: list[int] = []

    def another_writes(done: int, total: int) -> None:
        with sessions.begin() as session:
            people.add_councils(session, councils=[Council(council_id=CouncilId("leeds"), name="Leeds")])
        written.append(done)

    report = importing.take_in(
        sessions=sessions,
        path=path,
        order=order,
        policy=Policy(),
        now=NOON,
        dry_run=True,
        progress=another_writes,
    )
    assert (report.new, written) == (1, [1])
    assert "Nora New" not in names(sessions)


def test_pages_are_read_while_a_file_is_taken_in(
    visitor: Reader, sessions: sessionmaker[Session], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: on SQLite every signed-in person would wait for a large file, or be answered with an error."""
    client = visitor("branch")
    page = upload(client)
    going, may_go_on = threading.Event(), threading.Event()
    real = importing.take_in

    def slow(**given: Any) -> Any:
        with sessions.begin() as session:
            people.add_councils(session, councils=[Council(council_id=CouncilId("leeds"), name="Leeds")])
            going.set()
            assert may_go_on.wait(60)
        return real(**given)

    monkeypatch.setattr(importing, "take_in", slow)
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0)
    act(client, page, "confirm")
    assert going.wait(60)
    clock.move(minutes=1)
    assert client.get("/visits").status_code == 200
    assert "is being taken in" in client.get(page.url.path).text
    may_go_on.set()
    job = client.app.state.desk.job(page.url.path[-32:])
    assert job is None or job.done.wait(60)
    assert "Nora New" in names(sessions)


def test_an_account_without_a_scope_takes_nothing_in(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a branch manager who was given no provider yet could write anybody's workers, for its file would be kept to nobody."""
    client = visitor("lost")
    assert "Your account has no scope yet" in client.get("/imports").text
    everybodys = GOOD.replace("worker,", "provider,worker,").replace("w-new,", "other-care,w-new,")
    assert upload(client, everybodys).status_code == 422
    assert "Nora New" not in names(sessions)
    assert client.get("/imports/example/workers.csv").status_code == 403


def test_an_account_of_one_locality_takes_nothing_in(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a team leader held to one locality could write the workers of all, and read what was taken in for them."""
    client = visitor("localbranch")
    assert "Your account is for one locality" in client.get("/imports").text
    assert upload(client, GOOD).status_code == 422
    assert "Nora New" not in names(sessions)
    assert client.get("/v1/imports").json()["imports"] == []
