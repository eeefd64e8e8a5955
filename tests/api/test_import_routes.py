"""Files taken in by programs: one request, the same rules as the pages."""

from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.store import people
from tests.api.conftest import Reader, TestClient
from tests.api.test_import_pages import BAD, GOOD, HEADER


def send(client: TestClient, text: str | bytes = GOOD, **query: str) -> Any:
    """POST a file of workers."""
    token = client.get("/v1/session").json()["csrf_token"]
    return client.post(
        "/v1/imports",
        params={"kind": "workers", **query},
        content=text,
        headers={"content-type": "text/csv", "x-csrf-token": token},
    )


def names(sessions: sessionmaker[Session]) -> set[str]:
    with sessions() as session:
        return {one.name for one in people.workers(session)}


def test_a_dry_run_tells_and_keeps_nothing(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a program could not look before it leaps."""
    answer = send(visitor("branch"), BAD, dry_run="true")
    assert answer.status_code == 200
    report = answer.json()
    assert (report["new"], report["rejected"], report["taken_in"], report["dry_run"]) == (1, 1, False, True)
    assert [(error["row"], error["field"]) for error in report["errors"]] == [(3, "gender")]
    assert "Nora New" not in names(sessions)


def test_a_file_is_taken_in_once_and_listed(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a program that tries again after a lost answer would change things twice."""
    client = visitor("branch")
    first = send(client, file_name="staff.csv")
    assert first.status_code == 201
    assert first.json()["taken_in"]
    again = send(client)
    assert again.status_code == 200
    assert again.json()["already"]["imported_by"] == "Branch Person"
    assert "Nora New" in names(sessions)
    (record,) = client.get("/v1/imports").json()["imports"]
    assert (record["file"], record["provider"], record["new"]) == ("staff.csv", "kindly", 1)
    assert visitor("commissioner").get("/v1/imports").json()["imports"] == []


def test_a_wrong_row_refuses_the_file_and_is_named(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a program would have to guess which row to mend."""
    answer = send(visitor("branch"), BAD)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["where"] == ["body", "3", "gender"]
    assert "Nora New" not in names(sessions)


@pytest.mark.parametrize(
    "who, query, words",
    [
        ("branch", {"kind": "contracts"}, "not 'contracts'"),
        ("commissioner", {"kind": "workers"}, "you take in"),
        ("branch", {"layout": "../x.toml"}, "is none of standard"),
        ("branch", {"layout": "abacus"}, "is none of standard"),
        ("branch", {"exported_at": "2099-01-01T00:00:00Z"}, "in the future"),
        ("branch", {"exported_at": "2026-01-01T00:00:00"}, "timezone"),
        ("branch", {"unknown": "1"}, "unknown"),
        ("admin", {"provider": "nobody"}, "422"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(
    visitor: Reader, who: str, query: dict[str, str], words: str
) -> None:
    """Broken: a file would be read as something else, or for somebody else."""
    answer = send(visitor(who), **query)
    assert answer.status_code == 422
    assert words in answer.text


@pytest.mark.parametrize(
    "content, status",
    [
        (b"PK\x03\x04zip", 415),
        (HEADER.encode() + b"w,n,female,m14,53,-2,\n" * 50_001, 413),
        (b"x" * (11 * 2**20), 413),
        (b"", 422),
        (b"\xff\xfe\0a", 422),
        (b"a;b\n1;2\n", 422),
    ],
)
def test_row_65_what_is_too_large_or_no_csv_is_refused_with_its_status(
    visitor: Reader, content: bytes, status: int
) -> None:
    """Broken: a workbook would be opened, or a million rows read, before anybody said no."""
    assert send(visitor("branch"), content).status_code == status


def test_a_program_needs_its_token_and_the_right_content_type(visitor: Reader) -> None:
    """Broken: another site's page could send files through a signed-in browser."""
    client = visitor("branch")
    plain = {"content-type": "text/csv"}
    assert client.post("/v1/imports?kind=workers", content=GOOD, headers=plain).status_code == 403
    assert client.post("/v1/imports?kind=workers", json={}).status_code == 415
    assert visitor().post("/v1/imports?kind=workers", content=GOOD, headers=plain).status_code == 401
    assert visitor("worker").post("/v1/imports?kind=workers", content=GOOD, headers=plain).status_code == 403
