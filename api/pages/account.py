"""Signing in and out. Not what a signed-in person may do (api.auth)."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from api import auth
from api.pages.render import render
from api.problems import Problem
from api.query import Strict
from api.site import Site, site_of
from evm.store import accounts

router = APIRouter(include_in_schema=False)
WRONG = "The e-mail address or the password is wrong, or there were too many attempts."


class SignInQuery(Strict):
    next: Annotated[str, Field(max_length=500)] = "/"


class SignInForm(Strict):
    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=auth.PASSWORD_CHARACTERS_MAX)]
    next: Annotated[str, Field(max_length=500)] = "/"


class SignOutForm(Strict):
    csrf_token: Annotated[str, Field(max_length=200)]


@router.get("/sign-in")
def sign_in_page(request: Request, query: Annotated[SignInQuery, Query()]) -> Response:
    if auth.viewer_of(request) is not None:
        return RedirectResponse(auth.safe_next(query.next), status_code=303)
    return _page(request, next_path=query.next)


@router.post("/sign-in")
def sign_in(request: Request, form: Annotated[SignInForm, Form()]) -> Response:
    auth.check_same_site(request)
    site = site_of(request)
    now = site.clock()
    _slow_down(request, site=site, email=form.email)
    with site.sessions.begin() as session:
        old = request.cookies.get(site.settings.cookie_name)
        token = auth.sign_in(session, site=site, email=form.email, password=form.password, now=now)
        if token is not None and old:
            accounts.end_session(session, token_sha256=auth.token_hash(old))
    if token is None:
        return _page(request, next_path=form.next, email=form.email, error=WRONG, status=401)
    response = RedirectResponse(auth.safe_next(form.next), status_code=303)
    auth.set_cookie(response, site=site, token=token)
    return response


@router.post("/sign-out")
def sign_out(request: Request, form: Annotated[SignOutForm, Form()], viewer: auth.SignedInViewer) -> Response:
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site = site_of(request)
    with site.sessions.begin() as session:
        accounts.end_session(session, token_sha256=viewer.token_sha256)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(
        site.settings.cookie_name, path="/", secure=site.settings.secure, httponly=True, samesite="lax"
    )
    response.headers["clear-site-data"] = '"cache"'
    return response


def _slow_down(request: Request, *, site: Site, email: str) -> None:
    """Password spraying from one address, and guessing at one account from many, are both slowed (429), account or no account."""
    address = request.client.host if request.client else "?"
    now = site.clock()
    if not site.addresses.allows(key=address, now=now) or not site.addressees.allows(key=email.lower(), now=now):
        raise Problem(
            429, "too-many", "Too many attempts. Wait a minute, then try again.", headers={"Retry-After": "60"}
        )


def _page(
    request: Request, *, next_path: str, email: str = "", error: str | None = None, status: int = 200
) -> Response:
    facts = {
        "next": auth.safe_next(next_path),
        "email": email,
        "error": error,
        "idle_minutes": site_of(request).settings.session_idle_minutes,
    }
    return render(request, template="sign_in.html", facts=facts, status=status)
