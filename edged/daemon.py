"""The daemon: the one place that knows all the parts. Started in order, stopped in the reverse of it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from edged.answers import Answers
from edged.camera.frame import Frame
from edged.camera.newest import Newest
from edged.commands import Commands
from edged.config import Config
from edged.engine.engine import Engine, EngineOptions
from edged.engine.options import EdgeTpuOptions
from edged.engine.process import Launch
from edged.events import Events
from edged.first_model import first_packages, load_first
from edged.fleet import Fleet, views
from edged.health import HealthReporter
from edged.heat import HeatGovernor
from edged.home_assistant.integration import show_home_assistant
from edged.labeling.label import Result
from edged.live_cameras import LiveCameras
from edged.mqtt.client import MqttClient
from edged.mqtt.embedded import EmbeddedBroker
from edged.mqtt.messages import label_payload
from edged.pipeline import Pipeline
from edged.progress import Progress
from edged.reload import Reloader, warn_of_unknown_labels
from edged.settings import read_settings
from edged.signals import stop_signals
from edged.snapshots import Snapshots
from edged.supervision import Changed, Watched, supervise
from edged.systemd import Supervisor
from edged.threads import from_threads, in_thread
from edged.updating import ModelTopics, make_updater, obey_over_mqtt
from edged.web import open_page
from edged.web.parts import Parts

if TYPE_CHECKING:
    from edged.classifier import Classifier
    from edged.models.member import Package
    from edged.mqtt.model_messages import ModelStatus, UpdateStatus

log = logging.getLogger(__name__)

HEALTH_SECONDS: Final = 60.0
PIPELINE: Final = "pipeline"  # whose progress the watchdog is told of
GRACE_SECONDS: Final = 10.0
M_ARENA_MAX: Final = -8  # malloc.h
Show = Callable[[Result, Frame], None]
Announce = Callable[[str, int, str | None], None]
Reload = Callable[[], Config]
T = TypeVar("T")


async def serve(  # noqa: C901, PLR0915  one part after the other, as they are started
    config: Config,
    *,
    show: Show | None = None,
    announce: Announce | None = None,
    seconds: float | None = None,
    reload: Reload | None = None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; until SIGHUP too where there is nothing to reload.

    Args:
        config: what to do.
        show: called with every result, in the pipeline's thread; must not block.
        announce: called with the broker's host and port, and the page's address (None: no page), once they are known.
        seconds: end in order after so long, counted from the announcement; None is for ever.
        reload: gives the configuration anew, at SIGHUP; raises ConfigError where it is wrong.

    Raises:
        EdgedError: something that no waiting mends; its exit code says what kind.
    """
    loop = asyncio.get_running_loop()
    given = config
    stopping, reloading = asyncio.Event(), asyncio.Event()
    changed = Changed()  # a state that `health` and systemd are told of
    wake = from_threads(changed.set)
    supervisor = Supervisor()
    async with AsyncExitStack() as parts:  # what is started last is stopped first
        parts.callback(supervisor.close)
        parts.enter_context(stop_signals(stopping, reloading if reload is not None else None))
        page = open_page(config)
        if page is not None:
            parts.push_async_callback(page.stop)
        engine = Engine(_engine_options(config), on_change=wake)
        parts.callback(engine.close)
        engine.start()  # its runtime is imported while everything else is set up
        packages = await _first_packages(config, stopping)
        if packages is None:
            return
        if config.mqtt.embedded:
            broker = await parts.enter_async_context(EmbeddedBroker(config.mqtt.port))
            config = _with_broker(config, broker.port)
        if announce is not None:
            address = config.mqtt.addresses[0]
            announce(address.host, address.port, None if page is None else page.url)
        end = None if seconds is None else loop.time() + seconds
        tasks = await parts.enter_async_context(asyncio.TaskGroup())

        mqtt = MqttClient(config.mqtt, config.device, log)
        mqtt.on_state_change = changed.set
        parts.push_async_callback(mqtt.stop)

        events = Events(mqtt, config.state, config.cameras, wake)
        parts.push_async_callback(events.stop)

        snapshots = Snapshots(mqtt)
        parts.callback(snapshots.stop)

        newest = Newest()
        heat = HeatGovernor(config.heat)
        fleet = Fleet(newest, wake, lambda: heat.share)
        progress = Progress()

        def offer(result: Result, frame: Frame) -> None:
            mqtt.publish(mqtt.topics.labels(result.camera), label_payload(result))
            events.offer(result, frame.captured)
            snapshots.offer(result, frame)
            if page is not None:
                page.offer(result, frame)
            if show is not None:
                show(result, frame)

        def taken(classifier: Classifier) -> None:
            progress.expect(PIPELINE, _patience(config, len(classifier.slots)))
            fleet.want(classifier.size)
            warn_of_unknown_labels(classifier, config.cameras)
            ref = classifier.ref
            events.use(classifier.slugs, ref)
            log.info("labelling %s with %s %s", ", ".join(fleet.cameras), ref.name, ref.version)
            wake()

        def load() -> Classifier | None:
            classifier = load_first(engine, packages, config.model.members, lambda: progress.beat(PIPELINE))
            if classifier is not None:
                taken(classifier)
            return classifier

        beat = partial(progress.beat, PIPELINE)
        settings = read_settings(config.state)
        pipeline = Pipeline(newest, load, views(settings.over(config.cameras)), offer, beat, events.stands)
        cameras = LiveCameras(settings, pipeline, fleet, mqtt, (events.apply, snapshots.apply))

        model_topics = ModelTopics(mqtt)

        def tell(model: ModelStatus, update: UpdateStatus) -> None:
            model_topics.tell(model, update)
            cameras.tell()
            if page is not None:
                page.models(model, update)
            reporter.model = model.health
            changed.set()

        updater = make_updater(config, engine, pipeline, taken, tell)
        answers = Answers(mqtt)
        obey_over_mqtt(mqtt, updater, answers)
        commands = Commands(mqtt, answers, cameras, engine.restart, config.state)
        home_assistant = show_home_assistant(config, mqtt, cameras, events, pipeline)
        tasks.create_task(mqtt.run(), name="mqtt")
        reporter = HealthReporter(fleet.cameras, engine, pipeline, config.state, share=lambda: heat.share)
        reporter.events = events.health
        reporter.off = lambda: cameras.off
        if page is not None:
            events.told = page.happened
        watched = Watched(supervisor, progress, fleet, heat, pipeline, engine, changed.set)
        onlookers = {
            "health": _report_health(reporter, mqtt, changed.listener()),
            "supervision": supervise(watched, changed.listener()),
            "updater": updater.run(),
            "commands": commands.run(),
            "home assistant": home_assistant,
            "snapshots": in_thread(snapshots.run, "snapshots"),
            "events": in_thread(events.run, "events"),
        }
        if page is not None:
            onlookers["page"] = page.run(Parts(config, mqtt, cameras, events, pipeline, reporter))
        if reload is not None:
            onlookers["reload"] = Reloader(reload, given, cameras, pipeline, supervisor, page).run(reloading)
        for name, onlooker in onlookers.items():
            parts.callback(tasks.create_task(onlooker, name=name).cancel)
        progress.expect(PIPELINE, _patience(config, max(len(package.members) for package in packages)))
        tasks.create_task(in_thread(pipeline.run, "pipeline"), name="pipeline")
        parts.callback(engine.close)  # once more and earlier: an inference that hangs must not hold up the end
        parts.callback(pipeline.stop)
        parts.callback(fleet.stop)
        cameras.take_on(config.cameras)
        parts.callback(supervisor.stopping)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await stopping.wait()


