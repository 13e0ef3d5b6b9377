"""Where something listens: hosts, brokers, the page, the registry."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from edged.config.types import HIGHEST_PORT, redact
from edged.config.wording import allowed, problem

MQTT_PORT: Final = 1883


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,253}", text) and not _is_ip(text):
        raise ValueError("not a host")
    return text


Host = Annotated[
    str, AfterValidator(_host), allowed("a host name or an IP address, without scheme and port, or 'embedded'")
]


@dataclass(frozen=True, slots=True)
class Server:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, *, default_port: int | None = None) -> Self:
        """`host:port`, `[IPv6]:port`; without a port where there is a default. ValueError when it is neither."""
        if default_port is not None and _is_ip(text.strip("[]")):
            return cls(text.strip("[]"), default_port)
        host, mark, port = text.rpartition(":")
        if not mark and default_port is not None:
            return cls(_host(port), default_port)
        if host.startswith("[") and host.endswith("]") and ":" in host:
            host = host[1:-1]
        elif ":" in host:
            raise ValueError("an IPv6 address needs brackets")
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > HIGHEST_PORT:
            raise ValueError("not a port")
        return cls(_host(host), int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback)


def _broker(value: object) -> object:
    if not isinstance(value, str):
        return value
    server = Server.parse(value, default_port=MQTT_PORT)
    if server.port == 0:
        raise ValueError("port 0")
    return server


BrokerAddress = Annotated[
    Server,
    BeforeValidator(_broker),
    PlainSerializer(str),
    allowed("an address such as broker.example:1883 or [fd00::1]:1883"),
]
ListenAddress = Annotated[
    Server,
    BeforeValidator(lambda value: Server.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str),
    allowed("an address and a port, such as 127.0.0.1:8765 or [::]:8765, or null"),
]


def _registry_url(value: str) -> str:
    if not re.match(r"(https?://[^/]|file:///)\S*\Z", value):
        raise ValueError("not an address")
    if "@" in urlsplit(value).netloc:
        raise problem("user and password are not taken", "an address without them: what is there is signed, and public")
    return value


RegistryUrl = Annotated[
    str,
    AfterValidator(_registry_url),
    PlainSerializer(redact),
    allowed("an address that begins with https://, http:// or file:///"),
]
