"""The MQTT broker: does it answer, and does it let this device in? Asked as the daemon asks, under another name."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.mqtt.ending import Cause
from edged.mqtt.visit import visit

if TYPE_CHECKING:
    from edged.config import MqttConfig, Server
    from edged.doctor.machine import Machine
    from edged.mqtt.ending import Ending

NAME: Final = "broker"
LONGEST: Final = 30.0  # a name, TCP, TLS, and an answer in each of two versions
LISTENS: Final = (
    "is it on, and are mqtt.host and mqtt.port right? On the broker: `systemctl status mosquitto`\n"
    "mosquitto 2 without a line `listener 1883` in its configuration listens on its own machine only"
)
OTHER: Final = (
    "is it an MQTT broker, and the right port? One for TLS (often 8883) needs mqtt.tls: {}, one for websockets\n"
    "mqtt.transport: websockets"
)

NO_TLS: Final = "is that the broker's port for TLS (often 8883)? Without TLS take mqtt.tls out"
BY_CAUSE: Final = {
    Cause.BUSY: "wait, and look at the broker's log: it is full, or shutting down",
    Cause.VERSION: "mqtt.protocol: auto takes the version that the broker speaks",
    Cause.UNANSWERED: OTHER,
    Cause.LOST: OTHER,
}
BY_WORDS: Final = {  # of edged/mqtt/ending.py, the special before the general
    "not yet valid": "the clock is not set: sudo timedatectl set-ntp true",
    "Hostname mismatch": "mqtt.host must be a name that is in the broker's certificate",
    "IP address mismatch": "mqtt.host must be an address that is in the broker's certificate, or a name that is",
    "certificate is not trusted": "name the authority that signed it: mqtt.tls: {ca: /etc/edged/ca.crt}",
    "TLS failed": NO_TLS,
    "cannot be resolved": "correct mqtt.host, or give the broker's IP address; names in .local need avahi-daemon",
    "refused": LISTENS,
}
RESET: Final = "reset by peer"


def look_at_broker(machine: Machine) -> list[Check]:
    """Each address of the broker."""
    mqtt = machine.mqtt
    if mqtt is None:
        return [Check(NAME, "absent", "not asked: there is no configuration that names one")]
    if mqtt.embedded:
        return [_embedded()]
    many = len(mqtt.addresses) > 1
    return [_ask(mqtt, address, f"{NAME} {address}" if many else NAME) for address in mqtt.addresses]


def _embedded() -> Check:
    if importlib.util.find_spec("amqtt") is None:
        return Check(NAME, "problem", "mqtt.host is embedded, and amqtt is not installed", "pip install 'edged[demo]'")
    return Check(NAME, "ok", "edged's own (embedded), for this machine alone")


def _ask(mqtt: MqttConfig, address: Server, name: str) -> Check:
    one, ending = visit(mqtt, address, "edged-doctor")
    one.close()
    who = "without a user" if mqtt.username is None else f"as {mqtt.username}"
    if ending is None:
        return Check(name, "ok", f"{address} lets this device in, {who} (MQTT {one.version})")
    return Check(name, "problem", f"{address}: {ending.reason}", _cure(mqtt, address, ending))


def _cure(mqtt: MqttConfig, address: Server, ending: Ending) -> str:
    if ending.cause is Cause.REFUSED:
        return _credentials(mqtt)
    if ending.cause in BY_CAUSE:
        return BY_CAUSE[ending.cause]
    if RESET in ending.reason:
        return OTHER if mqtt.tls is None else NO_TLS
    there = f"is the broker on, and in the same network? ping {address.host}"
    return next((cure for words, cure in BY_WORDS.items() if words in ending.reason), there)


def _credentials(mqtt: MqttConfig) -> str:
    if mqtt.username is None:
        return "the broker wants a user: mqtt.username and mqtt.password_file in the configuration"
    where = "mqtt.password" if mqtt.password_file is None else str(mqtt.password_file)
    return (
        f"compare mqtt.username and the password in {where} with the broker's; to set it there anew:\n"
        f"sudo mosquitto_passwd /etc/mosquitto/passwd {mqtt.username} && sudo systemctl reload mosquitto"
    )
