"""Broker, cameras and worker fail at once, or one camera for long: labels are back when they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from faults.scene import BACK_SECONDS, RETRY_SECONDS, back
from support.mosquitto import until

if TYPE_CHECKING:
    from faults.stage import Stage

STALL_SECONDS: Final = 1.0
OVERDUE_SECONDS: Final = STALL_SECONDS + 5.0 + 0.5  # a read that does not return; looked at every half second


def test_labels_of_all_cameras_are_back_after_broker_cameras_and_worker_failed_at_once(stage: Stage) -> None:
    daemon = stage.start()
    pid = daemon.process.pid
    away = stage.photos.with_name("away")
    daemon.worker().suspend()
    stage.broker.kill()
    stage.photos.rename(away)
    time.sleep(1.5)
    daemon.worker().kill()
    away.rename(stage.photos)
    stage.broker.start()
    stage.arrivals.wait_until_labelled("ab", time.monotonic(), 2 * RETRY_SECONDS)
    assert daemon.process.pid == pid
    assert daemon.stop() == 0


def test_a_camera_that_is_stuck_in_its_source_leaves_the_other_alone_and_comes_back(stage: Stage) -> None:
    daemon = stage.start()
    stage.stick()
    stage.arrivals.wait_until_labelled("a", time.monotonic(), back())
    until(lambda: "left behind" in daemon.log, OVERDUE_SECONDS + BACK_SECONDS)
    stage.arrivals.wait_until_labelled("a", time.monotonic(), back())
    stage.unstick()
    stage.arrivals.wait_until_labelled("ab", time.monotonic(), 2 * RETRY_SECONDS)
    assert daemon.stop() == 0
