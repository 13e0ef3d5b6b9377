"""The same words and figures twice: in the page as the server writes it, and in what it is told later. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edged.mqtt.messages import timestamp
from edged.updates.shelf import BY_HAND
from edged.web.condition import camera_row, fault, findings, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from edged.mqtt.event_messages import Event
    from edged.mqtt.model_messages import ModelStatus, UpdateStatus
    from edged.web.condition import Row
    from edged.web.desk import Installed, Report
    from edged.web.history import Key, Span


@dataclass(frozen=True, slots=True)
class Progress:
    """Of an update. `going`: what goes on, empty where nothing does; `percentage`: of its download, where known."""

    going: str
    percentage: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A model in the list: what a form sends, what it is called, and whether it cannot be chosen."""

    value: str
    text: str
    barred: bool = False


def condition(report: Report, *, registry: bool) -> tuple[list[Row], list[Row], dict[str, Row]]:
    """The device's rows, what is not well, and a row for each camera."""
    found = rows(report.health, report.mqtt, registry=registry)
    cameras = {name: camera_row(name, camera) for name, camera in report.health.cameras.items()}
    return found, findings(report.health, found), cameras


def condition_json(report: Report, *, registry: bool) -> str:
    """What a page that is open is told of it."""
    found, unwell, cameras = condition(report, registry=registry)
    settings = {camera.name: json.loads(camera.settings) for camera in report.cameras}
    return to_json(
        {
            "rows": [asdict(row) for row in found],
            "findings": [asdict(row) for row in unwell],
            "cameras": {name: asdict(row) for name, row in cameras.items()},
            "settings": settings,
        }
    )


def event_fields(event: Event) -> dict[str, object]:
    """An event, as on its topic, without what only the outbox knows."""
    return {
        "event_type": str(event.event_type),
        "camera": event.camera,
        "label": event.label,
        "confidence": round(event.confidence, 4),
        "time": timestamp(event.time),
    }


def presence_fields(spans: Mapping[Key, Sequence[Span]], since: datetime, now: datetime) -> dict[str, object]:
    """What was present from `since` to `now`."""
    return {
        "since": timestamp(since),
        "now": timestamp(now),
        "labels": [
            {
                "camera": camera,
                "label": label,
                "present": each[-1].end is None,
                "spans": [{"start": timestamp(s.start), "end": s.end and timestamp(s.end)} for s in each],
            }
            for (camera, label), each in spans.items()
        ],
    }


def model_json(model: ModelStatus, update: UpdateStatus, installed: Sequence[Installed]) -> str:
    """What a page that is open is told of the model: its lines, and which buttons make sense."""
    return to_json(
        {"lines": model_lines(model), "offer": offer_line(model, update), **asdict(progress(model, update))}
        | {
            "barred": barred(model),
            "models": [[each.value, each.text, each.barred] for each in choices(installed)],
            "error": fault(model.last_error),
        }
    )


def model_lines(model: ModelStatus) -> list[tuple[str, str]]:
    """Names and values."""
    present = model.present
    state = {
        "good": "does well",
        "probation": "on probation",
        "downloading": "another one is on its way",
        "proving": "another one is on its way",
        "rolled_back": f"the one tried last was {'taken back' if model.last_error != BY_HAND else BY_HAND}",
    }[model.state]
    lines = [
        ("Labels now", "none yet" if present is None else f"{present.name} {present.version}"),
        ("Since", model.since or "not yet"),
        ("State", state),
        ("Before it", "nothing" if model.previous is None else f"{model.previous.name} {model.previous.version}"),
    ]
    if present is not None:
        lines.append(("Digest", present.digest[:19] + "…"))
    return lines


def offer_line(model: ModelStatus, update: UpdateStatus) -> str:
    """What is offered, in words; empty where nothing is."""
    candidate = model.candidate
    if candidate is None or candidate == model.present:
        return ""
    notes = f": {update.release_summary}" if update.release_summary else ""
    return f"{candidate.name} {candidate.version} is offered{notes}"


def progress(model: ModelStatus, update: UpdateStatus) -> Progress:
    """What goes on, and how far it is."""
    what = _coming(model)
    if not what:
        return Progress("", None)
    done = "" if update.percentage is None or model.state == "proving" else f": {update.percentage} %"
    return Progress(f"{model.state} {what}{done}", update.percentage)


def barred(model: ModelStatus) -> dict[str, str]:
    """Of each button, why it is of no use now; empty where it is."""
    what = _coming(model)
    wait = f"{what} is on its way: wait for what comes of it" if what else ""
    nothing = "There is nothing to go back to" if model.previous is None else ""
    return {"update": wait, "use": wait, "rollback": wait or nothing}


def _coming(model: ModelStatus) -> str:
    """The update that is on its way; empty where none is."""
    if model.state not in {"downloading", "proving"}:
        return ""
    return "another model" if model.candidate is None else f"{model.candidate.name} {model.candidate.version}"


def choices(installed: Sequence[Installed]) -> list[Choice]:
    """What is on this device."""
    return [_choice(each) for each in installed]


def _choice(model: Installed) -> Choice:
    if model.version is None:
        return Choice(model.name, f"{model.name} (came with edged)")
    states = {"probation": " (on probation)", "rolled_back": " (taken back)"}
    state = " (revoked)" if model.revoked else states.get(model.state or "", "")
    return Choice(f"{model.name}@{model.version}", f"{model.name} {model.version}{state}", model.revoked)


def to_json(value: object) -> str:
    """One line. A lone surrogate, which has no UTF-8, becomes a question mark when it is encoded."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
