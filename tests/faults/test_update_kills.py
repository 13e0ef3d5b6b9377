"""Power cuts at random moments of updates: every start labels in time, with a model that was good.

    EDGED_KILLS        how many (4)
    EDGED_KILLS_SEED   the walk to take; without it another one each time, whose seed is logged

`scripts/update-kills` takes 200 and shows each.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import statistics
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from faults.update_walk import UpdateWalk

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

KILLS = int(os.environ.get("EDGED_KILLS", "4"))
SEED = int(os.environ.get("EDGED_KILLS_SEED") or secrets.randbelow(2**31))

log = logging.getLogger("walk")


@pytest.mark.timeout(120 + 20 * KILLS)
def test_every_start_after_a_power_cut_labels_with_a_good_model_and_the_update_goes_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "walk")
    log.info("walk: EDGED_KILLS_SEED=%d EDGED_KILLS=%d", SEED, KILLS)
    walk = UpdateWalk(tmp_path, broker, subscriber, photos, SEED)
    try:
        walk.go(KILLS)
        walk.settle()
    finally:
        walk.end()
        starts = walk.tally.starts or [0.0]
        told = {**asdict(walk.tally), "starts": len(walk.tally.starts)}
        log.info("walk: %s", json.dumps(told, indent=1))
        log.info("walk: first label after %.2f s (median), %.2f s (worst)", statistics.median(starts), max(starts))
    assert walk.tally.failed == []
    assert "Traceback" not in walk.daemon.log
