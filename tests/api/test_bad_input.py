"""What the HTTP entry answers to bad input: rows 38 to 59 of the table of bad input. Never 5xx, never half done."""

import html
import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from tests.api import town
from tests.api.conftest import Reader, TestClient, csrf

JSON = {"content-type": "application/json"}
ACKNOWLEDGE = "/v1/alerts/1/acknowledge"


def signed(client: TestClient) -> dict[str, str]:
    return {**JSON, "x-csrf-token": client.get("/v1/session").json()["csrf_token"]}


def sent(client: TestClient, body: bytes, path: str = ACKNOWLEDGE, **headers: str) -> httpx.Response:
    return client.post(path, content=body, headers={**signed(client), **headers})


@pytest.mark.parametrize(
    "body",
    [b'{"words":NaN}', b'{"words":1e999}', b'{"words":"\\ud800"}', b'{"words":-Infinity}', b'{"words":"a\\u0000b"}'],
)
def test_row_38_numbers_and_signs_that_are_none_are_422(visitor: Reader, body: bytes) -> None:
    """Broken: the framework's default answers 500 to these."""
    answer = sent(visitor("branch"), body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", [ACKNOWLEDGE, "/v1/events", "/v1/telephony/voice", "/sign-in", "/alerts/1/close", "/nowhere"]
)
def test_row_39_ten_megabytes_are_413(visitor: Reader, path: str) -> None:
    """Broken: memory could be filled from outside, signed in or not."""
    client = visitor("branch")
    kind = (
        JSON
        if path.startswith("/v1/") and "telephony" not in path
        else {"content-type": "application/x-www-form-urlencoded"}
    )
    assert client.post(path, content=b"x" * 10_000_000, headers=kind).status_code == 413


def test_row_39_an_endless_chunked_body_is_cut_off(visitor: Reader) -> None:
    """Broken: without a declared length the cap would not hold."""
    given = 0

    def endless() -> Any:
        nonlocal given
        while given < 200:
            given += 1
            yield b" " * 65536

    answer = visitor("branch").post(ACKNOWLEDGE, content=endless(), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "abc", ""])
def test_row_39_a_senseless_length_is_refused(visitor: Reader, length: str) -> None:
    """Broken: a length that is no number would be an error of ours."""
    assert (
        400
        <= visitor("branch").post(ACKNOWLEDGE, content=b"{}", headers={**JSON, "content-length": length}).status_code
        < 500
    )


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "multipart/form-data", "application/xml", "application/json; charset=utf-16"]
)
def test_row_40_a_wrong_or_absent_content_type_is_415(visitor: Reader, kind: str | None) -> None:
    """Broken: a form of another site could pass for JSON."""
    client = visitor("branch")
    headers = {"x-csrf-token": signed(client)["x-csrf-token"]} | ({"content-type": kind} if kind else {})
    request = client.build_request("POST", ACKNOWLEDGE, content=b"{}", headers=headers)
    if kind is None:
        request.headers.pop("content-type", None)
    assert client.send(request).status_code == 415
    assert client.post("/sign-in", content=b"{}", headers=JSON).status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        '{"words":"x"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"words":"x"}',
        b'{"words":"\xff"}',
        b"{",
        b"",
        b"{}{}",
        b'{"words":"\x00"}',
    ],
)
def test_row_41_what_is_not_utf8_json_is_400(visitor: Reader, body: bytes) -> None:
    """Broken: the framework's default reads UTF-16 and answers 200."""
    assert sent(visitor("branch"), body).status_code == 400


@pytest.mark.parametrize("key", ["is_admin", "tenant_id", "alert_id", "__proto__"])
def test_row_42_unknown_keys_are_422(visitor: Reader, key: str) -> None:
    """Broken: a key nobody reads would be taken for one that was obeyed."""
    client = visitor("branch")
    assert sent(client, b'{"words":"x","%s":true}' % key.encode()).status_code == 422
    assert client.get(f"/v1/visits?{key}=1").status_code == 422
    assert client.get(f"/visits?{key}=1").status_code == 422
    assert client.post("/sign-in", data={"email": "a@b.c", "password": "x", key: "1"}).status_code == 422


def test_duplicate_keys_in_one_object_are_422(visitor: Reader) -> None:
    """Broken: the last would silently win."""
    assert sent(visitor("branch"), b'{"words":"x","words":"y"}').status_code == 422


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc", "';--", "%00", "v-done%00", "V-DONE", "x" * 81, "v-done%0a", "%e2%80%ae", "%ff"]
)
def test_row_44_ids_that_are_none_are_404_or_422(visitor: Reader, name: str) -> None:
    """Broken: a path, a quote or a NUL would reach the database."""
    client = visitor("branch")
    for head in ("/visits", "/v1/visits", "/invoices", "/v1/invoices", "/rosters", "/v1/rosters", "/alerts", "/static"):
        assert client.get(f"{head}/{name}").status_code in {404, 422}, head


