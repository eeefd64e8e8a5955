"""How the site says no: problem+json (RFC 9457) to programs, a designed page to people. The one file that maps errors to answers."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_500_INTERNAL_SERVER_ERROR

from api.pages.render import render

logger = logging.getLogger(__name__)

TITLES: Mapping[int, str] = {
    400: "The request could not be read",
    401: "Sign in first",
    403: "You may not do this",
    404: "Not found",
    405: "Not done this way",
    409: "Something else got there first",
    412: "It changed meanwhile",
    413: "Too large",
    415: "Wrong content type",
    422: "The values do not make sense",
    429: "Too many attempts",
    500: "Something is wrong with the service",
    503: "Not ready",
}


class Problem(Exception):  # noqa: N818 -- the noun of RFC 9457
    """A refused request: an HTTP status, a stable code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, words: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words
        self.headers = dict(headers or {})


def not_found() -> Problem:
    """The same answer for what does not exist and for what belongs to somebody else."""
    return Problem(404, "not-found", "There is nothing here that you may see.")


def is_for_programs(request: Request) -> bool:
    """Whether the asker is a program: the API's paths answer JSON, every other path a page."""
    path = request.url.path
    return path.startswith("/v1/") or path in {"/v1", "/health", "/metrics", "/openapi.json"}


def _said(refused: RequestValidationError) -> list[str]:
    """What is wrong by field, for people: a field that may also be empty is named once, and a day as it is to be written."""
    places = [tuple(str(part) for part in error["loc"][1:]) for error in refused.errors()]
    may_be_empty = {place[:-1] for place in places if place and place[-1] == "literal['']"}
    said = []
    for place, error in zip(places, refused.errors(), strict=True):
        if place and place[-1] == "literal['']":
            continue
        field = place[:-1] if place[:-1] in may_be_empty else place
        is_no_day = str(error["type"]).startswith(("date_from", "date_parsing"))
        said.append(f"{'.'.join(field)}: {'Write a day as 2026-11-02' if is_no_day else error['msg']}")
    return said


def answer(
    request: Request,
    *,
    status: int,
    code: str,
    words: str,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> Response:
    """The refusal in the form the asker reads."""
    title = TITLES.get(status, "Refused")
    if is_for_programs(request):
        body: dict[str, Any] = {
            "type": f"urn:popback:problem:{code}",
            "title": title,
            "status": status,
            "detail": words,
        }
        if errors is not None:
            body["errors"] = errors
        return JSONResponse(
            body, status_code=status, media_type="application/problem+json", headers=dict(headers or {})
        )
    if status == 401 and request.method == "GET" and request.url.path != "/alerts/stream":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': wanted[:500]})}", status_code=303)
    page = render(
        request, template="problem.html", facts={"title": title, "words": words, "status": status}, status=status
    )
    page.headers.update(headers or {})
    return page


def add_handlers(app: FastAPI) -> None:
    """Map every kind of refusal and every bug to its answer."""

    @app.exception_handler(Problem)
    def _problem(request: Request, problem: Problem) -> Response:
        return answer(request, status=problem.status, code=problem.code, words=problem.words, headers=problem.headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, refused: RequestValidationError) -> Response:
        errors = [
            {"where": [str(part) for part in error["loc"]], "words": str(error["msg"])} for error in refused.errors()
        ]
        words = "; ".join(_said(refused)[:3])
        return answer(request, status=422, code="invalid", words=words or "Invalid.", errors=errors)

    @app.exception_handler(HTTPException)
    def _http(request: Request, refused: HTTPException) -> Response:
        words = {404: not_found().words, 405: "This address does not take that method."}
        return answer(
            request,
            status=refused.status_code,
            code={404: "not-found", 405: "method"}.get(refused.status_code, "refused"),
            words=words.get(refused.status_code, str(refused.detail)),
            headers=refused.headers,
        )

    @app.exception_handler(Exception)
    def _bug(request: Request, bug: Exception) -> Response:
        logger.error("a request failed: %s %s", request.method, request.url.path, exc_info=bug)
        return answer(
            request,
            status=HTTP_500_INTERNAL_SERVER_ERROR,
            code="bug",
            words="The service failed. Nothing that you sent was half done. Try again, or tell whoever runs it.",
        )
