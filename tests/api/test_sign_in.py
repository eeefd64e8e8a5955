"""Signing in and out, sessions and their limits, forms of other sites."""

import re

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.auth import hash_password, safe_next, token_hash
from api.settings import Settings
from evm.store import accounts
from tests.api import town
from tests.api.conftest import BASE, Clock, Reader, TestClient, csrf


def credentials(name: str = "branch", password: str = town.PASSWORD) -> dict[str, str]:
    return {"email": town.email(name), "password": password}


def test_a_right_password_opens_the_site(visitor: Reader) -> None:
    """Broken: nobody could get in, or the address was compared with its capitals."""
    client = visitor()
    answer = client.post(
        "/sign-in", data={"email": " BRANCH@Example.org ", "password": town.PASSWORD, "next": "/alerts?state=open"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?state=open")
    assert client.get("/").status_code == 200


def test_only_the_hash_of_the_token_is_kept(visitor: Reader, session: Session) -> None:
    """Broken: whoever reads the database could sign in as anybody."""
    client = visitor("branch")
    token = client.cookies["popback"]
    held = accounts.signed_in(session, token_sha256=token_hash(token))
    assert held is not None
    assert held.account.account_id == "branch"
    assert accounts.signed_in(session, token_sha256=token) is None


def test_wrong_password_unknown_address_and_locked_account_answer_alike(visitor: Reader) -> None:
    """Broken: an attacker could learn which addresses have accounts."""
    client = visitor()
    wrong = client.post("/sign-in", data=credentials(password="wrong password!"))
    unknown = client.post("/sign-in", data={"email": "nobody@example.org", "password": "wrong password!"})
    homoglyph = client.post("/sign-in", data={"email": "brаnch@example.org", "password": "wrong password!"})  # noqa: RUF001
    shown = [re.sub(r'value="[^"]*"', "", page.text) for page in (wrong, unknown, homoglyph)]
    assert shown[0] == shown[1] == shown[2]
    assert {page.status_code for page in (wrong, unknown, homoglyph)} == {401}


def test_an_unknown_address_costs_the_same_hashing(visitor: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the time of the answer would tell which addresses have accounts."""
    verified: list[str] = []
    import api.auth as module

    real = module._hasher.verify

    def counted(password: str, password_hash: str) -> bool:
        verified.append(password_hash.split("$")[3])
        return real(password, password_hash)

    monkeypatch.setattr(module._hasher, "verify", counted)
    client = visitor()
    client.post("/sign-in", data=credentials(password="wrong password!"))
    client.post("/sign-in", data={"email": "nobody@example.org", "password": "wrong password!"})
    assert len(verified) == 2
    assert verified[0] == verified[1], "the same Argon2 parameters"


def test_five_wrong_passwords_lock_the_account_for_a_while(visitor: Reader, clock: Clock) -> None:
    """Broken: passwords could be guessed without end; or a locked account would stay locked for ever."""
    client = visitor()
    for _ in range(5):
        client.post("/sign-in", data=credentials(password="wrong password!"))
    assert client.post("/sign-in", data=credentials()).status_code == 401
    clock.move(minutes=16)
    assert client.post("/sign-in", data=credentials()).status_code == 303


def test_guessing_at_one_account_is_slowed_whether_it_exists_or_not(visitor: Reader) -> None:
    """Broken: a spray over many addresses of one network, or at one person, would go on at full speed (bad-input 53)."""
    client = visitor()
    codes = [
        client.post("/sign-in", data={"email": "nobody@example.org", "password": "x" * 12}).status_code
        for _ in range(12)
    ]
    assert codes[:10] == [401] * 10
    assert codes[10:] == [429] * 2


def test_spraying_from_one_address_is_slowed(sessions: sessionmaker[Session], there: town.Town, clock: Clock) -> None:
    """Broken: one machine could try one password on every account (bad-input 53)."""
    settings = Settings(public_url=BASE, sign_ins_per_address_minute_max=3)
    client = TestClient(create_app(sessions=sessions, ingest=None, clock=clock, settings=settings), base_url=BASE)
    codes = [
        client.post("/sign-in", data={"email": f"p{i}@example.org", "password": "x" * 12}).status_code for i in range(4)
    ]
    assert codes == [401, 401, 401, 429]
    clock.move(minutes=2)
    assert client.post("/sign-in", data={"email": "p9@example.org", "password": "x" * 12}).status_code == 401


def test_a_session_ends_after_idle_time_and_after_its_absolute_limit(visitor: Reader, clock: Clock) -> None:
    """Broken: a console left open would stay open for whoever comes by."""
    client = visitor("branch")
    clock.move(minutes=14)
    assert client.get("/visits").status_code == 200
    clock.move(minutes=14)
    assert client.get("/visits").status_code == 200, "use keeps it open"
    clock.move(minutes=16)
    assert client.get("/visits").status_code == 303
    client = visitor("branch")
    for _ in range(12 * 6):
        clock.move(minutes=10)
        client.get("/visits")
    assert client.get("/visits").status_code == 303, "twelve hours are the end, however busy"


def test_a_page_that_renews_itself_keeps_no_session_alive(visitor: Reader, clock: Clock) -> None:
    """Broken: an unattended console with the live alerts open would never be signed out."""
    client = visitor("safeguarding")
    for _ in range(4):
        clock.move(minutes=4)
        last = client.get("/alerts/list").status_code
    assert last == 303


def test_signing_out_kills_the_token_not_only_the_cookie(visitor: Reader) -> None:
    """Broken: a copied cookie would outlive the sign-out."""
    client = visitor("branch")
    token = client.cookies["popback"]
    page = client.get("/")
    assert client.post("/sign-out", data={"csrf_token": csrf(page.text)}).status_code == 303
    thief = visitor()
    thief.cookies.set("popback", token)
    assert thief.get("/visits").status_code == 303


def test_signing_in_gives_a_new_token_and_ends_the_old_one(visitor: Reader) -> None:
    """Broken: a session planted by somebody else would be taken over (bad-input 51, fixed session)."""
    client = visitor()
    client.post("/sign-in", data=credentials())
    first = client.cookies["popback"]
    client.post("/sign-in", data=credentials())
    assert client.cookies["popback"] != first
    thief = visitor()
    thief.cookies.set("popback", first)
    assert thief.get("/visits").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "e30.e30.", "x" * 5000, "../../etc"])
def test_a_made_up_token_opens_nothing(visitor: Reader, token: str) -> None:
    """Broken: forged or unsigned tokens would be believed (bad-input 51)."""
    client = visitor()
    client.cookies.set("popback", token)
    assert client.get("/v1/visits").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    sessions: sessionmaker[Session], there: town.Town, clock: Clock
) -> None:
    """Broken: a script or another site's form could use the session; over TLS the name itself must forbid a weaker twin."""
    settings = Settings(public_url="https://care.example.org")
    app = create_app(sessions=sessions, ingest=None, clock=clock, settings=settings)
    client = TestClient(app, base_url="https://care.example.org", follow_redirects=False)
    answer = client.post("/sign-in", data=credentials())
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-popback=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"]


def test_forms_without_the_sessions_own_token_are_refused(visitor: Reader) -> None:
    """Broken: another site could make a signed-in person close an alert."""
    client = visitor("branch")
    assert client.post("/alerts/1/acknowledge", data={"csrf_token": "x" * 43}).status_code == 403
    assert client.post("/alerts/1/acknowledge", data={"words": "x"}).status_code == 422
    other = csrf(visitor("branch").get("/alerts").text)
    assert client.post("/alerts/1/acknowledge", data={"csrf_token": other}).status_code == 403, (
        "another session's token"
    )
    assert client.post("/sign-out", data={"csrf_token": other}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
def test_changes_asked_for_by_another_site_are_refused(visitor: Reader, headers: dict[str, str]) -> None:
    """Broken: cross-site forms would act for the reader (bad-input 52); signing somebody in as another is such a change, too."""
    client = visitor("branch")
    form = {"csrf_token": csrf(client.get("/alerts").text)}
    assert client.post("/alerts/1/acknowledge", data=form, headers=headers).status_code == 403
    assert client.post("/sign-in", data=credentials(), headers=headers).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "", None, "\\/x"],
)
def test_after_signing_in_nobody_is_sent_to_another_site(wanted: str | None) -> None:
    """Broken: a link to our own sign-in page could end at a forger's."""
    assert safe_next(wanted) == "/"


def test_a_visit_without_signing_in_leads_back_after_it(visitor: Reader) -> None:
    """Broken: a link in a message would lose where it wanted to go."""
    answer = visitor().get("/visits/v-done?")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fvisits%2Fv-done"


@pytest.mark.parametrize("password", ["short", "x" * 1025])
def test_passwords_too_short_or_too_long_are_not_taken(password: str) -> None:
    """Broken: weak passwords, or a megabyte of Argon2 work for each try."""
    with pytest.raises(ValueError, match="12 to 1024"):
        hash_password(password)