@pytest.mark.parametrize("number", ["1000000000", "-1", "0", "1.5", "1e3", "abc", "", "\uff19"])
def test_row_45_page_numbers_out_of_bounds_are_422(visitor: Reader, number: str) -> None:
    """Broken: an offset beyond reason would be asked of the database."""
    client = visitor("branch")
    for path in ("/visits", "/v1/visits", "/alerts", "/v1/alerts", "/invoices/inv-1", "/v1/invoices/inv-1"):
        assert client.get(path, params={"page": number}).status_code == 422, path


def test_row_45_a_key_given_twice_is_422(visitor: Reader) -> None:
    """Broken: the last would win, and a filter would seem to be obeyed."""
    client = visitor("branch")
    assert client.get("/v1/visits?page=1&page=2").status_code == 422
    assert client.get("/visits?status=missed&status=").status_code == 422


def test_a_page_past_the_end_is_empty_and_says_so(visitor: Reader) -> None:
    """Broken: the last page's link kept from yesterday would be an error."""
    answer = visitor("branch").get("/visits?page=7")
    assert answer.status_code == 200
    assert "This page lies past the last of the day" in answer.text
    assert "Page 7 of 1: there is nothing on it" in answer.text
    assert "No visits are planned" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "status=delivered'%20OR%201=1",
        "status=start_at",
        "locality=%25%25%25%25",
        "day=2026-13-01",
        "day=0001-01-01",
        "day=9999-12-31",
        "day=20261102T",
        "sort=name",
    ],
)
def test_row_46_filters_take_only_their_own_values(visitor: Reader, query: str) -> None:
    """Broken: a filter would be pasted into a query, or a day without a day before it would be an error of ours."""
    client = visitor("branch")
    for path in ("/visits", "/v1/visits"):
        assert client.get(f"{path}?{query}").status_code == 422, path


@pytest.mark.parametrize("wanted", ["M14\n", "m14\n", "m14\r", "m14 ", "m14\x00"])
def test_row_47_a_line_break_after_an_id_is_no_id(visitor: Reader, wanted: str) -> None:
    """Broken: `$` in a pattern matches before a line break."""
    assert visitor("branch").get("/v1/visits", params={"locality": wanted}).status_code == 422


