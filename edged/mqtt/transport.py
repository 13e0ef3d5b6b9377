"""Makes a paho client for one connection: identity, last will, credentials, TLS. Nothing here connects yet."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edged.mqtt.messages import OFFLINE, Topics

if TYPE_CHECKING:
    from edged.config.mqtt import MqttConfig, TlsConfig

Version = Literal["5", "3.1.1"]

CONNECT_TIMEOUT_S: Final = 5.0  # each of TCP and TLS
WILL_DELAY_S: Final = 2
"""How long an MQTT 5 broker waits for us to come back before it says `offline`: so that a new connection in the place
of one that hangs, and that the broker still holds, is no absence. Short, as someone waits to be told of a real one."""
MOST_PACKET_BYTES: Final = 128 * 1024
"""An MQTT 5 broker keeps from us what is larger. No command is, and what somebody publishes at a topic of ours would be
read into memory first."""
WINDOW: Final = 16  # messages that paho holds at once: enough for a busy link, little enough to be lost with it

_PROTOCOLS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who connects: one client id per device, which the broker lets in only once."""

    device: str

    @property
    def client_id(self) -> str:
        """The MQTT client id."""
        return f"edged-{self.device}"

    @property
    def topics(self) -> Topics:
        """The device's topics."""
        return Topics(self.device)


def new_client(config: MqttConfig, identity: Identity, version: Version) -> Client:
    """A device's paho client, that has everything but an address.

    Raises:
        OSError: a file that `tls` names cannot be read, or is not a certificate or key (ssl.SSLError).
    """
    client = plain_client(config, identity.client_id, version)
    client.will_set(identity.topics.status, OFFLINE, qos=1, retain=True, properties=_will(version))
    return client


def plain_client(config: MqttConfig, client_id: str, version: Version) -> Client:
    """A paho client without a last will, for who looks on.

    Raises:
        OSError: as `new_client`.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=_PROTOCOLS[version],
        transport=config.transport,
        # We make a client for every try, since the next one may need another version or another address.
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages = WINDOW
    if config.username is not None:
        password = None if config.password is None else config.password.get_secret_value()
        client.username_pw_set(config.username, password)
    if config.tls is not None:
        client.tls_set_context(_tls_context(config.tls))
    return client


def connect(client: Client, host: str, port: int, keepalive: float, version: Version) -> None:
    """Dial, and send CONNECT.

    Raises:
        OSError, ValueError, IndexError: it does not come about; the last two are paho's on answers beyond reading.
    """
    seconds = max(1, round(keepalive))
    if version != "5":
        client.connect(host, port, seconds)
        return
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MOST_PACKET_BYTES
    # A will waits only for as long as there is a session, and only for who takes that session up again.
    properties.SessionExpiryInterval = WILL_DELAY_S
    client.connect(host, port, seconds, clean_start=False, properties=properties)


def _will(version: Version) -> Properties | None:
    if version != "5":
        return None
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.WillDelayInterval = WILL_DELAY_S
    return properties


def _tls_context(tls: TlsConfig) -> ssl.SSLContext:
    # Made anew for every connection, so that renewed certificates are taken up without a restart.
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.ca is not None:
        # Strict by default since Python 3.13: an authority made at home, as tutorials for brokers make it, lacks
        # extensions that RFC 5280 wants. Chain, dates and host name are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
