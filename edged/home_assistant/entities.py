"""A device's entities, as Home Assistant's MQTT integration takes them. Pure functions.

One wrong key makes it refuse an entity, or the whole device; what it accepts was seen with version 2025.4.4. A template
that yields None is its word for "unknown".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.home_assistant.device import CameraEntities, Device
    from edged.mqtt.messages import Topics

Component = dict[str, object]
"""One entity, in the integration's short keys."""

CONFIG: Final[Component] = {"ent_cat": "config"}
DIAGNOSTIC: Final[Component] = {"ent_cat": "diagnostic"}
LEAST_FPS: Final = 0.001  # the least step that a number may have


def components(device: Device) -> dict[str, Component]:
    """Every entity by its key, which stays the same for as long as the camera and the label are called so."""
    pairs = [*_device(device), *(pair for camera in device.cameras for pair in _camera(device.topics, camera))]
    return {key: {**component, "uniq_id": f"{device.identifier}.{key}"} for key, component in pairs}


def _device(device: Device) -> Iterator[tuple[str, Component]]:
    topics = device.topics
    yield (
        "latency",
        _health(topics, "Latency", "value_json.inference.latency_ms.p50", "ms", "duration") | {"sug_dsp_prc": 1},
    )
    yield (
        "temperature",
        _health(topics, "Temperature", "value_json.system.temperature_c", "°C", "temperature") | {"sug_dsp_prc": 1},
    )
    yield "edgetpu_degraded", _problem(topics, "Edge TPU degraded", "value_json.inference.reason is not none")
    yield "update", _update(topics)
    yield "model", _models(topics, device.models)
    yield (
        "rollback",
        {
            "p": "button",
            "name": "Roll back model",
            "ic": "mdi:backup-restore",
            "cmd_t": topics.model_set,
            "pl_prs": '{"action":"rollback"}',
            **CONFIG,
        },
    )
    yield (
        "restart_inference",
        {
            "p": "button",
            "name": "Restart inference",
            "dev_cla": "restart",
            "cmd_t": topics.inference_set,
            "pl_prs": '{"action":"restart"}',
            **CONFIG,
        },
    )


def _camera(topics: Topics, camera: CameraEntities) -> Iterator[tuple[str, Component]]:
    name = camera.name
    # Labels are not retained, so what Home Assistant has of them is as old as it seems, and may expire.
    labels: Component = {"p": "sensor", "stat_t": topics.labels(name), "exp_aft": camera.expiry_s}
    yield (
        f"{name}.best_label",
        labels
        | {
            "name": f"{name} best label",
            "ic": "mdi:tag",
            "val_tpl": "{{ value_json.labels[0].text[:255] if value_json.labels else None }}",
        },
    )
    yield (
        f"{name}.confidence",
        labels
        | {
            "name": f"{name} confidence",
            "ic": "mdi:percent",
            "unit_of_meas": "%",
            "stat_cla": "measurement",
            "val_tpl": "{{ (value_json.labels[0].confidence * 100) | round if value_json.labels else None }}",
        },
    )
    health = f"value_json.cameras.get('{name}', {{}})"
    yield (
        f"{name}.fps",
        {**_health(topics, f"{name} frames per second", f"{health}.get('fps')", "fps"), "ic": "mdi:speedometer"},
    )
    yield f"{name}.lost", _problem(topics, f"{name} lost", f"{health}.get('state') in ('retrying', 'abandoned')")
    yield f"{name}.enabled", _enabled(topics, name)
    yield f"{name}.threshold", _number(topics, name, "threshold") | {"min": 0, "max": 1, "step": 0.01, "mode": "slider"}
    fps: Component = {"min": LEAST_FPS, "max": 240, "step": LEAST_FPS, "mode": "box", "unit_of_meas": "fps"}
    yield f"{name}.fps_limit", _number(topics, name, "fps") | fps | {"name": f"{name} frames per second at most"}
    if camera.image:
        yield (
            f"{name}.image",
            {"p": "image", "name": f"{name} snapshot", "img_t": topics.image(name), "cont_type": "image/jpeg"},
        )
    if camera.events:
        yield (
            f"{name}.events",
            {
                "p": "event",
                "name": f"{name} events",
                "stat_t": topics.events(name),
                "evt_typ": ["appeared", "disappeared", "lost"],
            },
        )
    for label in camera.watched:
        yield (
            f"{name}.present.{label.slug}",
            {
                "p": "binary_sensor",
                "name": f"{name} {label.text}"[:200],
                "dev_cla": "occupancy",
                "stat_t": topics.present(name, label.slug),
            },
        )


def _health(topics: Topics, name: str, value: str, unit: str, kind: str | None = None) -> Component:
    """A figure of `health`, which is retained: so it never expires."""
    component: Component = {
        "p": "sensor",
        "name": name,
        "stat_t": topics.health,
        "val_tpl": f"{{{{ {value} }}}}",
        "unit_of_meas": unit,
        "stat_cla": "measurement",
        **DIAGNOSTIC,
    }
    return component if kind is None else {**component, "dev_cla": kind}


def _problem(topics: Topics, name: str, condition: str) -> Component:
    return {
        "p": "binary_sensor",
        "name": name,
        "dev_cla": "problem",
        "stat_t": topics.health,
        "val_tpl": f"{{{{ 'ON' if {condition} else 'OFF' }}}}",
        **DIAGNOSTIC,
    }


def _update(topics: Topics) -> Component:
    return {
        "p": "update",
        "name": "Model update",
        "dev_cla": "firmware",
        "stat_t": topics.update,
        "cmd_t": topics.model_set,
        "pl_inst": '{"action":"update"}',
        **CONFIG,
    }


def _models(topics: Topics, names: tuple[str, ...]) -> Component:
    return {
        "p": "select",
        "name": "Model",
        "ic": "mdi:brain",
        "ops": list(names),
        "stat_t": topics.model,
        # A state that is not among the options is an error there, and a new model may label before it is announced.
        "val_tpl": f"{{{{ value_json.name if value_json.name in {json.dumps(names)} else None }}}}",
        "cmd_t": topics.model_set,
        "cmd_tpl": '{"action":"use","name":"{{ value }}"}',
        **CONFIG,
    }


def _enabled(topics: Topics, camera: str) -> Component:
    return {
        "p": "switch",
        "name": camera,
        "ic": "mdi:cctv",
        "stat_t": topics.settings(camera),
        "val_tpl": "{{ 'ON' if value_json.enabled else 'OFF' }}",
        "cmd_t": topics.set(camera, "enabled"),
        **CONFIG,
    }


def _number(topics: Topics, camera: str, setting: str) -> Component:
    value = f"value_json.{setting}"
    return {
        "p": "number",
        "name": f"{camera} {setting}",
        "stat_t": topics.settings(camera),
        "val_tpl": f"{{{{ [{value}, {LEAST_FPS}] | max }}}}" if setting == "fps" else f"{{{{ {value} }}}}",
        "cmd_t": topics.set(camera, setting),
        **CONFIG,
    }
