"""Between the network and the page: what every request has to pass, and what every answer carries."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response

from edged.errors import EdgedError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edged.web.security import Gate, Names

COOKIE: Final = "edged_session"
BODY_BYTES: Final = 16 * 1024
OPEN: Final = ("/login", "/healthz", "/static/")
"""What is to be seen without the token. `/healthz` then says no more than its status."""
PROOF: Final = "x-csrf-token"
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """An ASGI application around another one.

    Sets in `scope["state"]` `let_in` (bool), `by_token` (bool: a program, which no browser speaks for) and `session`
    (str: what proofs are made for).
    """

    def __init__(self, app: ASGIApp, names: Names, gate: Gate) -> None:
        self._app = app
        self._names = names
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        answered = _Answer(send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, answered)
            return
        await self._app(scope, receive, answered)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._names.allows(headers.get("host", "")):
            return refused(421, "this page is not known by that name; web.hosts in the configuration adds names")
        now = time.time()
        session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")  # whatever others on this host put beside it
        scheme, _, token = headers.get("authorization", "").partition(" ")
        state = scope.setdefault("state", {})
        state["by_token"], state["session"] = False, session if self._gate.is_session(session, now) else ""
        state["let_in"] = self._gate.open or bool(state["session"])
        if not self._gate.open and scheme.lower() == "bearer":
            address = scope["client"][0] if scope.get("client") else ""
            if not self._gate.may_try(address, time.monotonic()):
                return too_many()
            if not self._gate.knows(token.strip()):
                return refused(401, "that is not the token", {"www-authenticate": "Bearer"})
            self._gate.forgive(address)
            state["let_in"] = state["by_token"] = True
        path = scope["path"]
        if state["let_in"] or path.startswith(OPEN):
            return None
        if path == "/" and scope["method"] in {"GET", "HEAD"}:
            return RedirectResponse("login", 303)
        return refused(401, "the token is needed: Authorization: Bearer …", {"www-authenticate": "Bearer"})


def check_origin(request: Request) -> None:
    """A browser says where a request to change something comes from: it must be from a page of ours.

    Raises:
        ForgedError: it is not, or does not say so.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        if _site(origin) != request.headers.get("host", "").lower():
            raise ForgedError("this request comes from another site")
    elif request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForgedError("this request comes from another site")


def check_proof(request: Request, gate: Gate, value: str | None) -> None:
    """Nobody has made a browser send this behind its user's back.

    A program with the token needs no proof, as browsers do not send that by themselves; nor does one that is no browser
    (those send `Origin` with every change) where no token is needed.

    Raises:
        ForgedError: there is no proof, or it is another one's.
    """
    check_origin(request)
    if request.state.by_token:
        return
    browser = any(name in request.headers for name in ("origin", "sec-fetch-site", "cookie", "referer"))
    if not browser and request.headers.get("content-type", "").startswith("application/json"):
        return
    if not gate.is_proof(value or request.headers.get(PROOF, ""), request.state.session):
        raise ForgedError("this page is older than edged's last start: load it anew")


class ForgedError(EdgedError):
    """A request to change something that may not be its sender's own wish. Recover: load the page anew."""


async def read_body(request: Request) -> bytes:
    """What was sent along, `BODY_BYTES` at most; how long it may take the connection says. ValueError: it is more."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > BODY_BYTES:
        raise ValueError("too large")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise ValueError("too large")
    return bytes(body)


def refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """An answer that says why not."""
    body = json.dumps({"error": text}, ensure_ascii=False)
    return Response(body, status, headers, media_type="application/json")


def too_many() -> Response:
    """Tokens are not to be guessed."""
    return refused(429, "too many wrong tokens; wait a minute", {"retry-after": "60"})


class _Answer:
    """`send`, with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await self._send(message)


def _site(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # no address at all
        return ""
