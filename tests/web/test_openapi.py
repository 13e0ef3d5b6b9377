"""The description of the HTTP interface, and the interface: each has what the other has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from edged.config.cameras import CameraConfig
from edged.mqtt.command_messages import SETTINGS
from edged.web.api import Api
from edged.web.browse import Browse
from edged.web.live import Live
from edged.web.openapi import document
from edged.web.security import Gate

if TYPE_CHECKING:
    from support.page import Asker

    from edged.web.desk import Desk

DESCRIBED: dict[str, Any] = json.loads(document())


def test_every_route_is_described_and_nothing_else() -> None:
    nobody = cast("Desk", None)  # no route asks it before it is called
    live, gate = Live(), Gate(None)
    routes = [*Browse(nobody, live, gate).routes(), *Api(nobody, live, gate).routes()]
    there = {(route.path, method) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    described = {
        (path, method.upper()) for path, each in DESCRIBED["paths"].items() for method in each if method != "parameters"
    }
    assert there == described


def test_every_operation_says_what_it_is_and_has_a_name_of_its_own() -> None:
    operations = [each[method] for each in DESCRIBED["paths"].values() for method in each if method != "parameters"]
    assert all(operation["summary"].endswith(".") for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_the_words_are_the_products_own() -> None:
    schemas = DESCRIBED["components"]["schemas"]
    before = "/api/cameras/{camera}/"
    settings = [path.removeprefix(before) for path in DESCRIBED["paths"] if path.startswith(before)]
    assert tuple(settings) == SETTINGS
    assert set(schemas["Camera"]["properties"]) >= {"region", "masks"} <= set(CameraConfig.model_fields)


def test_answers_have_what_the_description_requires(ask: Asker) -> None:
    for path in ("/api/health", "/api/model", "/api/presence", "/api/events", "/api/cameras"):
        schema = DESCRIBED["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        if "$ref" in schema:
            schema = DESCRIBED["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        assert set(schema["required"]) == ask(path).json.keys(), path
    assert set(DESCRIBED["components"]["schemas"]["Camera"]["required"]) == ask("/api/cameras/a").json.keys()
