"""The page's other parts: what is not well, events, the model, how the device is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from edged.mqtt.event_messages import Happening
from edged.web.condition import fault
from edged.web.facts import barred, choices, model_lines, offer_line, progress
from edged.web.markup import Markup, tag
from edged.web.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edged.mqtt.event_messages import Event
    from edged.mqtt.model_messages import ModelStatus, UpdateStatus
    from edged.web.condition import Row
    from edged.web.desk import Installed

MOST_EVENTS: Final = 30


def findings_panel(unwell: Sequence[Row]) -> Markup:
    """What needs somebody's attention, each with what to do; one quiet line where nothing does."""
    items = [
        tag(
            "li",
            {"class": row.level},
            tag("strong", None, row.name),
            " ",
            tag("span", None, row.value),
            tag("p", {"class": "todo"}, *_with_commands(row.todo)),
        )
        for row in unwell
    ]
    return tag(
        "section",
        {"id": "findings", "class": "findings", "aria-label": "What needs attention", "aria-live": "polite"},
        tag("p", {"class": "well", "hidden": bool(items)}, "All is well"),
        tag("ul", {"hidden": not items}, *items),
    )


def _with_commands(text: str) -> Iterator[object]:
    """A text in which backticks are around what is typed."""
    for at, part in enumerate(text.split("`")):
        yield tag("code", None, part) if at % 2 else part


def events_panel(events: Sequence[Event], now: datetime, *, watches: bool) -> Markup:
    """What happened, the newest first."""
    items = [_event(event, now) for event in events[:MOST_EVENTS]]
    empty = "Nothing has appeared since edged was started." if watches else "Events come from labels that are watched."
    return tag(
        "section",
        {"id": "events", "class": "panel", "aria-labelledby": "events-title"},
        tag("h2", {"id": "events-title"}, "Events"),
        tag("p", {"class": "empty", "hidden": bool(items)}, empty),
        tag("ol", {"class": "events", "hidden": not items, "tabindex": "0", "aria-labelledby": "events-title"}, *items),
    )


def _event(event: Event, now: datetime) -> Markup:
    came = event.event_type is Happening.APPEARED
    return tag(
        "li",
        {"class": "came" if came else "went"},
        moment(event.time, now),
        tag("span", {"class": "text"}, tag("b", None, event.label), " ", "appeared" if came else "disappeared"),
        tag("small", None, event.camera),
    )


def model_panel(  # noqa: PLR0913  all that there is to say of it
    model: ModelStatus,
    update: UpdateStatus,
    installed: Sequence[Installed],
    proof: str,
    *,
    now: datetime,
    inference: Row,
    registry: bool,
) -> Markup:
    """What labels, what is offered, and the buttons. `inference`: where it runs."""
    since = {} if model.since is None else {"Since": moment(datetime.fromisoformat(model.since), now)}
    lines = [_line(name, since.get(name, value)) for name, value in model_lines(model)]
    lines.insert(1, _line("Runs on", inference.value, key=inference.key, level=inference.level))
    offer, far, wrong = offer_line(model, update), progress(model, update), fault(model.last_error)
    options = [tag("option", {"value": one.value, "disabled": one.barred}, one.text) for one in choices(installed)]
    why = barred(model)
    buttons = [
        _button(proof, "update", "Look for an update" if not offer else "Update now", why, primary=bool(offer))
        if registry
        else None,
        _button(proof, "rollback", "Roll back", why),
    ]
    return tag(
        "section",
        {"id": "model", "class": "panel", "aria-labelledby": "model-title"},
        tag("h2", {"id": "model-title"}, "Model"),
        tag("dl", None, *lines),
        tag("p", {"class": "error", "hidden": wrong is None}, wrong or ""),
        tag("p", {"class": "offer", "hidden": not offer}, offer),
        tag(
            "div",
            {"class": "going", "hidden": not far.going},
            tag("progress", {"max": 100, "value": far.percentage, "aria-labelledby": "going"}),
            tag("p", {"id": "going"}, far.going),
        ),
        tag("div", {"class": "buttons"}, *buttons),
        tag(
            "form",
            {"method": "post", "action": "do", "class": "use", "data-action": "use"},
            *_hidden(proof, "use"),
            tag("label", {"for": "use"}, "Another model on this device"),
            tag("select", {"id": "use", "name": "model"}, *options),
            tag("button", _use_of(why["use"]), "Use"),
        ),
    )


def condition_panel(rows: Sequence[Row], proof: str) -> Markup:
    """How the device is."""
    lines = [_line(row.name, row.value, key=row.key, level=row.level) for row in rows]
    restart = tag(
        "form",
        {"method": "post", "action": "do", "data-action": "restart"},
        tag("input", {"type": "hidden", "name": "proof", "value": proof}),
        tag("input", {"type": "hidden", "name": "what", "value": "inference"}),
        tag("button", {"class": "quiet"}, "Restart inference"),
    )
    return tag(
        "section",
        {"id": "condition", "class": "panel", "aria-labelledby": "condition-title"},
        tag("h2", {"id": "condition-title"}, "Health"),
        tag("dl", None, *lines),
        restart,
    )


def _line(name: str, value: str, *, key: str | None = None, level: str = "ok") -> Markup:
    """A name and a value."""
    classes = level if level != "ok" else None
    return tag("div", {"data-key": key or name, "class": classes}, tag("dt", None, name), tag("dd", None, value))


def _button(proof: str, action: str, text: str, why: Mapping[str, str], *, primary: bool = False) -> Markup:
    """`why`: of each action, why it is of no use now."""
    return tag(
        "form",
        {"method": "post", "action": "do", "data-action": action},
        *_hidden(proof, action),
        tag("button", {"class": "primary" if primary else None, **_use_of(why[action])}, text),
    )


def _use_of(why: str) -> dict[str, str | bool | None]:
    """A button's attributes, where it is of no use for this reason."""
    return {"disabled": bool(why), "title": why or None}


def _hidden(proof: str, action: str) -> list[Markup]:
    given = {"proof": proof, "what": "model", "action": action}
    return [tag("input", {"type": "hidden", "name": key, "value": value}) for key, value in given.items()]
