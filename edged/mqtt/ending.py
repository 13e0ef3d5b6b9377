"""How a connection, or the attempt to make one, ended: what decides when and how to try again."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from edged.updates.clock import BUILT

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_…, as OpenSSL numbers them
UNSUPPORTED_VERSION: Final = 0x84
NOT_AUTHORISED: Final = 0x87
SESSION_TAKEN_OVER: Final = 0x8E
# Refusals that end by themselves: server unavailable, busy, shutting down, connection rate, quota, another server.
_PASSING_REFUSALS: Final = frozenset({0x88, 0x89, 0x8B, 0x97, 0x9C, 0x9F})


class Cause(Enum):
    """Why it ended; one for each way to go on."""

    UNREACHABLE = auto()
    """No connection came about: name, TCP, TLS or websocket."""
    UNANSWERED = auto()
    """MQTT's CONNECT was sent and not answered: closed, silent, or answered with something else."""
    VERSION = auto()
    """The broker does not speak this version of MQTT."""
    BUSY = auto()
    """The broker refuses for now."""
    REFUSED = auto()
    """The broker refuses, and will until somebody changes something: password, permission, ban."""
    TAKEN_OVER = auto()
    """Another client came with the same id."""
    LOST = auto()
    """It was connected, and is not any more."""
    STOPPED = auto()
    """We ended it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An end: its cause, the reason in words for people, and how many seconds the connection had stood (0: never)."""

    cause: Cause
    reason: str
    lasted: float = 0.0
    closed_by_broker: bool = False
    """The broker closed the connection without a word: perhaps it was taken over (`Retry.judge`)."""


def refusal(code: ReasonCode, properties: Properties | None) -> Ending:
    """What a CONNACK that is not a success means."""
    if code.value == UNSUPPORTED_VERSION:
        return Ending(Cause.VERSION, "the broker does not speak this version of MQTT")
    cause = Cause.BUSY if code.value in _PASSING_REFUSALS else Cause.REFUSED
    return Ending(cause, f"the broker refuses the connection: {in_words(code, properties)}")


def farewell(code: ReasonCode, properties: Properties | None, client_id: str, lasted: float) -> Ending:
    """What the broker's DISCONNECT means (MQTT 5 only)."""
    if code.value == SESSION_TAKEN_OVER:
        return Ending(Cause.TAKEN_OVER, f"another client uses the id {client_id}", lasted)
    return Ending(Cause.LOST, f"the broker ended the connection: {in_words(code, properties)}", lasted)


def unreachable(error: Exception) -> Ending:
    """What an exception before CONNECT means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"the broker's certificate is not trusted: {error.verify_message}"
        if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
            reason += by_the_clock(datetime.now(UTC))
    elif isinstance(error, ssl.SSLError):
        reason = f"TLS failed: {error.reason or error}"
    elif isinstance(error, socket.gaierror):
        reason = f"its name cannot be resolved: {error.strerror}"
    elif isinstance(error, TimeoutError):
        reason = "it does not answer"
    elif isinstance(error, OSError) and error.filename is not None:
        reason = f"{error.filename} cannot be read: {error.strerror}"
    else:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return Ending(Cause.UNREACHABLE, reason)


def tls_alert(words: str) -> Ending | None:
    """What the broker's half of TLS says of ours, after our own half was content; None where it says nothing."""
    found = re.search(r"\[SSL: \w*?ALERT_(\w+)\]", words)
    if found is None:
        return None
    alert = found[1].lower().replace("_", " ")
    if "cert" in alert or "ca" in alert.split():
        reason = f"the broker wants a certificate of this device that it trusts (tls.cert and tls.key): {alert}"
    else:
        reason = f"the broker ends TLS: {alert}"
    return Ending(Cause.UNREACHABLE, reason)


def by_the_clock(now: datetime) -> str:
    """What to think of a certificate's dates at this time. Names the day alone, as each text is said once."""
    if now < BUILT:
        return (
            f"; this machine's clock says {now:%Y-%m-%d}, which has passed: it is not set, and the connection waits for"
            " time synchronisation (timedatectl)"
        )
    return f"; this machine's clock says {now:%Y-%m-%d}: if it is wrong, set it, else renew the broker's certificate"


def in_words(code: ReasonCode, properties: Properties | None) -> str:
    """The broker's own reason, with what it says beside it (MQTT 5)."""
    said = getattr(properties, "ReasonString", None)
    return f"{code.getName()} ({said})" if said else code.getName()
