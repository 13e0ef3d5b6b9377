"""The HTTP interface: JSON as on the topics, commands as on the topics, described by `/openapi.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from edged.errors import BadImageError, UnavailableError, UsageError
from edged.mqtt.command_messages import SETTINGS, parse_inference_command, parse_setting
from edged.mqtt.messages import SCHEMA, label_payload
from edged.mqtt.model_messages import model_payload, parse_model_command, update_payload
from edged.web.condition import flowing
from edged.web.facts import condition_json, event_fields, model_json, presence_fields, to_json
from edged.web.guard import check_proof, read_body, refused
from edged.web.history import MOST_EVENTS
from edged.web.live import sse
from edged.web.metrics import CONTENT_TYPE, exposition
from edged.web.openapi import document
from edged.web.streams import events, mjpeg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from edged.web.desk import CameraFacts, Desk, Report
    from edged.web.live import Live
    from edged.web.security import Gate

JSON: Final = "application/json"
DAY_MINUTES: Final = 24 * 60


class Api:
    """Its routes."""

    def __init__(self, desk: Desk, live: Live, gate: Gate) -> None:
        self._desk = desk
        self._live = live
        self._gate = gate

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/healthz", self._healthz),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
            Route("/api/health", self._health),
            Route("/api/cameras", self._cameras),
            Route("/api/cameras/{camera}", self._camera),
            Route("/api/events", self._events),
            Route("/api/presence", self._presence),
            Route("/api/model", self._model, methods=["GET", "POST"]),
            Route("/api/live", self._stream),
            Route("/cameras/{camera}/snapshot.jpg", self._snapshot),
            Route("/cameras/{camera}/stream", self._mjpeg),
            *(
                Route(f"/api/cameras/{{camera}}/{setting}", partial(self._set, setting), methods=["POST"])
                for setting in SETTINGS
            ),
            Route("/api/inference", self._restart, methods=["POST"]),
        ]

    async def _report(self) -> Report:
        report = await self._desk.report()
        self._live.keep(report)
        return report

    async def _healthz(self, request: Request) -> Response:
        try:
            why = flowing((await self._report()).health)
        except UnavailableError as error:
            why = str(error)
        fields: dict[str, object] = {"status": "ok" if why is None else "unwell"}
        if request.state.let_in:
            fields["reason"] = why
        return _json(to_json(fields), 200 if why is None else 503)

    async def _metrics(self, _: Request) -> Response:
        data = exposition(await self._report(), self._live)
        return Response(data, headers={"content-type": CONTENT_TYPE})

    async def _openapi(self, _: Request) -> Response:
        return _json(document())

    async def _health(self, _: Request) -> Response:
        return _json((await self._report()).health.to_json())

    async def _cameras(self, _: Request) -> Response:
        report = await self._report()
        return _json(to_json({"schema": SCHEMA, "cameras": [self._fields(each, report) for each in report.cameras]}))

    async def _camera(self, request: Request) -> Response:
        report = await self._report()
        found = report.camera(request.path_params["camera"])
        return _unknown_camera(report) if found is None else _json(to_json(self._fields(found, report)))

    def _fields(self, camera: CameraFacts, report: Report) -> dict[str, object]:
        result, health = self._live.result(camera.name), report.health.cameras.get(camera.name)
        return {
            "name": camera.name,
            "source": camera.source,
            "region": camera.region,
            "masks": camera.masks,
            "state": "starting" if health is None else health.state,
            "reason": None if health is None else health.reason,
            "settings": json.loads(camera.settings),
            "result": None if result is None else json.loads(label_payload(result)),
        }

    async def _events(self, request: Request) -> Response:
        most = _whole(request, "limit", 50, MOST_EVENTS)
        if most is None:
            return refused(422, f"limit: a whole number from 1 to {MOST_EVENTS}")
        found = [event_fields(event) for event in self._live.history.events(most)]
        return _json(to_json({"schema": SCHEMA, "events": found}))

    async def _presence(self, request: Request) -> Response:
        minutes = _whole(request, "minutes", 60, DAY_MINUTES)
        if minutes is None:
            return refused(422, f"minutes: a whole number from 1 to {DAY_MINUTES}")
        now = datetime.now(UTC)
        since = now - timedelta(minutes=minutes)
        self._live.history.agree((await self._report()).known, now)
        spans = self._live.history.spans(since)
        return _json(to_json({"schema": SCHEMA, **presence_fields(spans, since, now)}))

    async def _model(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._obey(request, parse_model_command, self._desk.model)
        model, update = json.loads(model_payload(self._live.model)), json.loads(update_payload(self._live.update))
        found = [
            {"name": each.name, "version": each.version, "state": each.state} for each in await self._desk.models()
        ]
        return _json(to_json({"schema": SCHEMA, "model": model, "update": update, "installed": found}))

    async def _stream(self, request: Request) -> ASGIApp:
        pictures = request.query_params.get("pictures", "true")
        if pictures not in {"true", "false"}:
            return refused(422, "pictures: true or false")
        return events(self._live, self._begin, pictures=pictures == "true")

    async def _begin(self) -> list[bytes]:
        """What a page is told first: everything, as it may have been away for a while."""
        report = await self._report()
        first = [await self.condition(), await self.model()]
        for camera in report.cameras:
            result = self._live.result(camera.name)
            if result is not None:
                first.append(sse("labels", label_payload(result).decode()))
            self._live.show(camera.name)
        return first

    async def condition(self) -> bytes:
        """A message about how the device is."""
        return sse("condition", condition_json(await self._report(), registry=self._desk.has_registry))

    async def model(self) -> bytes:
        """A message about the model."""
        return sse("model", model_json(self._live.model, self._live.update, await self._desk.models()))

    async def _snapshot(self, request: Request) -> Response:
        report = await self._report()
        found = report.camera(request.path_params["camera"])
        if found is None:
            return _unknown_camera(report)
        if not found.applied.enabled:
            return refused(409, f"camera {found.name} is switched off")
        try:
            jpeg = await self._live.jpeg(found.name)
        except BadImageError as error:
            raise UnavailableError(str(error)) from error
        return Response(jpeg.data, media_type="image/jpeg", headers={"x-frame": str(jpeg.frame)})

    async def _mjpeg(self, request: Request) -> ASGIApp:
        report = await self._report()
        found = report.camera(request.path_params["camera"])
        return _unknown_camera(report) if found is None else mjpeg(self._live, found.name)

    async def _set(self, setting: str, request: Request) -> Response:
        camera = request.path_params["camera"]
        report = await self._report()
        if report.camera(camera) is None:
            return _unknown_camera(report)
        return await self._obey(
            request,
            lambda body: _check_setting(camera, setting, body),
            lambda body: self._desk.set(camera, setting, body),
        )

    async def _restart(self, request: Request) -> Response:
        return await self._obey(request, parse_inference_command, self._desk.inference)

    async def _obey(
        self,
        request: Request,
        parse: Callable[[bytes], object],
        command: Callable[[bytes], Awaitable[tuple[bool, str | None]]],
    ) -> Response:
        """A command: read as on its topic, and then given to the part that obeys what comes in there."""
        check_proof(request, self._gate, None)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            return refused(415, f"a body of {JSON}")
        try:
            body = await read_body(request)
        except ValueError:
            return refused(413, "a command is not as long as that")
        try:
            json.loads(body)
            parse(body)
        except UsageError as wrong:
            return refused(422, str(wrong))
        except (ValueError, RecursionError):
            return refused(422, "that is not JSON")
        done, error = await command(body)
        if error is not None:
            return refused(409, error)
        return _json(to_json({"done": done}), 200 if done else 202)


def _check_setting(camera: str, setting: str, body: bytes) -> None:
    """Stricter than at the topic, where a bare value will do, or its text: what comes in is what the description says.

    Raises:
        UsageError: it is not.
    """
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise UsageError('no command; give {"value": …, "id": …}')
    value = fields.get("value")
    if isinstance(value, str) and (setting != "enabled" or value not in {"ON", "OFF"}):
        raise UsageError(
            f"{setting}: {value[:40]!r} is a text; give {'ON, OFF' if setting == 'enabled' else 'a number'}"
        )
    parse_setting(camera, setting, body)


def _whole(request: Request, name: str, default: int, most: int) -> int | None:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):  # noqa: PLR2004  digits
        return None
    value = int(text)
    return value if 1 <= value <= most else None


def _unknown_camera(report: Report) -> Response:
    return refused(404, f"no such camera; there are {', '.join(camera.name for camera in report.cameras)}")


def _json(body: str | bytes, status: int = 200) -> Response:
    data = body if isinstance(body, bytes) else body.encode(errors="replace")
    return Response(data, status, media_type=JSON)
