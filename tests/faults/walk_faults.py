"""What can go wrong with a running daemon: how it is made to happen, how it ends, and when labels must be back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psutil
from faults.scene import BACK_SECONDS, DEADLINE, no_descriptor_left, resume, workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from faults.scene import Arrivals
    from support.daemon import Daemon
    from support.edgetpu import StandIn
    from support.mosquitto import Mosquitto

    Cure = Callable[[], object]

CAMERAS: Final = frozenset({"a", "b", "film"})
RELOAD_SECONDS: Final = 2.0  # a camera that has changed is opened when the one before has let go of its source
STEADY_SECONDS: Final = 36.0  # a connection that held for 30 s lets the pauses of the next tries begin anew
WELL_SECONDS: Final = 20.0  # an Edge TPU that labelled for 10 s is tried again within a second of its next fault


@dataclass(frozen=True, slots=True)
class Scene:
    """A daemon with two cameras of photos, one of a film, and an Edge TPU; and all that it depends on."""

    daemon: Daemon
    broker: Mosquitto
    arrivals: Arrivals
    stand_in: StandIn
    photos: dict[str, Path]
    film: Path
    state: Path
    cameras: frozenset[str] = CAMERAS

    def is_well(self) -> bool:
        """Whether the Edge TPU labels, a worker stands by, and nobody is left behind."""
        children = self.daemon.process.children()
        return (
            len(children) == len(workers(self.daemon)) == 2
            and self.edge_tpu_worker() is not None
            and self.arrivals.last.device == "edgetpu"
        )

    def edge_tpu_worker(self) -> psutil.Process | None:
        """The one that has the Edge TPU."""
        loads = self.stand_in.loads()
        holder = int(loads[-1].split()[0]) if loads else 0
        return next((worker for worker in workers(self.daemon) if worker.pid == holder), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them.

    Attributes:
        name: in words.
        kind: what it happens to; of one kind, one at a time.
        happen: makes it happen, and gives what ends it.
        back: seconds after its end by which labels are back, to which comes `growing` times as long as it lasted.
        hits: the cameras that have no labels while it lasts.
        rest: seconds before it may happen again, and with it those named `with_others`.
    """

    name: str
    kind: str
    happen: Callable[[Scene, Random], Cure]
    back: float = BACK_SECONDS
    growing: float = 0.0
    hits: frozenset[str] = frozenset()
    rest: float = 0.0
    with_others: tuple[str, ...] = field(default=())

    def bound(self, lasted: float) -> float:
        """Within how many seconds after its end every camera has labels again."""
        return self.back + self.growing * lasted

    @property
    def meanwhile(self) -> float:
        """The same for the cameras that it does not hit, after its beginning."""
        return BACK_SECONDS if self.hits else self.back


def nothing() -> None:
    """Ends what has ended by itself."""


def _signal_edge_tpu(number: signal.Signals) -> Callable[[Scene, Random], Cure]:
    def happen(scene: Scene, _: Random) -> Cure:
        worker = scene.edge_tpu_worker() or next(iter(workers(scene.daemon)), None)
        if worker is not None:
            with contextlib.suppress(psutil.Error):
                worker.send_signal(number)
        return nothing

    return happen


def _mood(behaviour: str) -> Callable[[Scene, Random], Cure]:
    def happen(scene: Scene, drawing: Random) -> Cure:
        scene.stand_in.behave(behaviour.replace("N", str(drawing.randrange(1000))))
        _signal_edge_tpu(signal.SIGKILL)(scene, drawing)
        return scene.stand_in.behave

    return happen


def _kill_standby(scene: Scene, _: Random) -> Cure:
    holder = scene.edge_tpu_worker()
    for worker in workers(scene.daemon):
        if worker != holder:
            with contextlib.suppress(psutil.Error):
                worker.kill()
    return nothing


def _kill_workers(scene: Scene, _: Random) -> Cure:
    for worker in workers(scene.daemon):
        with contextlib.suppress(psutil.Error):
            worker.kill()
    return nothing


def _kill_broker(scene: Scene, _: Random) -> Cure:
    scene.broker.kill()
    return scene.broker.start


def _freeze_broker(scene: Scene, _: Random) -> Cure:
    scene.broker.freeze()
    return scene.broker.thaw


def _take_away(camera: str) -> Callable[[Scene, Random], Cure]:
    def happen(scene: Scene, _: Random) -> Cure:
        folder = scene.photos[camera]
        away = folder.rename(folder.with_name(f"{folder.name}-away"))
        return lambda: away.rename(folder)

    return happen


def _damage(scene: Scene, drawing: Random) -> Cure:
    photo = drawing.choice(sorted(scene.photos["a"].iterdir()))
    data = photo.read_bytes()
    photo.write_bytes(data[: drawing.randrange(len(data))])
    return lambda: photo.write_bytes(data)


