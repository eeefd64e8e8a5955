"""Who is asking and what they may do: passwords, sessions, roles with their rights, and the check that a form is our own.
Not which rows they may see: that is a `Scope`, applied by the store in every query."""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from pwdlib import PasswordHash
from sqlalchemy.orm import Session

from api.problems import Problem
from api.site import Site, site_of
from evm.store import accounts
from evm.store.accounts import Account, Role, SignedIn
from evm.store.screens import Scope

PASSWORD_CHARACTERS_MIN: Final = 12
PASSWORD_CHARACTERS_MAX: Final = 1024
TOUCH_SECONDS: Final = 30
ADDRESSES_REMEMBERED_MAX: Final = 10_000
UNATTENDED: Final = frozenset({"/alerts/stream", "/alerts/list"})
"""What an open page asks for by itself: no sign that anybody still sits there, so it keeps no session alive."""

_hasher = PasswordHash.recommended()
_NOBODYS_HASH: Final = _hasher.hash(secrets.token_hex(16))


class Right(StrEnum):
    """What a page or a route asks of its reader."""

    SEE_VISITS = "see visits"
    SEE_ALERTS = "see alerts"
    ACT_ON_ALERTS = "act on alerts"
    SEE_INVOICES = "see invoices"
    SET_SHADOW = "set shadow mode"
    SEE_ROSTERS = "see rosters"
    ASK_POPBACKS = "ask for pop-backs"
    SEE_FINDINGS = "see findings about workers"
    SEE_LOCALITIES = "see localities and contracts"
    SEE_DEVICES = "see devices"
    TAKE_IN_FILES = "take in files"
    SEE_METRICS = "see metrics"
    EXPORT = "export"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.WORKER: frozenset({Right.SEE_VISITS, Right.SEE_FINDINGS}),
    Role.BRANCH: frozenset(
        {
            Right.SEE_VISITS,
            Right.SEE_ALERTS,
            Right.ACT_ON_ALERTS,
            Right.SEE_INVOICES,
            Right.SEE_ROSTERS,
            Right.SEE_DEVICES,
            Right.ASK_POPBACKS,
            Right.SEE_FINDINGS,
            Right.EXPORT,
            Right.TAKE_IN_FILES,
        }
    ),
    Role.COMMISSIONER: frozenset(
        {
            Right.SEE_VISITS,
            Right.SEE_ALERTS,
            Right.SEE_INVOICES,
            Right.SET_SHADOW,
            Right.SEE_FINDINGS,
            Right.EXPORT,
            Right.SEE_LOCALITIES,
            Right.TAKE_IN_FILES,
        }
    ),
    Role.SAFEGUARDING: frozenset({Right.SEE_VISITS, Right.SEE_ALERTS, Right.ACT_ON_ALERTS, Right.SEE_FINDINGS}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The signed-in person of this request."""

    account: Account
    csrf_token: str
    token_sha256: str

    @property
    def scope(self) -> Scope:
        return scope_of(self.account)

    @property
    def rights(self) -> frozenset[Right]:
        return RIGHTS[self.account.role]


def scope_of(account: Account) -> Scope:
    """Where the account may look. Deny by default: nobody but an admin sees anything without a scope of the kind their role needs."""
    needed = {
        Role.WORKER: account.worker_id,
        Role.BRANCH: account.provider_id,
        Role.COMMISSIONER: account.council_id,
        Role.SAFEGUARDING: account.council_id or account.provider_id,
    }
    if account.role is not Role.ADMIN and not needed[account.role]:
        return Scope(nothing=True)
    return Scope(
        council_id=account.council_id,
        provider_id=account.provider_id,
        locality_id=account.locality_id,
        worker_id=account.worker_id if account.role is Role.WORKER else None,
    )


def hash_password(password: str) -> str:
    """Argon2id, for `Account.password_hash`. Refuses passwords shorter than 12 or longer than 1,024 characters."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise ValueError(f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters")
    return _hasher.hash(password)


def token_hash(token: str) -> str:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Throttle:
    """Counts tries per key in a sliding minute, in this process. Not the lock of an account, which is a row."""

    def __init__(self, *, per_minute_max: int) -> None:
        self._max = per_minute_max
        self._tries: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, *, key: str, now: datetime) -> bool:
        """Count one try; whether it is within the limit."""
        since = now - timedelta(minutes=1)
        with self._lock:
            tries = [at for at in self._tries.pop(key, []) if at > since]
            allowed = len(tries) < self._max
            if allowed:
                tries.append(now)
            self._tries[key] = tries
            while len(self._tries) > ADDRESSES_REMEMBERED_MAX:
                self._tries.popitem(last=False)
        return allowed


def sign_in(session: Session, *, site: Site, email: str, password: str, now: datetime) -> str | None:
    """A new session's token, or None. Takes the same time for an unknown address, a locked account and a wrong password,
    and answers the same, so that nobody learns which addresses have accounts."""
    account = accounts.account_of_email(session, email=email.strip().lower()) if email.isascii() else None
    matches = _hasher.verify(password, _NOBODYS_HASH if account is None else account.password_hash)
    if account is None or (account.locked_until is not None and account.locked_until > now):
        return None
    if not matches:
        accounts.record_failure(
            session,
            account_id=account.account_id,
            lock_at_failures=site.settings.sign_in_failures_max,
            locked_until=now + timedelta(minutes=site.settings.sign_in_lock_minutes),
        )
        return None
    accounts.clear_failures(session, account_id=account.account_id)
    accounts.end_expired_sessions(session, now=now)
    token = secrets.token_urlsafe(32)
    accounts.begin_session(
        session,
        token_sha256=token_hash(token),
        account_id=account.account_id,
        csrf_token=secrets.token_urlsafe(32),
        now=now,
        expires_at=now + timedelta(hours=site.settings.session_absolute_hours),
    )
    return token