def test_row_49_of_parallel_closings_one_succeeds(visitor: Reader) -> None:
    """Broken: two people would both be told that they closed it, with different outcomes."""
    client = visitor("branch")
    headers = signed(client)
    codes: list[int] = []

    def shut(number: int) -> None:
        answer = client.post("/v1/alerts/1/close", json={"outcome": f"done {number}"}, headers=headers)
        codes.append(answer.status_code)

    threads = [threading.Thread(target=shut, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [409] * 7


def test_row_52_a_cross_site_text_post_is_refused(visitor: Reader) -> None:
    """Broken: the one kind of body that another site may send without asking would be read."""
    client = visitor("branch")
    answer = client.post(
        ACKNOWLEDGE, content=b'{"words":"x"}', headers={"content-type": "text/plain", "origin": "https://evil.example"}
    )
    assert answer.status_code in {403, 415}
    answer = client.post(ACKNOWLEDGE, json={"words": "x"}, headers={**signed(client), "origin": "https://evil.example"})
    assert answer.status_code == 403
    assert client.post(ACKNOWLEDGE, json={"words": "x"}).status_code == 403, "no token"


def test_row_53_a_megabyte_of_password_is_refused_unhashed(visitor: Reader) -> None:
    """Broken: hashing would be a way to stop the service."""
    client = visitor()
    assert client.post("/sign-in", data={"email": "a@example.org", "password": "x" * 1_000_000}).status_code == 413
    assert client.post("/sign-in", data={"email": "a@example.org", "password": "x" * 2000}).status_code == 422


def test_row_54_markup_is_shown_as_it_was_written_and_turning_marks_are_taken_out(visitor: Reader) -> None:
    """Broken: a name could run a script, or a right-to-left mark disguise what stands beside it."""
    page = visitor("branch").get("/visits/v-done").text
    assert "Ada &lt;b&gt;Example&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; gnol" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    "words", ["<img src=x onerror=alert(1)>", "{{7*7}}", "{% include 'x' %}", "'\"><svg/onload=1>"]
)
def test_row_54_what_a_person_writes_is_text(visitor: Reader, words: str, session: Session) -> None:
    """Broken: a note would be a template or a tag; and the note itself must be kept as it was written."""
    client = visitor("branch")
    assert client.post("/v1/alerts/1/acknowledge", json={"words": words}, headers=signed(client)).status_code == 200
    page = client.get("/alerts/1").text
    assert html.escape(words).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert "<img" not in page
    assert "<svg" not in page
    assert ": 49" not in page
    kept = session.execute(
        text("SELECT words FROM alert_history WHERE act = 'acknowledged' ORDER BY entry_id DESC")
    ).scalars()
    assert words in list(kept)


def test_no_answer_to_nonsense_is_an_error_of_ours(visitor: Reader) -> None:
    """Broken: some corner would answer 5xx."""
    client = visitor("admin")
    nonsense = [
        "/%",
        "/%2e%2e/",
        "//visits",
        "/visits/",
        "/v1",
        "/v1/",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/alerts/0",
        "/alerts/-1",
        "/alerts/99999999999999999999",
        "/v1/alerts/1",
        "/?x",
        "/visits?%00=1",
        "/visits?day=%00",
    ]
    assert all(client.get(path).status_code < 500 for path in nonsense)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        assert client.request(method, "/v1/visits").status_code in {401, 404, 405, 415}


def test_a_bug_is_a_generic_answer_without_its_insides(visitor: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a stack trace or a query would be shown to whoever provokes it."""
    from evm.store.screens import visits

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(visits, "day", broken)
    client = visitor("branch")
    for path in ("/visits", "/v1/visits"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text


def test_every_answer_carries_the_headers_that_keep_browsers_safe(visitor: Reader) -> None:
    """Broken: pages could be framed, load strangers' scripts, or be kept in shared caches."""
    client = visitor("branch")
    nonces = set()
    for path in ("/", "/sign-in", "/visits", "/nowhere", "/v1/visits", "/alerts"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        nonces.add(policy.split("'nonce-")[1].split("'")[0])
    assert len(nonces) == 6, "a nonce is used once"
    assert client.get("/static/site.css").headers["cache-control"].startswith("public")


def test_pages_ask_no_other_server_for_anything(visitor: Reader) -> None:
    """Broken: a third party would learn who reads which page."""
    client = visitor("admin")
    for path in ("/", "/visits", "/visits/v-done", "/alerts", "/alerts/1", "/invoices/inv-1", "/rosters/r-1"):
        page = client.get(path).text
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "https://" not in page


def test_the_database_away_is_503_for_health(
    visitor: Reader, sessions: sessionmaker[Session], there: town.Town
) -> None:
    """Broken: a supervisor would believe that a site without its database is well."""
    client = visitor()
    assert client.get("/health").json() == {"status": "ok"}
    engine = sessions.kw["bind"]
    from sqlalchemy import event

    def away(*_: object) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("gone", None, Exception("gone"))

    event.listen(engine, "before_cursor_execute", away)
    answer = client.get("/health")
    event.remove(engine, "before_cursor_execute", away)
    assert answer.status_code == 503


def test_a_nul_in_a_form_or_a_body_is_refused(visitor: Reader) -> None:
    """Broken: PostgreSQL takes no NUL in a text, so that a note or an address with one would be a 500 there."""
    client = visitor("branch")
    token = csrf(client.get("/alerts").text)
    assert client.post("/alerts/1/acknowledge", data={"csrf_token": token, "words": "a\x00b"}).status_code == 422
    assert client.post("/alerts/1/close", data={"csrf_token": token, "outcome": "a\x00b"}).status_code == 422
    assert visitor().post("/sign-in", data={"email": "a\x00b@example.org", "password": "x" * 12}).status_code == 422
    headers = {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}
    answer = client.post(
        "/v1/alerts/1/close",
        content=b'{"outcome":"a\\u0000b"}',
        headers={**headers, "content-type": "application/json"},
    )
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "wanted",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "1e400",
        1e18,
        -1,
        1764000000,
    ],
)
def test_a_pop_back_at_an_impossible_instant_is_refused(visitor: Reader, wanted: object) -> None:
    """Broken: the last instants there are overflow when a zone or a margin is added (bad-input 55)."""
    client = visitor("branch")
    headers = {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}
    body = {"customer_id": "c1", "wanted_at": wanted, "minutes": 30}
    assert client.post("/v1/popbacks", json=body, headers=headers).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000,
        b"[" * 500 + b"]" * 500,
        b"[1,2,null]",
        b'["x"]',
        b"[]",
        b'{"a":1e999}',
        b"[18446744073709551616123]",
    ],
)
def test_no_body_of_events_is_an_error_of_ours(visitor: Reader, body: bytes) -> None:
    """Broken: a number, a depth or a type that one of two JSON readers takes and the other does not would be a 500."""
    client = visitor("branch")
    for path in ("/v1/events", "/v1/popbacks"):
        assert client.post(path, content=body, headers={"content-type": "application/json"}).status_code < 500
