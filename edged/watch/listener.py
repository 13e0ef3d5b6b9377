"""The way to the broker: a thread that hears what devices say, and comes back for ever."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.mqtt.ending import Cause, Ending
from edged.mqtt.retry import Backoff
from edged.mqtt.visit import visit
from edged.text import printable
from edged.watch.topic import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config.addresses import Server
    from edged.config.mqtt import MqttConfig
    from edged.mqtt.transport import Version
    from edged.watch.devices import Devices

REFUSED_S: Final = 15.0  # until somebody changes something
_STEADY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """How the connection is.

    Attributes:
        where: the broker's address.
        version: MQTT's; None while there is no connection.
        reason: why there is none, or what the broker does not let us hear.
        retry: when it is tried again (monotonic, s).
        connects: how many connections there have been.
    """

    where: str
    version: Version | None = None
    reason: str | None = None
    retry: float | None = None
    connects: int = 0


class Listener:
    """Hears for `devices`. `told` is called, in the listener's thread, when the link changes."""

    def __init__(self, config: MqttConfig, devices: Devices, told: Callable[[Link], None] | None = None) -> None:
        self._config = config
        self._devices = devices
        self._told = told
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self.link = Link(str(config.addresses[0]))
        """Replaced, never changed: any thread may look."""
        self.fault: BaseException | None = None
        """What must not have been, and ended the thread: for who waits to raise."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End. Never waits: a name that is being resolved is left behind."""
        self._stopping.set()

    def _run(self) -> None:
        try:
            self._live()
        except BaseException as error:  # noqa: BLE001  a thread cannot raise where somebody sees it
            self.fault = error

    def _live(self) -> None:
        backoff = Backoff(least=0.2, first=1.0, most=10.0)
        turn = 0
        while not self._stopping.is_set():
            addresses = self._config.addresses
            address = addresses[turn % len(addresses)]
            turn += 1
            ending = self._listen(address)
            if ending.lasted > _STEADY_S:
                backoff.reset()
            delay = REFUSED_S if ending.cause is Cause.REFUSED else backoff.next()
            reason = printable(ending.reason)
            self._say(Link(str(address), None, reason, time.monotonic() + delay, self.link.connects))
            self._stopping.wait(delay)

    def _listen(self, address: Server) -> Ending:
        def heard(topic: str, payload: bytes) -> None:
            self._devices.hear(topic, payload, time.monotonic())

        one, ending = visit(self._config, address, "edged-watch", FILTERS, heard)
        if ending is not None:
            return ending
        self._devices.forget()
        self._say(Link(str(address), one.version, connects=self.link.connects + 1))
        try:
            while not self._stopping.is_set():
                if (ending := one.serve()) is not None:
                    return ending
                if one.denied is not None and self.link.reason is None:
                    reason = f"the broker lets this user hear nothing: {printable(one.denied)}"
                    self._say(Link(str(address), one.version, reason, connects=self.link.connects))
        finally:
            one.close()
        return Ending(Cause.STOPPED, "stopped")

    def _say(self, link: Link) -> None:
        self.link = link
        if self._told is not None:
            self._told(link)
