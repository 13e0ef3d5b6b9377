"""SIGTERM while something is wrong: it always ends the daemon in order and in time."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

import psutil
import pytest
from faults.disk import fill, make_read_only, small_disk
from faults.scene import (
    DEADLINE,
    START_SECONDS,
    Interpreter,
    as_ordinary_user,
    fork_refused,
    no_descriptor_left,
    tell,
    twin_package,
    workers,
)
from faults.wall_clock import WallClock
from support.edgetpu import StandIn
from support.mosquitto import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.stage import Stage

TOO_LITTLE_MB: Final = 30
TEN_YEARS: Final = 3653
STOPS_FOR_EVER: Final = (
    "import asyncio, sys\n"
    "from edged.mqtt import client\n"
    "async def stop(self): await asyncio.sleep(3600)\n"
    "client.MqttClient.stop = stop\n"
    "from edged.cli.main import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


# Each of these brings about a fault in a daemon that it starts, for SIGTERM to meet.


def worker_hung(stage: Stage) -> None:
    stage.start().worker().suspend()
    time.sleep(DEADLINE / 4)  # the pipeline waits for it now


def worker_starting(stage: Stage) -> None:
    interpreter = Interpreter(stage.folder)
    tell(stage.daemon, f"python: {interpreter.path}")
    daemon = stage.start()
    interpreter.first("sleep 60")
    dead = daemon.worker()
    dead.kill()
    until(lambda: any(worker != dead for worker in workers(daemon)))


def worker_at_its_memory_limit(stage: Stage) -> None:
    interpreter = Interpreter(stage.folder)
    tell(stage.daemon, f"python: {interpreter.path}")
    daemon = stage.start()
    interpreter.limit(TOO_LITTLE_MB)
    daemon.worker().kill()
    until(lambda: "emory" in daemon.log)


def edge_tpu_hangs_while_it_is_loaded(stage: Stage) -> None:
    stand_in = StandIn(stage.folder / "edgetpu")
    stand_in.behave("hang")
    stage.make_daemon(stage.folder, f"model: {{path: {twin_package(stage.folder / 'twin')}}}")
    tell(stage.daemon, f"device: edgetpu, edgetpu: {{library: {stand_in.library}}}")
    stage.start()
    until(lambda: bool(stand_in.loads()), START_SECONDS)


def broker_frozen(stage: Stage) -> None:
    stage.start()
    stage.broker.freeze()


def broker_gone(stage: Stage) -> None:
    daemon = stage.start()
    stage.broker.kill()
    until(lambda: "mqtt: " in daemon.log.rpartition("labelling")[2])


def camera_folder_gone(stage: Stage) -> None:
    daemon = stage.start()
    stage.photos.rename(stage.photos.with_name("away"))
    until(lambda: "trying again" in daemon.log)


def camera_stuck_in_its_source(stage: Stage) -> None:
    stage.start()
    stage.stick()


def reload_in_progress(stage: Stage) -> None:
    daemon = stage.start()
    pipe = stage.folder / "configuration"
    os.mkfifo(pipe)
    pipe.replace(daemon.config)
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)  # the file is being read now, and goes on being


def fork_refused_to_it(stage: Stage) -> None:
    daemon = as_ordinary_user(stage.daemon)
    stage.start()
    stage.enter(fork_refused(daemon))


def fork_refused_and_no_worker(stage: Stage) -> None:
    fork_refused_to_it(stage)
    stage.daemon.worker().kill()
    until(lambda: "cannot start the inference worker" in stage.daemon.log)


def no_descriptor(stage: Stage) -> None:
    daemon = stage.start()
    stage.enter(no_descriptor_left(daemon))
    daemon.worker().kill()
    time.sleep(0.3)


def clock_jumped(stage: Stage, days: int) -> None:
    clock = WallClock(stage.folder)
    stage.daemon.environment = clock.environment
    stage.start()
    clock.set(days)
    time.sleep(0.3)


def disk_full(stage: Stage) -> None:
    folder = stage.enter(small_disk(stage.folder / "small"))  # of the log and the state
    stage.make_daemon(folder)
    stage.start()
    fill(folder)
    stage.daemon.worker().kill()


def disk_read_only(stage: Stage) -> None:
    folder = stage.enter(small_disk(stage.folder / "state"))
    stage.start()
    make_read_only(folder)


def everything(stage: Stage) -> None:
    daemon = stage.start()
    stage.stick()
    daemon.worker().suspend()
    stage.broker.freeze()
    stage.photos.rename(stage.photos.with_name("away"))
    daemon.process.send_signal(signal.SIGHUP)
    stage.enter(no_descriptor_left(daemon))


FAULTS: Final[dict[str, Callable[[Stage], None]]] = {
    "the worker hangs": worker_hung,
    "the worker is being started": worker_starting,
    "the worker meets its memory limit": worker_at_its_memory_limit,
    "the Edge TPU hangs while it is loaded": edge_tpu_hangs_while_it_is_loaded,
    "the broker is frozen": broker_frozen,
    "the broker is gone": broker_gone,
    "a camera's folder is gone": camera_folder_gone,
    "a camera is stuck in its source": camera_stuck_in_its_source,
    "a reload is in progress": reload_in_progress,
    "fork is refused": fork_refused_to_it,
    "fork is refused and there is no worker": fork_refused_and_no_worker,
    "no descriptor is left": no_descriptor,
    "the clock has jumped forward": lambda stage: clock_jumped(stage, TEN_YEARS),
    "the clock has jumped back": lambda stage: clock_jumped(stage, -TEN_YEARS),
    "the disk is full": disk_full,
    "the disk is read-only": disk_read_only,
    "everything fails": everything,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_sigterm_ends_it_in_order_and_in_time_while(stage: Stage, fault: str) -> None:
    FAULTS[fault](stage)
    left = workers(stage.daemon)
    assert stage.daemon.stop() == 0
    _, alive = psutil.wait_procs(left, 2.0)
    assert not alive, "no worker outlives it"


def test_a_stop_that_takes_too_long_is_ended_by_force_although_no_thread_can_be_started(stage: Stage) -> None:
    stage.daemon.program = ("-c", STOPS_FOR_EVER)
    fork_refused_to_it(stage)
    assert stage.daemon.stop() == 70
