"""`/openapi.json`: what the HTTP interface takes and gives, from `openapi.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from edged import __version__
from edged.web.facts import to_json


@cache
def document() -> str:
    """OpenAPI 3.1, as JSON."""
    described = yaml.safe_load((files("edged.web") / "openapi.yaml").read_text("utf-8"))
    described["info"]["version"] = __version__
    return to_json(described)
