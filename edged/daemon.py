"""The daemon: the one place that knows all the parts. Started in order, stopped in the reverse of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from edged.camera.camera import Camera, CameraOptions, Newest
from edged.camera.frame import Frame
from edged.camera.geometry import Region
from edged.camera.source import SourceOptions
from edged.classifier import Classifier, LabelOptions
from edged.config import CameraConfig, Config, redact, unbuilt
from edged.engine.engine import Engine, EngineDownError, EngineOptions
from edged.errors import ConfigError, EdgedError, WorkerError
from edged.health import HealthReporter
from edged.labeling.label import Result
from edged.models.package import Package, find_model, open_package
from edged.mqtt.client import MqttClient
from edged.mqtt.embedded import EmbeddedBroker
from edged.mqtt.messages import label_payload
from edged.pipeline import Pipeline, View

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

HEALTH_SECONDS = 60.0
CAMERAS_END_SECONDS = 1.0
STOP_SECONDS = 4.5
LOAD_PAUSE_SECONDS = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Show = Callable[[Result, Frame], None]
Announce = Callable[[str, int], None]


async def serve(
    config: Config, *, show: Show | None = None, announce: Announce | None = None, seconds: float | None = None
) -> None:
    """Run the daemon until SIGTERM, SIGINT or SIGHUP.

    Args:
        config: what to do.
        show: called with every result, in the pipeline's thread; must not block.
        announce: called with the broker's host and port once they are known.
        seconds: end in order after so long, counted from the announcement; None is for ever.

    Raises:
        EdgedError: something that no waiting mends; its exit code says what kind.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    changed = asyncio.Event()  # a state that `health` tells has changed
    wake = _from_threads(changed.set)
    for note in unbuilt(config):
        log.info("%s", note)
    async with AsyncExitStack() as parts:  # what is started last is stopped first
        parts.enter_context(_signals(stopping))
        engine = Engine(_engine_options(config), on_change=wake)
        parts.callback(engine.close)
        engine.start()  # its runtime is imported while everything else is set up
        package = open_package(_model_path(config))
        if config.mqtt.embedded:
            broker = await parts.enter_async_context(EmbeddedBroker(config.mqtt.port))
            config = _with_broker(config, broker.port)
        if announce is not None:
            announce(config.mqtt.addresses[0].host, config.mqtt.addresses[0].port)
        end = None if seconds is None else loop.time() + seconds
        tasks = await parts.enter_async_context(asyncio.TaskGroup())

        mqtt = MqttClient(config.mqtt, config.device, log)
        mqtt.on_state_change = changed.set
        parts.push_async_callback(mqtt.stop)
        tasks.create_task(mqtt.run(), name="mqtt")

        newest = Newest()
        cameras = {name: Camera(_camera_options(name, camera), newest, wake) for name, camera in config.cameras.items()}

        def offer(result: Result, frame: Frame) -> None:
            mqtt.publish(mqtt.topics.labels(result.camera), label_payload(result))
            if show is not None:
                show(result, frame)

        views = {name: _view(camera) for name, camera in config.cameras.items()}
        pipeline = Pipeline(newest, lambda: _load(engine, package, config), views, offer)
        reporter = HealthReporter(cameras, engine, pipeline, config.state)
        health = tasks.create_task(_report_health(reporter, mqtt, changed), name="health")
        parts.callback(health.cancel)
        tasks.create_task(_in_thread(pipeline.run, "pipeline"), name="pipeline")
        parts.callback(engine.close)  # once more and earlier: an inference that hangs must not hold up the end
        parts.callback(pipeline.stop)
        parts.callback(_stop_cameras, cameras)
        for camera in cameras.values():
            camera.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await stopping.wait()


def _load(engine: Engine, package: Package, config: Config) -> Classifier | None:
    """Load the model, however often the worker dies over it. None when the engine is closed meanwhile."""
    while not engine.closed:
        try:
            classifier = Classifier(engine, package)
        except EngineDownError as error:
            time.sleep(min(error.retry_in, LOAD_PAUSE_SECONDS))
        except WorkerError as error:
            log.debug("loading: %s", error)  # the engine has said it
        else:
            _warn_of_unknown_labels(classifier, config)
            log.info("labelling %s with %s %s", ", ".join(config.cameras), package.ref.name, package.ref.version)
            return classifier
    return None


