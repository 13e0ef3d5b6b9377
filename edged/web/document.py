"""The page as the server writes it: whole, so that it can be read without JavaScript; scripts keep it up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged import __version__
from edged.web.camera_card import camera_card
from edged.web.facts import condition
from edged.web.markup import Markup, join, tag
from edged.web.panels import condition_panel, events_panel, findings_panel, model_panel
from edged.web.timeline import timeline_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from edged.camera.geometry import Size
    from edged.labeling.label import Result
    from edged.mqtt.event_messages import Event
    from edged.mqtt.model_messages import ModelStatus, UpdateStatus
    from edged.web.desk import Installed, Report
    from edged.web.history import Key, Span

REFRESH_S = 15


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that the page shows.

    Attributes:
        device: its name.
        proof: what the page sends along with changes.
        session: whether somebody is logged in, and can log out.
        report: how everything is.
        seen: the last result of each camera, and the size of its picture.
        spans, since, now: what was present in the timeline's window.
        events: the last ones, the newest first.
        model, update, installed: what labels, what is offered, what could be chosen.
        registry: whether there is one.
        said: what came of a command just given, without JavaScript.
    """

    device: str
    proof: str
    session: bool
    report: Report
    seen: Mapping[str, tuple[Result, Size]]
    spans: Mapping[Key, Sequence[Span]]
    since: datetime
    now: datetime
    events: Sequence[Event]
    model: ModelStatus
    update: UpdateStatus
    installed: Sequence[Installed]
    registry: bool
    said: str = ""


def page(shown: Shown) -> str:
    """The whole page."""
    rows, unwell, cameras = condition(shown.report, registry=shown.registry)
    cards = [
        camera_card(camera, cameras.get(camera.name), shown.seen.get(camera.name), shown.proof)
        for camera in shown.report.cameras
    ]
    watches = any(camera.watches for camera in shown.report.cameras)
    logout = tag(
        "form",
        {"method": "post", "action": "logout", "class": "logout"},
        _proof(shown.proof),
        tag("button", {"class": "quiet"}, "Log out"),
    )
    body = join(
        tag("a", {"class": "skip", "href": "#cameras"}, "To the cameras"),
        tag(
            "header",
            None,
            tag("h1", None, shown.device),
            tag("p", {"id": "link", "class": "link", "role": "status"}, ""),
            logout if shown.session else None,
        ),
        tag(
            "main",
            {"id": "main", "data-proof": shown.proof, "data-registry": "yes" if shown.registry else "no"},
            tag("p", {"id": "said", "class": "said", "role": "status"}, shown.said),
            findings_panel(unwell),
            tag(
                "section",
                {"id": "cameras", "class": "cameras", "aria-label": "Cameras", "tabindex": "-1"},
                *cards,
            ),
            tag(
                "div",
                {"class": "columns"},
                tag(
                    "div",
                    {"class": "column"},
                    timeline_panel(shown.spans, shown.since, shown.now, watches=watches),
                    events_panel(shown.events, shown.now, watches=watches),
                ),
                tag(
                    "div",
                    {"class": "column"},
                    model_panel(
                        shown.model,
                        shown.update,
                        shown.installed,
                        shown.proof,
                        now=shown.now,
                        inference=next(row for row in rows if row.key == "inference"),
                        registry=shown.registry,
                    ),
                    condition_panel([row for row in rows if row.key != "inference"], shown.proof),
                ),
            ),
        ),
        tag(
            "footer",
            None,
            tag(
                "p",
                None,
                f"edged {__version__} · ",
                _link("metrics"),
                " · ",
                _link("openapi.json"),
                " · ",
                _link("healthz"),
            ),
        ),
    )
    script = tag("script", {"src": "static/page.js", "type": "module"})
    refresh = tag("noscript", None, tag("meta", {"http-equiv": "refresh", "content": REFRESH_S}))
    return document(f"{shown.device} · edged", body, script, refresh)


def login_page(device: str, said: str = "") -> str:
    """Where the token is shown."""
    error = tag("p", {"id": "error", "class": "error", "role": "alert"}, said) if said else None
    box: dict[str, str | float | bool | None] = {
        "id": "token",
        "name": "token",
        "type": "password",
        "autocomplete": "current-password",
        "required": True,
        "autofocus": True,
        "maxlength": 1024,
        "aria-describedby": "error" if said else None,
    }
    form = tag(
        "form",
        {"method": "post", "action": "login", "class": "login"},
        tag("h1", None, device),
        error,
        tag("label", {"for": "token"}, "Token"),
        tag("input", box),
        tag("button", {"class": "primary"}, "Log in"),
        tag("p", {"class": "note"}, "It is in the file that web.token_file names in this device's configuration."),
    )
    return document(f"{device} · log in", tag("main", {"class": "narrow"}, form))


def document(title: str, body: Markup, *head: Markup) -> str:
    """An HTML document with the page's style. Its addresses are relative, as a proxy may put it below a path."""
    return "<!doctype html>" + tag(
        "html",
        {"lang": "en"},
        tag(
            "head",
            None,
            tag("meta", {"charset": "utf-8"}),
            tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
            tag("meta", {"name": "color-scheme", "content": "light dark"}),
            tag("title", None, title),
            tag("link", {"rel": "icon", "href": "static/icon.svg", "type": "image/svg+xml"}),
            tag("link", {"rel": "stylesheet", "href": "static/page.css"}),
            *head,
        ),
        tag("body", None, body),
    )


def _proof(proof: str) -> Markup:
    return tag("input", {"type": "hidden", "name": "proof", "value": proof})


def _link(name: str) -> Markup:
    return tag("a", {"href": name}, name)
