"""What stands before every route: the cap on bodies, strict JSON, content types and the headers that keep browsers safe.
Not who may do what (auth) and not what values mean (the routes' models)."""

import secrets
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, answer
from devices.messages import strict_json

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
CSV: Final = "text/csv"
STREAMED: Final = {"/imports": MULTIPART, "/v1/imports": CSV}
"""Where files come in: their bodies are not held in memory but passed on as they come, and cut off at the limit of their own."""
UNREADABLE: Final = frozenset({"EMPTY", "SYNTAX", "ENCODING"})


class Guard:
    """ASGI middleware. Bodies are read here, whole and at most `body_bytes_max` long, before any parser sees a byte; files that come in
    (`STREAMED`) are at most `upload_bytes_max` long and passed on as they come."""

    def __init__(self, app: ASGIApp, *, body_bytes_max: int, upload_bytes_max: int, secure: bool) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._upload_bytes_max = upload_bytes_max
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        sender = self._with_headers(scope, send, nonce=nonce)
        request = Request(scope, receive)
        if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, sender)
            return
        try:
            if scope["method"] == "POST" and request.url.path in STREAMED:
                passed_on = self._streamed(request, receive)
            else:
                passed_on = _replay(await self._body(request, receive), receive)
        except Problem as problem:
            refusal = answer(request, status=problem.status, code=problem.code, words=problem.words)
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, sender)
            return
        await self._app(scope, passed_on, sender)

    def _streamed(self, request: Request, receive: Receive) -> Receive:
        """The body as it comes, refused where it grows too long."""
        self._check_declared(request, self._upload_bytes_max)
        wanted = STREAMED[request.url.path]
        if content_type(request) != wanted:
            raise Problem(415, "content-type", f"This address takes {wanted}.")
        taken = 0

        async def receiving() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._upload_bytes_max:
                raise self._too_large(self._upload_bytes_max)
            return message

        return receiving

    def _check_declared(self, request: Request, bytes_max: int) -> None:
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 12 or int(declared) > bytes_max:
            raise self._too_large(bytes_max)

    async def _body(self, request: Request, receive: Receive) -> bytes:
        self._check_declared(request, self._body_bytes_max)
        kind = content_type(request)
        wanted = JSON if request.url.path.startswith("/v1/") and "/telephony/" not in request.url.path else FORM
        if kind != wanted:
            raise Problem(415, "content-type", f"This address takes {wanted}.")
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "cut-short", "The body was cut short.")
            body += message.get("body", b"")
            if len(body) > self._body_bytes_max:
                raise self._too_large(self._body_bytes_max)
            if not message.get("more_body", False):
                break
        if wanted == JSON:
            check_json(bytes(body))
        return bytes(body)

    def _too_large(self, bytes_max: int) -> Problem:
        words = f"A body has at most {bytes_max} bytes."
        return Problem(413, "size", words, headers={"connection": "close"})

    def _with_headers(self, scope: Scope, send: Send, *, nonce: str) -> Send:
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        always = {
            b"content-security-policy": policy.encode(),
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"same-origin",
            b"cross-origin-opener-policy": b"same-origin",
            b"permissions-policy": b"geolocation=(), camera=(), microphone=()",
        }
        if self._secure:
            always[b"strict-transport-security"] = b"max-age=31536000"
        caching = b"public, max-age=3600" if scope["path"].startswith("/static/") else b"no-store"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = [
                    pair for pair in message.get("headers", []) if pair[0].lower() not in {b"cache-control", *always}
                ]
                message["headers"] = [*held, *always.items(), (b"cache-control", caching)]
            await send(message)

        return sending


def content_type(request: Request) -> str:
    """The body's media type, without parameters; a charset other than UTF-8 is refused (415)."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if charset.startswith("charset=") and charset.removeprefix("charset=").strip('"') not in {"utf-8", "utf8"}:
        raise Problem(415, "charset", "Only UTF-8 is taken.")
    return kind.strip().lower()


def check_json(body: bytes) -> None:
    """Refuse what is not one strict JSON text: 400 when it cannot be read, 422 when it reads and cannot be meant."""
    try:
        strict_json.decode(body)
    except strict_json.Refused as refused:
        status = 400 if refused.reason in UNREADABLE and not _is_half_a_pair(body, refused) else 422
        raise Problem(status, f"json-{refused.reason.lower()}", refused.words) from refused


def _is_half_a_pair(body: bytes, refused: strict_json.Refused) -> bool:
    return (
        refused.reason == "ENCODING" and b"\\u" in body and b"\x00" not in body and body[:1] in {b"{", b"[", b'"', b" "}
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body again for the route; afterwards whatever else the connection says (a browser going away)."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receiving
