"""The broker's part of the configuration."""

# no `from __future__ import annotations` here: pydantic reads the annotations when the classes are made
import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from edged.config.addresses import MQTT_PORT, BrokerAddress, Host, Server
from edged.config.section import Section
from edged.config.types import FilePath, KeepAlive, ReadableFile, Text
from edged.config.wording import allowed, problem

SECRET_BYTES: Final = 64 * 1024


def _read_secret(path: Path) -> SecretStr:
    """The secret in a file. The errors name no path: a password written where a path belongs must not come out."""
    must = "a readable text file that holds the password alone; a relative path is looked for beside the configuration"
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise problem(f"the file cannot be read: {error.strerror}", must, at=("password_file",)) from None
    except ValueError:
        raise problem("the file is not UTF-8 text", must, at=("password_file",)) from None
    text = re.sub(r"\r?\n\Z", "", text)
    if not text or len(data) > SECRET_BYTES or "\0" in text:
        raise problem("the file does not hold a password", must, at=("password_file",))
    return SecretStr(text)


class TlsConfig(Section):
    """TLS to the broker. `tls: {}` takes the system's certificates."""

    ca: ReadableFile | None = None
    """Certificates to trust in place of the system's."""
    cert: ReadableFile | None = None
    """The client's certificate, and `key` its key."""
    key: Annotated[ReadableFile | None, Field(validate_default=True)] = None

    @field_validator("key")
    @classmethod
    def _key_and_cert(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "cert" in info.data and (key is None) != (info.data["cert"] is None):
            here, other = ("cert", "key") if key is None else ("key", "cert")
            raise problem(f"stands without {other}:", "cert and key together, or neither", at=(here,))
        return key


class MqttConfig(Section):
    """The broker."""

    host: Host = "localhost"
    """"embedded": a broker of edged's own, on loopback."""
    port: Annotated[
        int, Field(ge=0, le=65535), allowed("a whole number from 1 to 65535; 0, any free one, with host: embedded")
    ] = MQTT_PORT
    servers: Annotated[
        tuple[BrokerAddress, ...],
        BeforeValidator(lambda value: () if value is None else value),
        allowed("a list of addresses, such as [a.example:1883, b.example:1883]"),
    ] = ()
    """The nodes of a cluster, in place of host and port."""
    username: Text | None = None
    password_file: FilePath | None = None
    password: Annotated[SecretStr | None, Field(validate_default=True), allowed("text")] = None
    """Better from `password_file`, or `${ENV}`."""
    tls: TlsConfig | None = None
    protocol: Annotated[Literal["auto", "5", "3.1.1"], BeforeValidator(str), allowed("auto, 5 or 3.1.1")] = "auto"
    """auto: MQTT 5, and 3.1.1 where the broker refuses it."""
    transport: Annotated[Literal["tcp", "websockets"], allowed("tcp or websockets")] = "tcp"
    keepalive: KeepAlive = 15.0

    @property
    def embedded(self) -> bool:
        """Whether the broker is edged's own."""
        return self.host == "embedded"

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where to connect, in order."""
        return self.servers or (Server(self.host, self.port),)

    @field_validator("port")
    @classmethod
    def _any_port_is_for_embedded(cls, port: int, info: ValidationInfo) -> int:
        if port == 0 and info.data.get("host", "embedded") != "embedded":
            raise problem("0 is no port to connect to", "from 1 to 65535; 0, any free one, with host: embedded")
        return port

    @field_validator("password")
    @classmethod
    def _password_from_file(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        file: Path | None = info.data.get("password_file")
        if file is not None:
            if password is not None:
                raise problem("stands beside password_file:", "one of the two, not both")
            password = _read_secret(file)
        if password is not None and "username" in info.data and info.data["username"] is None:
            raise problem("stands without username:", "both, or neither", at=("password_file",) if file else ())
        return password