async def _first_packages(config: Config, stopping: asyncio.Event) -> list[Package] | None:
    """What to start with, proved where it has to be. None when the daemon is to stop meanwhile."""
    finding = asyncio.ensure_future(in_thread(partial(first_packages, config, _launch(config)), "proving"))
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({finding, stop}, return_when=asyncio.FIRST_COMPLETED)
        return await finding if finding.done() else None
    finally:
        finding.cancel()
        stop.cancel()


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


def _patience(config: Config, members: int) -> float:
    """How long one turn of the pipeline may take: a worker starts, every member is loaded, and each infers."""
    inference = config.inference
    return (1 + members) * inference.load_deadline + members * inference.deadline + GRACE_SECONDS


def _with_broker(config: Config, port: int) -> Config:
    mqtt = config.mqtt.model_copy(update={"host": "127.0.0.1", "port": port})
    return config.model_copy(update={"mqtt": mqtt})


def _launch(config: Config) -> Launch:
    inference = config.inference
    return Launch(inference.python, inference.runtime, inference.memory)


def _engine_options(config: Config) -> EngineOptions:
    inference = config.inference
    threads = None if inference.threads == "auto" else inference.threads
    return EngineOptions(
        threads=threads,
        deadline=inference.deadline,
        load_deadline=inference.load_deadline,
        launch=_launch(config),
        device=inference.device,
        edgetpu=EdgeTpuOptions(inference.edgetpu.library, inference.edgetpu.device),
    )


def _share_arenas() -> None:
    """Have all threads allocate from two arenas.

    glibc makes up to eight a core, one for each new thread, and what a camera's thread took for its pictures stays with
    the arena when the thread has ended. Measured over ten minutes in which cameras came and went: 168 MB became 120 MB.
    """
    with contextlib.suppress(AttributeError):  # another C library has no arenas
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def run_daemon(
    config: Config,
    *,
    show: Show | None = None,
    announce: Announce | None = None,
    seconds: float | None = None,
    reload: Reload | None = None,
) -> None:
    """`serve`, in an event loop of its own. Raises EdgedError."""
    _share_arenas()
    faulthandler.enable()  # systemd's watchdog ends us with SIGABRT: then every thread says where it is
    try:
        asyncio.run(serve(config, show=show, announce=announce, seconds=seconds, reload=reload))
    except BaseExceptionGroup as group:  # a task took the daemon down: the first reason is the one to tell
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group
