"""When the device is shown: over a real broker, without Home Assistant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.daemon import wait_for_labels
from support.mosquitto import Subscriber, until

if TYPE_CHECKING:
    from support.daemon import Daemon
    from support.mosquitto import Mosquitto

CONFIG = "homeassistant/device/edged-test/config"
WAIT_S = 30.0


def test_it_is_announced_repeated_when_home_assistant_comes_up_and_withdrawn(daemon: Daemon, broker: Mosquitto) -> None:
    with Subscriber(broker.port, "#") as everything:
        until(lambda: bool(everything.on(CONFIG)), WAIT_S)
        told = json.loads(everything.on(CONFIG)[0])
        assert told["cmps"]["a.enabled"]["p"] == "switch"
        before = len(everything.on(CONFIG)), len(everything.on("edged/test/a/settings"))
        everything.send("homeassistant/status", b"offline")
        everything.send("homeassistant/status", b"online")
        until(lambda: len(everything.on(CONFIG)) > before[0], WAIT_S)
        until(lambda: len(everything.on("edged/test/a/settings")) > before[1], WAIT_S)
        assert {json.dumps(json.loads(payload)) for payload in everything.on(CONFIG)} == {json.dumps(told)}

        assert daemon.stop() == 0
        daemon.config.write_text(daemon.config.read_text("utf-8") + "\nhome_assistant: {discovery: false}\n", "utf-8")
        daemon.start()
        until(lambda: everything.on(CONFIG)[-1] == b"", WAIT_S)
        wait_for_labels(everything, WAIT_S)
