"""The page itself: as HTML, with forms for those without JavaScript; logging in and out; its files."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from edged.errors import UsageError
from edged.mqtt.command_messages import SETTINGS
from edged.web.condition import MINUTE_S
from edged.web.document import Shown, login_page, page
from edged.web.guard import COOKIE, check_origin, check_proof, read_body, refused
from edged.web.security import SESSION_S
from edged.web.timeline import WINDOWS

if TYPE_CHECKING:
    from starlette.requests import Request

    from edged.web.desk import Desk
    from edged.web.live import Live
    from edged.web.security import Gate

STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
MOST_SAID: Final = 32
LONGEST_FIELD: Final = 1024


class Browse:
    """Its routes."""

    def __init__(self, desk: Desk, live: Live, gate: Gate) -> None:
        self._desk = desk
        self._live = live
        self._gate = gate
        self._said: OrderedDict[str, str] = OrderedDict()  # what came of commands, until it has been shown
        self._files: dict[str, tuple[bytes, str]] = {}

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self._page),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/do", self._do, methods=["POST"]),
            Route("/static/{name}", self._static),
        ]

    async def _page(self, request: Request) -> Response:
        wanted = request.query_params.get("minutes", "")
        report = await self._desk.report()
        usual = WINDOWS["10 min" if report.health.uptime_s < WINDOWS["10 min"] * MINUTE_S else "Hour"]  # all there is
        minutes = int(wanted) if wanted in map(str, WINDOWS.values()) else usual
        self._live.keep(report)
        now = datetime.now(UTC)
        since = now - timedelta(minutes=minutes)
        self._live.history.agree(report.known, now)
        shown = Shown(
            device=self._desk.device,
            proof=self._gate.proof(request.state.session),
            session=bool(request.state.session),
            report=report,
            seen=self._live.seen(),
            spans=self._live.history.spans(since),
            since=since,
            now=now,
            events=self._live.history.events(),
            model=self._live.model,
            update=self._live.update,
            installed=await self._desk.models(),
            registry=self._desk.has_registry,
            said=self._said.pop(request.query_params.get("said", ""), ""),
        )
        return HTMLResponse(page(shown).encode(errors="replace"))

    async def _login(self, request: Request) -> Response:
        if request.method != "POST":
            here = login_page(self._desk.device)
            return RedirectResponse(".", 303) if request.state.let_in else HTMLResponse(here)
        check_origin(request)
        fields = await _form(request)
        if fields is None or "token" not in fields:
            return refused(422, "a form, with the field token")
        if request.state.let_in:
            return RedirectResponse(".", 303)
        address = request.client.host if request.client is not None else ""
        if not self._gate.may_try(address, time.monotonic()):
            return HTMLResponse(login_page(self._desk.device, "Too many wrong tokens: wait a minute."), 429)
        if not self._gate.knows(fields["token"]):
            return HTMLResponse(login_page(self._desk.device, "That is not the token."), 403)
        self._gate.forgive(address)
        answer = RedirectResponse(".", 303)
        secure = urlsplit(request.headers.get("origin", "")).scheme == "https"
        session = self._gate.session(time.time())
        answer.set_cookie(COOKIE, session, SESSION_S, httponly=True, samesite="strict", secure=secure)
        return answer

    async def _logout(self, request: Request) -> Response:
        fields = await _form(request)
        if fields is None:
            return refused(422, "a form, with the field proof")
        check_proof(request, self._gate, fields.get("proof"))
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def _do(self, request: Request) -> Response:
        """A command by a form; what came of it is on the page that follows."""
        fields = await _form(request)
        if fields is None:
            return refused(422, "a form, with the fields proof and what")
        check_proof(request, self._gate, fields.get("proof"))
        try:
            done, error = await self._command(fields)
        except UsageError as wrong:
            return refused(422, str(wrong))
        text = f"Not done: {error}" if error is not None else "Done." if done else "It is on its way."
        key = secrets.token_urlsafe(12)
        self._said[key] = text
        while len(self._said) > MOST_SAID:
            self._said.popitem(last=False)
        return RedirectResponse(f".?said={key}", 303)

    async def _command(self, fields: dict[str, str]) -> tuple[bool, str | None]:
        what, camera, setting = (fields.get(key, "") for key in ("what", "camera", "setting"))
        if what == "set" and setting in SETTINGS and (await self._desk.report()).camera(camera) is not None:
            return await self._desk.set(camera, setting, fields.get("value", "").encode())
        if what == "inference":
            return await self._desk.inference(b'{"action":"restart"}')
        if what == "model":
            name, _, version = fields.get("model", "").partition("@")
            given = {"action": fields.get("action", ""), "name": name, "version": version}
            return await self._desk.model(json.dumps({key: value for key, value in given.items() if value}).encode())
        raise UsageError("what: set (with camera, setting and value), model (with action) or inference")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        media_type = STATIC.get(name)
        if media_type is None:
            return refused(404, "no such file")
        if name not in self._files:
            data = (files("edged.web") / "static" / name).read_bytes()
            self._files[name] = data, f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        data, tag = self._files[name]
        headers = {"etag": tag, "cache-control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)


async def _form(request: Request) -> dict[str, str] | None:
    """A form's fields, of equal names the last; None where it is no form, or something in it is too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qs((await read_body(request)).decode(), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        return None
    fields = {key: values[-1] for key, values in pairs.items()}
    return fields if all(len(value) <= LONGEST_FIELD for value in fields.values()) else None