async def _report_health(reporter: HealthReporter, mqtt: MqttClient, changed: asyncio.Event) -> None:
    """Publish health every minute, and at once when a state changes."""
    loop = asyncio.get_running_loop()
    due, said = loop.time(), None
    while True:
        changed.clear()
        health = reporter.report(mqtt.state())
        if health.states() != said or loop.time() >= due:
            mqtt.publish(mqtt.topics.health, health.to_json(), qos=1, retain=True)
            due, said = loop.time() + HEALTH_SECONDS, health.states()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await changed.wait()


async def _in_thread(target: Callable[[], None], name: str) -> None:
    """Run `target` in a daemon thread of its own and wait for its end; what it raises is raised here."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            target()
        except BaseException as caught:  # noqa: BLE001  handed to the loop, which ends the daemon with it
            error = caught
        loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    await done


def _stop_cameras(cameras: Mapping[str, Camera]) -> None:
    for camera in cameras.values():
        camera.stop()
    deadline = time.monotonic() + CAMERAS_END_SECONDS
    for name, camera in cameras.items():
        if not camera.join(max(0.0, deadline - time.monotonic())):
            log.warning("camera %s does not let go of its source; left behind", name)


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """The first SIGTERM, SIGINT or SIGHUP stops in order; the second, or a stop that takes too long, ends the process.

    Plain handlers, not the loop's: they run even while its thread is stuck, in a log line that nobody reads, say. For
    the same reason the forced end says nothing. A signal that is ignored at the start (nohup) stays ignored.
    """
    loop = asyncio.get_running_loop()
    last_resort = threading.Timer(STOP_SECONDS, os._exit, (EdgedError.exit_code,))
    last_resort.daemon = True

    def stop(number: int) -> None:
        stopping.set()
        log.info("%s: stopping", signal.Signals(number).name)

    def handle(number: int, _: object) -> None:
        if last_resort.is_alive():
            os._exit(128 + number)
        last_resort.start()
        loop.call_soon_threadsafe(stop, number)  # not here: this may interrupt a log line that is being written

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)  # nothing is left to tidy up
        last_resort.cancel()


def _from_threads(call: Callable[[], None]) -> Callable[[], None]:
    """`call` on the event loop, from any thread, and nothing once the loop has ended."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    return wake


def _model_path(config: Config) -> Path:
    if config.model.path is not None:
        return config.model.path
    if config.model.name == "base":
        return find_model("base")
    if config.registry is not None:
        log.warning("model %s is not on this device: the base model labels", config.model.name)
        return find_model("base")
    raise ConfigError(f"model.name: there is no model {config.model.name!r} on this device (base, or give model.path)")


def _with_broker(config: Config, port: int) -> Config:
    mqtt = config.mqtt.model_copy(update={"host": "127.0.0.1", "port": port})
    return config.model_copy(update={"mqtt": mqtt})


def _engine_options(config: Config) -> EngineOptions:
    inference = config.inference
    threads = None if inference.threads == "auto" else inference.threads
    return EngineOptions(threads, inference.deadline, inference.load_deadline, inference.python)


def _camera_options(name: str, camera: CameraConfig) -> CameraOptions:
    return CameraOptions(
        name=name,
        source=camera.source,
        shown=redact(camera.source),
        fps=camera.fps,
        rotation=camera.rotation,
        masks=camera.masks,
        stall=camera.stall,
        options=SourceOptions(camera.loop, camera.order, camera.realtime),
    )


def _view(camera: CameraConfig) -> View:
    labels = camera.labels
    options = LabelOptions(labels.threshold, labels.max_results, frozenset(labels.allow), frozenset(labels.deny))
    return View(Region(*camera.region), options)


def _warn_of_unknown_labels(classifier: Classifier, config: Config) -> None:
    for name, camera in config.cameras.items():
        unknown = classifier.unknown_names(frozenset(camera.labels.allow) | frozenset(camera.labels.deny))
        if unknown:
            log.warning("camera %s: the model has no label %s", name, ", ".join(unknown))


def run_daemon(
    config: Config, *, show: Show | None = None, announce: Announce | None = None, seconds: float | None = None
) -> None:
    """`serve`, in an event loop of its own. Raises EdgedError."""
    try:
        asyncio.run(serve(config, show=show, announce=announce, seconds=seconds))
    except BaseExceptionGroup as group:  # a task took the daemon down: the first reason is the one to tell
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group
