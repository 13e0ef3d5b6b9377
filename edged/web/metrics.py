"""What Prometheus scrapes: names and units by its rules (seconds, bytes, ratios; counters end in `_total`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from edged import __version__
from edged.web.condition import fault
from edged.web.markup import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from edged.mqtt.messages import CameraHealth
    from edged.web.desk import Report
    from edged.web.live import Live

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MEGA: Final = 2**20
PERCENT: Final = 100.0
CAMERA_STATES: Final = ("running", "starting", "retrying", "abandoned", "ended", "off")
MODEL_STATES: Final = ("good", "probation", "downloading", "proving", "rolled_back")


def exposition(report: Report, live: Live) -> bytes:
    """All of it."""
    registry = CollectorRegistry()
    registry.register(_Once(report, live))
    return generate_latest(registry)


class _Once(Collector):
    """One report, as metrics."""

    def __init__(self, report: Report, live: Live) -> None:
        self._report = report
        self._live = live

    def describe(self) -> list[Metric]:
        """Nothing: else the registry would collect twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric once."""
        health, mqtt = self._report.health, self._report.mqtt
        yield _gauge("edged_build_info", "Which edged this is.", {"version": __version__}, 1)
        yield _gauge("edged_uptime_seconds", "Since the daemon was started.", {}, health.uptime_s)
        yield from self._cameras()
        yield from self._inference()
        yield _gauge("edged_mqtt_connected", "Whether a broker is connected.", {}, mqtt.connected)
        yield _counter("edged_mqtt_reconnects", "Times that the connection was made anew.", mqtt.reconnects)
        yield _gauge("edged_mqtt_queued_messages", "Messages that wait for the broker.", {}, mqtt.queued)
        yield _counter("edged_mqtt_dropped_messages", "Messages for which there was no room.", mqtt.dropped)
        yield _gauge("edged_events_waiting", "Events that the broker has not acknowledged.", {}, health.events.waiting)
        yield _counter("edged_events_lost", "Events that will never be published.", health.events.lost)
        yield from self._model()
        yield from self._system()
        yield _gauge("edged_page_viewers", "Pages and streams that are being looked at.", {}, len(self._live.viewers))
        yield _counter("edged_page_pictures", "JPEGs made for viewers.", self._live.pictures.encoded)

    def _cameras(self) -> Iterator[Metric]:
        cameras = self._report.health.cameras
        state = GaugeMetricFamily(
            "edged_camera_state", "1 for the state that a camera is in.", labels=("camera", "state")
        )
        for name, camera in cameras.items():
            for each in CAMERA_STATES:
                state.add_metric((name, each), float(camera.state == each))
        yield state
        yield self._by_camera(
            GaugeMetricFamily("edged_camera_labelled_fps", "Frames labelled a second, of late.", labels=("camera",)),
            lambda camera: camera.fps,
        )
        for name, text, value in (
            ("edged_camera_frames", "Frames that the camera gave.", lambda camera: camera.frames),
            ("edged_camera_dropped_frames", "Frames that a newer one replaced.", lambda camera: camera.dropped),
            ("edged_camera_unchanged_frames", "Frames in which nothing had moved.", lambda camera: camera.unchanged),
            ("edged_camera_reconnects", "Times that the source was opened anew.", lambda camera: camera.reconnects),
        ):
            yield self._by_camera(CounterMetricFamily(name, text, labels=("camera",)), value)
        enabled = GaugeMetricFamily("edged_camera_enabled", "Whether the camera is switched on.", labels=("camera",))
        for facts in self._report.cameras:
            enabled.add_metric((facts.name,), float(facts.applied.enabled))
        yield enabled

    def _by_camera(
        self, family: GaugeMetricFamily | CounterMetricFamily, value: Callable[[CameraHealth], float]
    ) -> Metric:
        for name, camera in self._report.health.cameras.items():
            family.add_metric((name,), value(camera))
        return family

    def _inference(self) -> Iterator[Metric]:
        inference = self._report.health.inference
        for name, text, durations in (
            ("edged_label_latency_seconds", "From a frame's capture to its labels.", self._live.latency),
            ("edged_inference_seconds", "In the runtime's invoke, all members together.", self._live.inference),
        ):
            family = HistogramMetricFamily(name, text, labels=("camera",))
            for camera, (buckets, total) in durations.buckets().items():
                family.add_metric((camera,), buckets, total)
            yield family
        device = GaugeMetricFamily("edged_inference_device", "1 for the device that infers.", labels=("device",))
        for each in ("cpu", "edgetpu"):
            device.add_metric((each,), float(inference.device == each))
        yield device
        yield _gauge(
            "edged_inference_degraded", "Whether it runs elsewhere than it should.", {}, inference.reason is not None
        )
        yield _counter("edged_inference_restarts", "Workers that were replaced.", inference.restarts)

    def _model(self) -> Iterator[Metric]:
        model, update = self._live.model, self._live.update
        if model.present is not None:
            ref = model.present
            labels = {"name": plain(ref.name), "version": plain(ref.version), "digest": ref.digest}
            yield _gauge("edged_model_info", "Which model labels.", labels, 1)
        state = GaugeMetricFamily("edged_model_state", "1 for the state that the model is in.", labels=("state",))
        for each in MODEL_STATES:
            state.add_metric((each,), float(model.state == each))
        yield state
        offered = model.candidate is not None and model.candidate != model.present
        yield _gauge("edged_model_update_offered", "Whether another model is offered.", {}, offered)
        yield _gauge(
            "edged_model_update_failed",
            "Whether the last update failed, or waits.",
            {},
            fault(model.last_error) is not None,
        )
        if update.percentage is not None:
            yield _gauge("edged_model_download_ratio", "How far a download is.", {}, update.percentage / PERCENT)

    def _system(self) -> Iterator[Metric]:
        system = self._report.health.system
        for name, text, value in (
            ("edged_memory_bytes", "Of daemon and workers (proportional set size).", _times(system.memory_mb, MEGA)),
            ("edged_cpu_usage_ratio", "Of one core, by daemon and workers.", _times(system.cpu_percent, 1 / PERCENT)),
            ("edged_temperature_celsius", "Of the processor.", system.temperature_c),
            ("edged_edgetpu_temperature_celsius", "Of the hottest Edge TPU.", system.edgetpu_temperature_c),
            ("edged_throttled", "Whether the board slows itself down.", system.throttled),
            ("edged_under_voltage", "Whether the board has too little voltage.", system.under_voltage),
            ("edged_slowed", "Whether edged labels fewer frames because of heat.", system.slowed),
            ("edged_state_free_bytes", "On the disk of the state folder.", _times(system.disk_free_mb, MEGA)),
        ):
            if value is not None and math.isfinite(value):
                yield _gauge(name, text, {}, value)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _gauge(name: str, text: str, labels: dict[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), float(value))
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=float(value))
