"""A camera on the page: its picture with region and masks drawn, its labels as bars, its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.web.markup import Markup, tag

if TYPE_CHECKING:
    from edged.camera.geometry import Size
    from edged.labeling.label import Label, Result
    from edged.web.condition import Row
    from edged.web.desk import CameraFacts

WHOLE: Final = (0.0, 0.0, 1.0, 1.0)
MOST_LABELS: Final = 8


def camera_card(camera: CameraFacts, row: Row | None, seen: tuple[Result, Size] | None, proof: str) -> Markup:
    """An article. `row`: how it is; `seen`: the last result, and the size of its picture."""
    name = camera.name
    off = not camera.applied.enabled
    attributes = {
        "class": "camera off" if off else "camera",
        "id": f"camera-{name}",
        "data-camera": name,
        "aria-labelledby": f"name-{name}",
    }
    level = "notice" if row is None else row.level
    return tag(
        "article",
        attributes,
        tag(
            "div",
            {"class": "title"},
            tag("h2", {"id": f"name-{name}"}, name),
            tag("p", {"class": f"state {level}"}, "not known yet" if row is None else row.value),
        ),
        _view(camera, None if seen is None else seen[1]),
        _labels(() if seen is None else seen[0].labels),
        _settings(camera, proof),
    )


def _view(camera: CameraFacts, size: Size | None) -> Markup:
    """The picture comes with the script; without one, as a snapshot."""
    address, on = f"cameras/{camera.name}/snapshot.jpg", camera.applied.enabled
    alt = f"What {camera.name} sees"
    return tag(
        "div",
        {"class": "view"},
        tag("img", {"alt": alt, "hidden": True}),
        tag("noscript", None, tag("img", {"src": address, "alt": alt})) if on else None,
        _overlay(camera, size),
        tag("p", {"class": "empty"}, "No picture yet" if on else "Switched off"),
    )


def _overlay(camera: CameraFacts, size: Size | None) -> Markup | None:
    """Region and masks, in fractions that are scaled to the picture's size."""
    if camera.region == WHOLE and not camera.masks:
        return None
    width, height = (4, 3) if size is None else (size.width, size.height)
    shapes = []
    for mask in camera.masks:
        points = " ".join(f"{x:g},{y:g}" for x, y in mask)
        shapes.append(tag("polygon", {"class": "mask", "points": points}))
    if camera.region != WHOLE:
        x, y, across, down = camera.region
        shapes.append(tag("rect", {"class": "region", "x": x, "y": y, "width": across, "height": down}))
    said = [f"{len(camera.masks)} masked" if camera.masks else "", "a region" if camera.region != WHOLE else ""]
    return tag(
        "svg",
        {
            "class": "overlay",
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "aria-label": "Drawn in: " + " and ".join(filter(None, said)),
        },
        tag("g", {"transform": f"scale({width} {height})"}, *shapes),
    )


def _labels(labels: tuple[Label, ...]) -> Markup:
    rows = [
        tag(
            "tr",
            None,
            tag("th", {"scope": "row"}, label.text),
            tag("td", {"class": "bar"}, _meter(label.confidence)),
            tag("td", {"class": "figure"}, f"{label.confidence * 100:.0f} %"),
        )
        for label in labels[:MOST_LABELS]
    ]
    none = tag("tr", {"class": "none"}, tag("td", {"colspan": 3}, "No label"))
    head = tag(
        "thead",
        {"class": "unseen"},
        tag("tr", None, *(tag("th", {"scope": "col"}, text) for text in ("Label", "Confidence", "Percent"))),
    )
    return tag("table", {"class": "labels"}, head, tag("tbody", None, *(rows or [none])))


def _meter(confidence: float) -> Markup:
    value = min(1.0, max(0.0, confidence))
    whole = {"class": "meter", "viewBox": "0 0 1 1", "preserveAspectRatio": "none", "aria-hidden": "true"}
    return tag("svg", whole, tag("rect", {"width": f"{value:.3f}", "height": 1}))


def _settings(camera: CameraFacts, proof: str) -> Markup:
    name, applied = camera.name, camera.applied
    threshold = "" if camera.threshold is None else f"{camera.threshold:.3g}"
    switch = tag(
        "form",
        {"method": "post", "action": "do", "class": "setting", "data-setting": "enabled"},
        *_hidden(proof, name, "enabled"),
        tag("span", {"class": "what"}, "Camera"),
        tag(
            "button",
            {"name": "value", "value": "OFF" if applied.enabled else "ON"},
            "Switch off" if applied.enabled else "Switch on",
        ),
    )
    return tag(
        "details",
        None,
        tag("summary", None, "Settings"),
        _number(camera, proof, "threshold", "Least confidence", {"value": threshold, "min": 0, "max": 1, "step": 0.01}),
        _number(
            camera,
            proof,
            "fps",
            "Frames per second, at most",
            {"value": f"{applied.fps:g}", "min": 0.001, "max": 240, "step": "any"},
        ),
        switch,
        tag("p", {"class": "note"}, "Source: ", tag("code", None, camera.source)),
    )


def _number(
    camera: CameraFacts, proof: str, setting: str, what: str, limits: dict[str, str | float | bool | None]
) -> Markup:
    """A setting that is a number. `limits`: the field's attributes, its value among them."""
    box = f"{setting}-{camera.name}"
    return tag(
        "form",
        {"method": "post", "action": "do", "class": "setting", "data-setting": setting},
        *_hidden(proof, camera.name, setting),
        tag("label", {"for": box, "class": "what"}, what),
        tag("input", {"id": box, "name": "value", "type": "number", "required": True, **limits}),
        tag("button", None, "Set", tag("span", {"class": "unseen"}, f" {what} of {camera.name}")),
        tag(
            "button",
            {"name": "value", "value": "null", "class": "quiet", "formnovalidate": True},
            "As in the file",
            tag("span", {"class": "unseen"}, f": {what} of {camera.name}"),
        ),
    )


def _hidden(proof: str, camera: str, setting: str) -> list[Markup]:
    given = {"proof": proof, "what": "set", "camera": camera, "setting": setting}
    return [tag("input", {"type": "hidden", "name": key, "value": value}) for key, value in given.items()]