def set_cookie(response: Response, *, site: Site, token: str) -> None:
    """Give the browser its session: never readable by scripts, never sent by another site's forms."""
    response.set_cookie(
        site.settings.cookie_name,
        token,
        max_age=site.settings.session_absolute_hours * 3600,
        path="/",
        secure=site.settings.secure,
        httponly=True,
        samesite="lax",
    )


def is_live(held: SignedIn, *, now: datetime, idle_minutes: int) -> bool:
    """Whether a session is within both of its limits."""
    return now < held.expires_at and now < held.seen_at + timedelta(minutes=idle_minutes)


def viewer_of(request: Request) -> Viewer | None:
    """The signed-in person, or None: no cookie, an unknown one, or one past its limits. Notes use at most twice a minute."""
    site = site_of(request)
    token = request.cookies.get(site.settings.cookie_name)
    if not token or len(token) > 128:
        return None
    now = site.clock()
    with site.reading() as session:
        held = accounts.signed_in(session, token_sha256=token_hash(token))
    if held is None or not is_live(held, now=now, idle_minutes=site.settings.session_idle_minutes):
        return None
    attended = request.url.path not in UNATTENDED and not request.app.state.desk.holds_the_only_writer
    if attended and now - held.seen_at >= timedelta(seconds=TOUCH_SECONDS):
        with site.sessions.begin() as session:
            accounts.touch_session(session, token_sha256=held.token_sha256, now=now)
    viewer = Viewer(account=held.account, csrf_token=held.csrf_token, token_sha256=held.token_sha256)
    request.state.viewer = viewer
    return viewer


def someone(request: Request) -> Viewer:
    """Whoever is signed in, else 401 (a page sends the browser to sign in)."""
    viewer = viewer_of(request)
    if viewer is None:
        raise Problem(401, "sign-in", "Sign in first.")
    return viewer


def needs(right: Right) -> Callable[[Request], Viewer]:
    """A dependency: the viewer, when their role has the right; else 401 or 403."""

    def check(request: Request) -> Viewer:
        viewer = someone(request)
        if right not in viewer.rights:
            raise Problem(403, "role", f"Your role ({viewer.account.role.value}) may not {right.value}.")
        return viewer

    return check


def check_same_site(request: Request) -> None:
    """Refuse a change asked for by another site's page (403). A program that sends no Origin holds its own credential."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None and fetched not in {"same-origin", "none"}:
        raise Problem(403, "cross-site", "This request came from another site.")
    origin = request.headers.get("origin")
    ours = {site_of(request).settings.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if fetched is None and origin is not None and origin not in ours:
        raise Problem(403, "cross-site", "This request came from another site.")


def check_csrf(viewer: Viewer, *, token: str | None) -> None:
    """Refuse a form without the session's own token (403)."""
    if token is None or not hmac.compare_digest(viewer.csrf_token.encode(), token.encode()):
        raise Problem(403, "csrf", "This form is from another session. Go back, reload the page and send it again.")


def check_program(request: Request, viewer: Viewer) -> None:
    """What `check_same_site` and `check_csrf` are for forms, for JSON: the token comes in the header X-CSRF-Token."""
    check_same_site(request)
    check_csrf(viewer, token=request.headers.get("x-csrf-token"))


def safe_next(wanted: str | None) -> str:
    """Where to go after signing in: a path of this site, never another one."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or any(ord(c) < 33 for c in wanted):
        return "/"
    parts = urlsplit(wanted)
    return wanted if not parts.scheme and not parts.netloc else "/"


SignedInViewer = Annotated[Viewer, Depends(someone)]
VisitViewer = Annotated[Viewer, Depends(needs(Right.SEE_VISITS))]
AlertViewer = Annotated[Viewer, Depends(needs(Right.SEE_ALERTS))]
AlertActor = Annotated[Viewer, Depends(needs(Right.ACT_ON_ALERTS))]
InvoiceViewer = Annotated[Viewer, Depends(needs(Right.SEE_INVOICES))]
ShadowSetter = Annotated[Viewer, Depends(needs(Right.SET_SHADOW))]
RosterViewer = Annotated[Viewer, Depends(needs(Right.SEE_ROSTERS))]
FindingViewer = Annotated[Viewer, Depends(needs(Right.SEE_FINDINGS))]
LocalityViewer = Annotated[Viewer, Depends(needs(Right.SEE_LOCALITIES))]
DeviceViewer = Annotated[Viewer, Depends(needs(Right.SEE_DEVICES))]
FileTaker = Annotated[Viewer, Depends(needs(Right.TAKE_IN_FILES))]
Exporter = Annotated[Viewer, Depends(needs(Right.EXPORT))]
PopbackAsker = Annotated[Viewer, Depends(needs(Right.ASK_POPBACKS))]
