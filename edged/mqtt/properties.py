"""What MQTT 5 says with a message, in the form that paho takes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from edged.mqtt.outgoing import About


class _Packed(Properties):
    """Properties as bytes: paho makes these anew for every message, which takes longer than all the rest of it."""

    def __init__(self, whole: Properties) -> None:
        object.__setattr__(self, "_bytes", whole.pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        packed: bytes = object.__getattribute__(self, "_bytes")
        return packed


@lru_cache(maxsize=16)
def packed(about: About) -> Properties:
    """For a PUBLISH."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if about.expiry_s is not None:
        properties.MessageExpiryInterval = about.expiry_s
    if about.content_type is not None:
        properties.ContentType = about.content_type
    if about.user:
        properties.UserProperty = list(about.user)
    if about.correlation is not None:
        properties.CorrelationData = about.correlation
    return _Packed(properties)