def _stick(scene: Scene, _: Random) -> Cure:
    """The film becomes a pipe that nobody writes to: its camera is stuck where it opens the film once more."""
    film = scene.film
    kept = film.with_suffix(".kept")
    shutil.copy(film, kept)
    pipe = film.with_suffix(".pipe")
    os.mkfifo(pipe)
    pipe.replace(film)

    def release() -> None:
        film.rename(pipe)
        kept.replace(film)
        os.close(os.open(pipe, os.O_RDWR))  # lets go who opens it, with nothing in it
        pipe.unlink()

    return release


def _reload_changed(scene: Scene, drawing: Random) -> Cure:
    config = scene.daemon.config
    lines = config.read_text("utf-8").splitlines()
    changed = drawing.choice("ab")
    for number, line in enumerate(lines):
        if line.startswith(f"  {changed}:"):
            lines[number] = f"  {changed}: {{source: {scene.photos[changed]}, fps: {drawing.choice((8, 9, 10, 11))}}}"
    config.write_text("\n".join([*lines, ""]), "utf-8")
    scene.daemon.process.send_signal(signal.SIGHUP)
    return nothing


def _reload_wrong(scene: Scene, drawing: Random) -> Cure:
    config = scene.daemon.config
    text = config.read_text("utf-8")
    config.write_text(drawing.choice((text.replace("fps: ", "fps: often"), text[: len(text) // 2], "", "\0")), "utf-8")
    scene.daemon.process.send_signal(signal.SIGHUP)
    return lambda: config.write_text(text, "utf-8")


def _reload_equal(scene: Scene, _: Random) -> Cure:
    scene.daemon.process.send_signal(signal.SIGHUP)
    return nothing


def _exhaust_descriptors(scene: Scene, _: Random) -> Cure:
    stack = contextlib.ExitStack()
    stack.enter_context(no_descriptor_left(scene.daemon))
    return stack.close


def _remove_state(scene: Scene, _: Random) -> Cure:
    shutil.rmtree(scene.state, ignore_errors=True)
    return lambda: scene.state.mkdir(exist_ok=True)


def _stop_daemon(scene: Scene, _: Random) -> Cure:
    scene.daemon.process.suspend()
    return lambda: resume(scene.daemon.process)


HANG: Final = DEADLINE + BACK_SECONDS
_ON_EDGE_TPU: Final = (
    ("the Edge TPU's worker is killed", _signal_edge_tpu(signal.SIGKILL), BACK_SECONDS),
    ("the Edge TPU's worker aborts", _signal_edge_tpu(signal.SIGABRT), BACK_SECONDS),
    ("the Edge TPU's worker segfaults", _signal_edge_tpu(signal.SIGSEGV), BACK_SECONDS),
    ("the Edge TPU's worker hangs", _signal_edge_tpu(signal.SIGSTOP), HANG),
    ("every worker is killed", _kill_workers, BACK_SECONDS),
    ("the Edge TPU is refused", _mood("refuse"), BACK_SECONDS),
    ("the Edge TPU hangs while it is loaded", _mood("hang"), BACK_SECONDS),
    ("the Edge TPU segfaults while it is loaded", _mood("segfault"), BACK_SECONDS),
    ("the Edge TPU aborts soon after it is loaded", _mood("abort N"), BACK_SECONDS),
    ("the Edge TPU hangs soon after it is loaded", _mood("stop N"), HANG),
)
_EDGE_TPU_NAMES: Final = tuple(name for name, _, _ in _ON_EDGE_TPU)

FAULTS: Final = (
    *(
        Fault(name, "Edge TPU", happen, back, rest=WELL_SECONDS, with_others=_EDGE_TPU_NAMES)
        for name, happen, back in _ON_EDGE_TPU
    ),
    Fault("the worker that stands by is killed", "standby", _kill_standby),
    Fault("the broker is killed", "broker", _kill_broker, 10.0, hits=CAMERAS, rest=STEADY_SECONDS),
    Fault("the broker is frozen", "broker", _freeze_broker, 2.0, hits=CAMERAS),
    # The pauses between two tries are at most twice as long as all before them together.
    Fault("the folder of a is away", "a", _take_away("a"), 1.0, 2.0, frozenset("a")),
    Fault("the folder of b is away", "b", _take_away("b"), 1.0, 2.0, frozenset("b")),
    Fault("a photo is damaged", "a", _damage),
    Fault("the film is stuck", "film", _stick, 1.0, 2.0, frozenset({"film"})),
    Fault("a camera is changed", "configuration", _reload_changed, RELOAD_SECONDS),
    Fault("the configuration is wrong", "configuration", _reload_wrong),
    Fault("the configuration is read again", "configuration", _reload_equal),
    # Five starts of a worker fail at once then, and it is tried again after 5 s, or 10 s the next time.
    Fault("no descriptor is left", "descriptors", _exhaust_descriptors, 11.0, hits=CAMERAS, rest=70.0),
    Fault("the state folder is removed", "state", _remove_state),
    Fault("the daemon is stopped", "daemon", _stop_daemon, hits=CAMERAS),
)
